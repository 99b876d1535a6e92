#include <ember/autograd/Graph.h>

#include <atomic>
#include <utility>

#include <ember/core/Error.h>

namespace ember::autograd {
namespace {

std::atomic<u64> nodesMade{0};

// Nodes whose last owner has gone, waiting for the outermost destructor on this thread, each the owner of the next. A
// node's destructor hands its inputs here instead of destroying them inside itself, so a chain of any length needs a
// constant stack, and no memory.
thread_local std::shared_ptr<Node>* waiting = nullptr;

[[noreturn]] void overwritten(const char* op, const std::string& what, const core::NDArray& array, u64 saved) {
  const std::string writer = array.storage()->lastWriter();
  throw StateError(
      op, what + " that its gradient needs was overwritten by " + writer,
      {{"tensor", toString(array.shape())},
       {"reader", op},
       {"writer", writer},
       {"versions", std::to_string(saved) + " when it was saved, " + std::to_string(array.version()) + " now"}},
      "turn the in-place write off, or move it behind backward()");
}

}  // namespace

u64 nextSequence() noexcept { return nodesMade.load(std::memory_order_relaxed); }

void releaseIteratively(std::shared_ptr<Node>&& node) noexcept {
  if (!node) return;
  if (waiting) {
    Node& last = *node;
    // Another owner's node is merely let go.
    if (node.use_count() == 1) last.afterwards = std::exchange(*waiting, std::move(node));
    node.reset();
    return;
  }
  std::shared_ptr<Node> list;
  waiting = &list;
  node.reset();
  while (list) {
    const std::shared_ptr<Node> first = std::move(list);
    list = std::move(first->afterwards);
  }  // here its inputs come to the front
  waiting = nullptr;
}

void markView(TensorImpl& view, const std::shared_ptr<TensorImpl>& source) {
  if (source->node) return;
  const std::shared_ptr<TensorImpl> origin = source->origin.lock();
  view.origin = origin ? origin : source;
}

TensorImpl::~TensorImpl() { releaseIteratively(std::move(node)); }

Node::Node(const char* opName) : op(opName), sequence(nodesMade.fetch_add(1, std::memory_order_relaxed)) {}

Node::~Node() {
  for (Edge& edge : inputs) releaseIteratively(std::move(edge.node));
}

Tensor BackwardContext::output(int index) const {
  const auto& [array, version] = node_.savedOutputs[static_cast<std::size_t>(index)];
  if (array.version() != version) overwritten(node_.op, "the output", array, version);
  auto impl = std::make_shared<TensorImpl>();
  impl->array = array;
  impl->version = version;
  impl->requiresGrad = true;
  impl->node = node_.shared_from_this();
  impl->output = static_cast<u32>(index);
  return Tensor(std::move(impl));
}

Tensor Saved::get(const BackwardContext& context) const {
  if (tensor_.defined() && tensor_.impl()->array.storage() != storage_.lock()) {
    throw StateError(context.op(), "an operand that its gradient needs was replaced by setArray since the forward",
                     {{"reader", context.op()}, {"writer", "setArray"}},
                     "convert or replace tensors before the forward, or behind backward()");
  }
  if (tensor_.defined() && tensor_.impl()->array.version() != version_) {
    overwritten(context.op(), "an operand", tensor_.impl()->array, version_);
  }
  return tensor_;
}

}  // namespace ember::autograd
