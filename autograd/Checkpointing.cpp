#include <ember/autograd/Checkpointing.h>

#include <algorithm>
#include <set>
#include <string>

#include <ember/autograd/Op.h>
#include <ember/core/Error.h>
#include <ember/core/Replay.h>

// The first run is recorded as any other, so that it computes what it would without the checkpoint. Then its graph is
// walked down to what was there before, the variables of the function, and dropped; one node with those as inputs takes
// its place. The backward records a second run and takes its gradients at the same variables.

namespace ember {
namespace {

using namespace autograd;

constexpr const char* op = "checkpoint";

struct Segment {
  std::function<Tensors(const Tensors&)> fn;
  std::vector<Saved> inputs;
  std::vector<Saved> leaves;  // among the variables: parameters that are overwritten must not be read again
  std::vector<Node::Edge> variables;
  std::vector<std::size_t> recorded;  // outputs that the node has
  std::vector<Node::OutputMeta> metas;
  core::Draws draws;
  bool again = false;  // ran a second time already

  Tensors runAgain(const BackwardContext& c) {
    Tensors values;
    for (const Saved& input : inputs) values.push_back(input.get(c));
    for (const Saved& leaf : leaves) (void)leaf.get(c);
    const Recording on;
    const core::ReplayScope replay(draws, again);
    again = true;
    Tensors all = fn(values), outputs;
    if (!replay.complete()) differs("draws fewer random numbers than the first");
    for (std::size_t i = 0; i < recorded.size(); ++i) {
      if (recorded[i] >= all.size() || !all[recorded[i]].defined()) differs("gave fewer outputs than the first");
      outputs.push_back(all[recorded[i]]);
      if (outputs[i].shape() != metas[i].shape || outputs[i].dtype() != metas[i].dtype || !outputs[i].requiresGrad())
        differs("gave " + core::describe("", outputs[i].array()) + " for output " + std::to_string(recorded[i]) +
                ", the first " + toString(metas[i].shape));
    }
    return outputs;
  }

  [[noreturn]] static void differs(const std::string& how) {
    throw StateError(op, "the second run " + how, {},
                     "the function must compute the same again: do not change the net between forward and backward "
                     "(train(), eval())");
  }

  Tensors gradients(const BackwardContext& c) {
    const bool createGraph = gradEnabled();
    Tensors outputs = runAgain(c), used, incoming;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const Tensor& gradient = c.grad(static_cast<int>(i));
      if (!gradient.defined()) continue;
      used.push_back(outputs[i]);
      incoming.push_back(gradient);
    }
    std::vector<Wanted> wanted;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < variables.size(); ++i) {
      if (!c.needs(static_cast<int>(i))) continue;
      const Node::Edge& edge = variables[i];
      wanted.push_back({edge.leaf.get(), edge.node.get(), edge.output});
      places.push_back(i);
    }
    Tensors found = partialGradients(used, std::move(wanted), createGraph, incoming);
    Tensors result(variables.size());
    for (std::size_t i = 0; i < places.size(); ++i) result[places[i]] = std::move(found[i]);
    return result;
  }
};

// What the graph of `outputs` stands on: edges to leaves and to nodes before `first`, each once.
std::vector<Node::Edge> variablesOf(const Tensors& outputs, const std::vector<std::size_t>& recorded, u64 first) {
  std::vector<Node::Edge> found;
  std::set<std::pair<const void*, u32>> known;
  std::vector<const Node*> stack;
  const auto visit = [&](const std::shared_ptr<Node>& node) {
    if (known.emplace(node.get(), 0).second) stack.push_back(node.get());
  };
  for (const std::size_t i : recorded) visit(outputs[i].impl()->node);
  while (!stack.empty()) {
    const Node* node = stack.back();
    stack.pop_back();
    for (const Node::Edge& edge : node->inputs) {
      if (edge.node && edge.node->sequence >= first) {
        visit(edge.node);
      } else if (edge.wanted()) {
        const void* key = edge.node ? static_cast<const void*>(edge.node.get()) : edge.leaf.get();
        if (known.emplace(key, edge.output).second) found.push_back(edge);
      }
    }
  }
  return found;
}

// A handle on a variable, for makeNode.
Tensor handle(const Node::Edge& edge) {
  if (edge.leaf) return Tensor(edge.leaf);
  auto impl = std::make_shared<TensorImpl>();
  const Node::OutputMeta& meta = edge.node->outputs[edge.output];
  impl->array = core::NDArray::shapeOnly(meta.shape, meta.dtype);
  impl->requiresGrad = true;
  impl->node = edge.node;
  impl->output = edge.output;
  return Tensor(std::move(impl));
}

}  // namespace

Tensors checkpoint(std::function<Tensors(const Tensors&)> fn, const Tensors& inputs) {
  if (!fn) throw ValueError(op, "the function is empty", {}, "pass one from Tensors to Tensors");
  std::vector<const Tensor*> operands;
  for (const Tensor& input : inputs) operands.push_back(&input);
  checkOperands(op, operands);
  if (!gradEnabled() || anyShapeOnly(operands)) return fn(inputs);
  const auto segment = std::make_shared<Segment>();
  segment->again = core::replayedBefore();
  const u64 first = nextSequence();
  Tensors outputs;
  {
    const core::RecordScope record(segment->draws);
    outputs = fn(inputs);
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].defined()) throw StateError(op, "the function gave an undefined output " + std::to_string(i));
    const auto& node = outputs[i].impl()->node;
    if (!node || node->sequence < first) continue;
    segment->recorded.push_back(i);
    segment->metas.push_back({outputs[i].shape(), outputs[i].dtype()});
  }
  if (segment->recorded.empty()) return outputs;
  segment->variables = variablesOf(outputs, segment->recorded, first);
  segment->fn = std::move(fn);
  for (const Tensor& input : inputs) segment->inputs.emplace_back(input);
  Tensors handles;
  for (const Node::Edge& edge : segment->variables) {
    handles.push_back(handle(edge));
    if (edge.leaf) segment->leaves.emplace_back(handles.back());
  }
  operands.clear();
  for (const Tensor& variable : handles) operands.push_back(&variable);
  std::vector<core::NDArray> arrays;
  for (const std::size_t i : segment->recorded) arrays.push_back(outputs[i].array());
  const Tensors results = record(
      op, operands, std::move(arrays), [segment](const BackwardContext& c) { return segment->gradients(c); },
      SaveOutputs::No);
  for (std::size_t i = 0; i < results.size(); ++i) outputs[segment->recorded[i]] = results[i];
  return outputs;
}

Tensor checkpoint(std::function<Tensor(const Tensor&)> fn, const Tensor& input) {
  if (!fn) throw ValueError(op, "the function is empty", {}, "pass one from Tensor to Tensor");
  return checkpoint([fn = std::move(fn)](const Tensors& inputs) { return Tensors{fn(inputs[0])}; }, Tensors{input})[0];
}

}  // namespace ember
