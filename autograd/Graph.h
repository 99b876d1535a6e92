#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ember/autograd/Tensor.h>

/// The recorded graph. Only ops and the backward engine look in here.
namespace ember::autograd {

class BackwardContext;
struct Deferred;

/// Computes the gradients of a node's inputs (one Tensor each, undefined where none is needed) from those of its
/// outputs.
using BackwardFn = std::function<Tensors(const BackwardContext&)>;

/// What a Tensor handle points to.
struct TensorImpl {
  TensorImpl() = default;
  ~TensorImpl();
  TensorImpl(const TensorImpl&) = delete;
  TensorImpl& operator=(const TensorImpl&) = delete;

  core::NDArray array;
  u64 version = 0;            ///< of the storage, when this value was made
  bool requiresGrad = false;
  bool opResult = false;      ///< made by an op, recorded or not: what `inplace` may overwrite
  Tensor grad;                ///< leaves only
  std::vector<GradientHook> hooks;  ///< leaves only; a node keeps those of its outputs
  std::shared_ptr<Node> node; ///< the operation that made it; null for a leaf
  u32 output = 0;             ///< which output of the node
  std::weak_ptr<TensorImpl> origin; ///< the tensor outside the graph that this is a view or a detach() of
  std::atomic<bool> waiting{false};   ///< the array has a shape only: the values are computed when someone asks
  std::shared_ptr<Deferred> deferred; ///< how (Deferred.h)

  /// Makes the values be there. Everyone calls it who looks at more than shape and type.
  void settle() {
    if (waiting.load(std::memory_order_acquire)) run();
  }

 private:
  void run();
};

/// One recorded operation. Nodes own what backward needs and the nodes of their inputs, never their outputs, so there
/// are no cycles; long chains are destroyed iteratively.
class Node : public std::enable_shared_from_this<Node> {
 public:
  /// Where the gradient of one input goes: to the node that made it, or into a leaf. Both null: nowhere.
  struct Edge {
    std::shared_ptr<Node> node;
    u32 output = 0;
    std::shared_ptr<TensorImpl> leaf;
    bool wanted() const noexcept { return node || leaf; }
  };
  struct OutputMeta {
    Shape shape;
    DType dtype;
  };

  explicit Node(const char* opName);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  const char* op;
  u64 sequence;             ///< grows with creation: consumers have higher numbers than producers
  std::string module;       ///< path of the module that ran, recorded in anomaly mode only
  std::vector<Edge> inputs;
  std::vector<OutputMeta> outputs;
  std::vector<std::pair<u32, GradientHook>> hooks;
  BackwardFn backward;      ///< empty once the graph was freed
  std::vector<std::pair<core::NDArray, u64>> savedOutputs;  ///< with versions
  std::shared_ptr<Node> afterwards;  ///< what is to be destroyed after this one (releaseIteratively)
};

/// What a backward function sees.
class BackwardContext {
 public:
  /// `useful` says for each input whether its gradient leads anywhere in this run; null: all that are wanted do.
  BackwardContext(Node& node, const Tensors& gradients, const std::vector<bool>* useful = nullptr)
      : node_(node), gradients_(gradients), useful_(useful) {}
  /// Gradient of an output; undefined only for an output of a multi-output op that nothing used.
  const Tensor& grad(int output = 0) const { return gradients_[static_cast<std::size_t>(output)]; }
  int outputs() const noexcept { return static_cast<int>(gradients_.size()); }
  std::size_t inputs() const noexcept { return node_.inputs.size(); }
  /// Whether anyone wants the gradient of that input.
  bool needs(int input) const {
    const auto i = static_cast<std::size_t>(input);
    return node_.inputs[i].wanted() && (!useful_ || (*useful_)[i]);
  }
  /// A saved output (recorded with SaveOutputs), connected to the graph. Throws StateError if it was overwritten.
  Tensor output(int index = 0) const;
  const char* op() const noexcept { return node_.op; }

 private:
  Node& node_;
  const Tensors& gradients_;
  const std::vector<bool>* useful_;
};

/// A tensor kept for backward. get() throws StateError if its memory was overwritten since, naming writer and reader.
class Saved {
 public:
  Saved() = default;
  explicit Saved(const Tensor& t) : tensor_(t) {
    if (!t.defined()) return;
    t.impl()->settle();
    storage_ = t.impl()->array.storage();
    version_ = t.impl()->array.version();
  }
  Tensor get(const BackwardContext&) const;
  bool defined() const noexcept { return tensor_.defined(); }

 private:
  Tensor tensor_;
  std::weak_ptr<core::Storage> storage_;  // setArray() may put other memory behind the handle
  u64 version_ = 0;
};

/// Makes `view`, which shares memory with `source`, one through which `source` may be written: it then stands for the
/// new value. Not if an op that is recorded made `source`, whose value the graph needs.
void markView(TensorImpl& view, const std::shared_ptr<TensorImpl>& source);

/// Number of the next node: those made from now on have this one or a higher.
u64 nextSequence() noexcept;

/// While it lives, operations are recorded on this thread, inside a NoGrad, too.
class Recording {
 public:
  Recording() noexcept;
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

 private:
  bool before_;
};

/// A gradient that gradients() is asked for: of a leaf, or of one output of a node.
struct Wanted {
  const TensorImpl* leaf;
  const Node* node;
  u32 output;
};

/// gradients() of outputs that are functions of the wanted tensors alone: these are variables that depend on nothing,
/// not on each other either, and their hooks do not run.
Tensors partialGradients(const Tensors& outputs, std::vector<Wanted> wanted, bool createGraph,
                         const Tensors& outputGradients);

/// Releases a node without recursion, however long the chain behind it.
void releaseIteratively(std::shared_ptr<Node>&& node) noexcept;

}  // namespace ember::autograd
