#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include <ember/autograd/Graph.h>
#include <ember/autograd/Op.h>
#include <ember/autograd/Paths.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/core/Error.h>
#include <ember/core/TraceSpan.h>
#include <ember/core/kernels/Elementwise.h>

// The engine: nodes wait in order of their creation numbers. A consumer is always made after its producers, so the node
// with the highest number has all its gradients, and no dependency counting is needed. Nothing recurses.

namespace ember {
namespace autograd {
namespace {

std::mutex leafMutex;  // gradients of leaves may be added by several backwards at once

// Whether this handle alone knows the memory, so that writing into it changes nothing that anyone else sees.
bool ownsMemory(const Tensor& t) {
  const TensorImpl& impl = *t.impl();
  return t.impl().use_count() == 1 && !impl.node && impl.array.hasStorage() && impl.array.storage().use_count() == 1 &&
         !impl.array.storage()->external() && impl.array.isDense(impl.array.order());
}

// A sum is made in place where the memory is its own (an expanded view is not) and no graph is being recorded.
bool addsInPlace(const Tensor& target, bool createGraph) { return !createGraph && ownsMemory(target); }

// Takes no memory if both lie in the same order.
void addInto(Tensor& target, const Tensor& addend) {
  TensorImpl& impl = *target.impl();
  core::addInPlace(impl.array, addend.array(), "gradient accumulation");
  impl.version = impl.array.version();
}

// target += addend
void accumulate(Tensor& target, Tensor addend, bool createGraph) {
  if (!target.defined()) {
    target = std::move(addend);
  } else if (addsInPlace(target, createGraph)) {
    addInto(target, addend);
  } else {
    target = target + addend;
  }
}

// The gradient as a leaf keeps it, in the leaf's memory order and in memory of its own: both operands of a sum get one
// array, and the user's own may come through, but who scales a gradient (clipping) must not change others.
Tensor forLeaf(Tensor gradient, const TensorImpl& leaf, bool createGraph) {
  const core::NDArray& array = gradient.array();
  if (createGraph || !array.hasStorage()) return gradient;
  const MemoryOrder order = leaf.array.order();
  if (!array.isDense(order)) return Tensor(array.contiguous(order));
  return ownsMemory(gradient) ? gradient : Tensor(array.copy());
}

bool isBad(const Tensor& gradient) {
  return AnomalyMode::enabled() && gradient.array().hasStorage() && !core::allFinite(gradient.array());
}

Tensor runHook(const GradientHook& hook, const Tensor& gradient, const char* op) {
  Tensor replaced = hook(gradient);
  if (!replaced.defined()) return gradient;
  if (replaced.shape() != gradient.shape()) {
    throw ShapeError(op, "a gradient hook returned " + toString(replaced.shape()) + " for a gradient of " +
                             toString(gradient.shape()));
  }
  if (replaced.dtype() != gradient.dtype()) {
    throw DtypeError(op, "a gradient hook returned " + std::string(name(replaced.dtype())) + " for a gradient of " +
                             std::string(name(gradient.dtype())));
  }
  if (isBad(replaced)) {
    throw NumericError(op, "a gradient hook returned NaN or infinity", {{"gradient", toString(replaced.shape())}},
                       "the gradient that it was given is finite: look at the hook");
  }
  return replaced;
}

class Engine {
 public:
  Engine(const BackwardOptions& options, std::vector<Wanted> wanted, bool capturing, bool independent = false)
      : options_(options),
        retain_(options.retainGraph || options.createGraph),
        wanted_(std::move(wanted)),
        capturing_(capturing),
        independent_(independent),
        captured_(wanted_.size()),
        paths_(wanted_, independent) {}

  void start(const Tensor& output, Tensor gradient) {
    const auto& impl = output.impl();
    if (capturing_) paths_.explore(impl->node);
    if (impl->node) {
      deliver(Node::Edge{impl->node, impl->output, nullptr}, std::move(gradient));
    } else {
      deliver(Node::Edge{nullptr, 0, impl}, std::move(gradient));
    }
  }

  void run() {
    const core::TraceSpan span(core::TraceSpan::Kind::Around, "backward");
    while (!pending_.empty()) {
      auto latest = pending_.extract(pending_.begin());
      step(*latest.mapped().node, latest.mapped().gradients);
    }
    finishLeaves();
  }

  Tensors takeCaptured() { return std::move(captured_); }

 private:
  void deliver(const Node::Edge& edge, Tensor gradient) {
    if (edge.leaf) {
      auto& slot = leaves_[edge.leaf.get()];
      if (!slot.first) {
        slot.first = edge.leaf;
        leafOrder_.push_back(edge.leaf.get());
      }
      accumulate(slot.second, std::move(gradient), options_.createGraph);
    } else if (edge.node) {
      auto [entry, isNew] = pending_.try_emplace(edge.node->sequence);
      auto& [node, gradients] = entry->second;
      if (isNew) {
        node = edge.node;
        gradients.resize(node->outputs.size());
      }
      accumulate(gradients[edge.output], std::move(gradient), options_.createGraph);
    }
  }

  void step(Node& node, Tensors& gradients) {
    const auto hooks = node.hooks;  // a hook may register another
    const bool end = independent_ && !paths_.leads(&node);  // a variable, whose hooks see the whole gradient elsewhere
    for (const auto& [output, hook] : hooks) {
      if (!end && gradients[output].defined()) gradients[output] = runHook(hook, gradients[output], node.op);
    }
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
      if (wanted_[i].node == &node) captured_[i] = gradients[wanted_[i].output];
    }
    if (capturing_ && !paths_.leads(&node)) return;
    if (!node.backward) {
      throw StateError("backward", "the graph was already freed: " + std::string(node.op) + " has no saved values left",
                       {}, "pass {.retainGraph = true} to the first backward to walk the graph twice");
    }
    std::vector<bool> useful;
    if (capturing_) {
      for (const Node::Edge& edge : node.inputs) useful.push_back(paths_.useful(edge));
    }
    Tensors results;
    {
      const ResultsUnchecked unchecked;  // anomaly mode names this op, not those that its backward is written in
      core::TraceSpan span(core::TraceSpan::Kind::Backward, node.op, node.module);
      results = node.backward(BackwardContext(node, gradients, capturing_ ? &useful : nullptr));
      if (span.open()) {
        for (const Tensor& result : results) span.output(result.defined() ? result.array().bytes() : 0);
      }
    }
    gradients.clear();
    if (!retain_) {
      node.backward = nullptr;
      node.savedOutputs.clear();
    }
    if (results.size() != node.inputs.size()) {
      throw StateError(node.op, "its backward gave " + std::to_string(results.size()) + " gradients for " +
                                    std::to_string(node.inputs.size()) + " inputs");
    }
    for (std::size_t i = 0; i < results.size(); ++i) {
      const Node::Edge& edge = node.inputs[i];
      if (!edge.wanted() || !results[i].defined() || (capturing_ && !useful[i])) continue;
      check(node, i, edge, results[i]);
      deliver(edge, std::move(results[i]));
    }
  }

  static void check(const Node& node, std::size_t input, const Node::Edge& edge, const Tensor& gradient) {
    const Shape& shape = edge.leaf ? edge.leaf->array.shape() : edge.node->outputs[edge.output].shape;
    const DType dtype = edge.leaf ? edge.leaf->array.dtype() : edge.node->outputs[edge.output].dtype;
    const auto which = [&] { return "the gradient of input " + std::to_string(input) + " is "; };
    if (gradient.shape() != shape) {
      throw ShapeError(node.op, which() + toString(gradient.shape()) + ", expected " + toString(shape), {},
                       "return gradients of the inputs' shapes from the backward function");
    }
    if (gradient.dtype() != dtype) {
      throw DtypeError(node.op,
                       which() + std::string(name(gradient.dtype())) + ", expected " + std::string(name(dtype)), {},
                       "return gradients of the inputs' types from the backward function");
    }
    if (isBad(gradient)) {
      throw NumericError(node.op,
                         "the gradient of its input " + std::to_string(input) + " is the first with NaN or infinity",
                         {{"gradient", toString(gradient.shape())},
                          {"forward at", node.module.empty() ? "(outside a module)" : node.module}});
    }
  }

  void finishLeaves() {
    // All hooks before the first store: one that throws leaves every leaf as it was.
    for (TensorImpl* key : leafOrder_) {
      auto& [leaf, gradient] = leaves_[key];
      const auto hooks = leaf->hooks;
      if (!independent_) {
        for (const GradientHook& hook : hooks) gradient = runHook(hook, gradient, "leaf");
      }
      for (std::size_t i = 0; i < wanted_.size(); ++i) {
        if (wanted_[i].leaf == key) captured_[i] = gradient;
      }
    }
    if (capturing_) return;
    const std::lock_guard lock(leafMutex);
    // All that takes memory before the first store, for the same reason.
    for (TensorImpl* key : leafOrder_) {
      auto& [leaf, gradient] = leaves_[key];
      if (!leaf->grad.defined()) {
        gradient = forLeaf(std::move(gradient), *leaf, options_.createGraph);
      } else if (addsInPlace(leaf->grad, options_.createGraph)) {
        const MemoryOrder order = leaf->grad.array().order();
        if (!gradient.array().isDense(order)) gradient = Tensor(gradient.array().contiguous(order));
      } else {
        gradient = leaf->grad + gradient;
      }
    }
    for (TensorImpl* key : leafOrder_) {
      auto& [leaf, gradient] = leaves_[key];
      if (leaf->grad.defined() && addsInPlace(leaf->grad, options_.createGraph)) {
        addInto(leaf->grad, gradient);
      } else {
        leaf->grad = std::move(gradient);
      }
    }
  }

  const BackwardOptions& options_;
  bool retain_;
  std::vector<Wanted> wanted_;
  bool capturing_;
  bool independent_;
  Tensors captured_;
  Paths paths_;
  struct Pending {
    std::shared_ptr<Node> node;
    Tensors gradients;  // of its outputs
  };
  std::map<u64, Pending, std::greater<>> pending_;  // by creation number, the latest first
  std::unordered_map<TensorImpl*, std::pair<std::shared_ptr<TensorImpl>, Tensor>> leaves_;
  std::vector<TensorImpl*> leafOrder_;
};

Tensor startGradient(const Tensor& output, const Tensor& given) {
  if (!output.requiresGrad()) {
    throw StateError("backward", "the tensor depends on nothing that requires a gradient",
                     {{"tensor", toString(output.shape())}},
                     "call setRequiresGrad() on the leaves, and record outside any NoGrad scope");
  }
  if (!given.defined()) {
    if (output.numel() != 1) {
      throw ShapeError("backward",
                       "a gradient is implied for a scalar only, this tensor is " + toString(output.shape()), {},
                       "reduce it with sum() or mean(), or pass {.gradient = ...}");
    }
    return Tensor::ones(output.shape(), output.dtype());
  }
  if (given.shape() != output.shape()) {
    throw ShapeError("backward",
                     "the given gradient is " + toString(given.shape()) + ", the tensor " + toString(output.shape()));
  }
  if (given.dtype() != output.dtype()) {
    throw DtypeError("backward", "the given gradient is " + std::string(name(given.dtype())) + ", the tensor " +
                                     std::string(name(output.dtype())));
  }
  if (isBad(given)) {
    throw NumericError("backward", "the given gradient was already non-finite", {{"gradient", toString(given.shape())}},
                       "look at where it is made; no op of the backward has run yet");
  }
  return given;
}

// Recording follows createGraph while the engine runs.
class RecordingIf {
 public:
  explicit RecordingIf(bool on) {
    if (!on) off_.emplace();
  }

 private:
  std::optional<NoGrad> off_;
};

// What gradients() and partialGradients() share.
Tensors captured(const Tensors& outputs, std::vector<Wanted> wanted, bool independent, const BackwardOptions& options,
                 const Tensors& outputGradients) {
  const RecordingIf recording(options.createGraph);
  Engine engine(options, std::move(wanted), true, independent);
  for (std::size_t i = 0; i < outputs.size(); ++i)
    engine.start(outputs[i], startGradient(outputs[i], outputGradients.empty() ? Tensor() : outputGradients[i]));
  engine.run();
  return engine.takeCaptured();
}

}  // namespace

Tensors partialGradients(const Tensors& outputs, std::vector<Wanted> wanted, bool createGraph,
                         const Tensors& outputGradients) {
  return captured(outputs, std::move(wanted), true, {.createGraph = createGraph}, outputGradients);
}

}  // namespace autograd

void Tensor::backward() const { backward(BackwardOptions{}); }

void Tensor::backward(const BackwardOptions& options) const {
  if (!defined()) throw StateError("backward", "the tensor is undefined");
  const autograd::RecordingIf recording(options.createGraph);
  autograd::Engine engine(options, {}, false);
  engine.start(*this, autograd::startGradient(*this, options.gradient));
  engine.run();
}

Tensors gradients(const Tensors& outputs, const Tensors& inputs, const BackwardOptions& options,
                  const Tensors& outputGradients) {
  std::vector<autograd::Wanted> wanted;
  for (const Tensor& input : inputs) {
    if (!input.defined() || !input.requiresGrad())
      throw StateError("gradients", "input " + std::to_string(wanted.size()) + " requires no gradient");
    const auto& impl = input.impl();
    wanted.push_back({impl->node ? nullptr : impl.get(), impl->node.get(), impl->output});
  }
  if (!outputGradients.empty() && outputGradients.size() != outputs.size()) {
    throw ValueError("gradients", std::to_string(outputGradients.size()) + " gradients for " +
                                      std::to_string(outputs.size()) + " outputs");
  }
  return autograd::captured(outputs, std::move(wanted), false, options, outputGradients);
}

}  // namespace ember
