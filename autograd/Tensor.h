#pragma once
#include <functional>
#include <initializer_list>
#include <memory>
#include <type_traits>
#include <vector>

#include <ember/core/NDArray.h>

namespace ember {

class Tensor;
using Tensors = std::vector<Tensor>;

namespace autograd {
struct TensorImpl;
class Node;
}  // namespace autograd

struct BackwardOptions;

/// Runs on a gradient as soon as it is complete; returns the gradient to use instead, or an undefined Tensor to keep
/// it.
using GradientHook = std::function<Tensor(const Tensor& gradient)>;

/// A handle on an array, with a gradient and its place in the graph of the computation that made it.
///
/// Copying a Tensor copies the handle: both name the same value. Operations on tensors that require a gradient record a
/// node each; backward() walks the nodes. The handle remembers the version of its storage that its value belongs to,
/// and every operation refuses a handle whose memory has been overwritten since. A Tensor may have a shape and no
/// storage ("shape-only"); operations on such tensors check shapes and give shape-only results.
/// Reading one Tensor from several threads is safe; writing it (in-place functions, gradients of one backward) is not.
class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(core::NDArray array, bool requiresGrad = false);

  // ---- making ----
  static Tensor empty(const Shape&, DType = DType::F32);
  static Tensor zeros(const Shape&, DType = DType::F32);
  static Tensor ones(const Shape&, DType = DType::F32);
  /// The numbers given here and below must fit the type, or ValueError: 300 is no i8, 0.5 no integer.
  static Tensor full(const Shape&, double value, DType = DType::F32);
  /// start, start+step, ... below stop.
  static Tensor arange(double start, double stop, double step = 1, DType = DType::F32);
  /// `count` numbers at equal distances from start to stop, both included. ValueError if count is negative.
  static Tensor linspace(double start, double stop, i64 count, DType = DType::F32);
  /// rows x columns (-1: as many as rows) zeros with ones on `diagonal`, above the main one if positive.
  static Tensor eye(i64 rows, i64 columns = -1, i64 diagonal = 0, DType = DType::F32);
  static Tensor scalar(double value, DType = DType::F32);
  /// Copies `values` (row-major) into a tensor of that shape; without a shape, of rank 1.
  template <class T> static Tensor of(const std::vector<T>& values, const Shape& shape) {
    return Tensor(core::NDArray::from<T>(values, shape));
  }
  template <class T>
  static Tensor of(const std::vector<T>& values) {
    return of<T>(values, {static_cast<i64>(values.size())});
  }
  static Tensor of(std::initializer_list<double> values, DType = DType::F32);
  /// The user's memory (row-major), no copy; `deleter` runs when the last view goes.
  static Tensor fromBlob(void* data, const Shape&, DType, std::function<void(void*)> deleter = {});
  template <class T> static Tensor fromBlob(T* data, const Shape& shape, std::function<void(void*)> deleter = {}) {
    return fromBlob(static_cast<void*>(data), shape, DTypeOf<T>::value, std::move(deleter));
  }
  /// Uniform in [low, high) and normal(mean, std), drawn from the stream of the running module (or of the program).
  static Tensor uniform(const Shape&, double low = 0, double high = 1, DType = DType::F32);
  static Tensor normal(const Shape&, double mean = 0, double std = 1, DType = DType::F32);
  /// From the same stream: integers in [low, high), ValueError if there is none; the numbers 0..count-1 shuffled; 1
  /// with probability p in [0, 1], else 0.
  static Tensor randint(const Shape&, i64 low, i64 high, DType = DType::I64);
  static Tensor randperm(i64 count);
  static Tensor bernoulli(const Shape&, double p = 0.5, DType = DType::F32);
  /// Shape and type without data.
  static Tensor shapeOnly(const Shape&, DType = DType::F32);

  // ---- asking ----
  bool defined() const noexcept { return impl_ != nullptr; }
  bool isShapeOnly() const;
  const Shape& shape() const;
  i64 size(int axis) const;
  int rank() const;
  i64 numel() const;
  DType dtype() const;
  /// The value of a one-element tensor. Throws ShapeError otherwise, StateError if the handle is undefined or stale, or
  /// has a shape but no values.
  double item() const;
  /// All elements in logical (row-major) order, converted to T as by to(). Throws StateError as item().
  template <class T> std::vector<T> toVector() const { return readBy("toVector").toVector<T>(); }
  /// The array behind the handle. Throws StateError if the handle is undefined or stale.
  const core::NDArray& array() const;

  // ---- gradients ----
  bool requiresGrad() const;
  /// Leaves only. Throws DtypeError unless the type is f32 or f64, StateError on the result of an operation.
  Tensor& setRequiresGrad(bool value = true);
  /// Made by the user, not by a recorded operation.
  bool isLeaf() const;
  /// The accumulated gradient of a leaf; undefined while absent.
  Tensor grad() const;
  void setGrad(const Tensor&);
  /// Marks the gradient absent: the next accumulation writes instead of adding.
  void zeroGrad();
  /// Accumulates d(this)/d(leaf) into every leaf that requires a gradient. Throws StateError if nothing requires one,
  /// if the graph was already freed or an operand was overwritten; ShapeError if this is no scalar and no gradient is
  /// given.
  void backward() const;
  void backward(const BackwardOptions&) const;
  /// Calls `hook` in each backward once this tensor's gradient is complete. Throws StateError if it requires none.
  void registerHook(GradientHook hook) const;

  /// The same value outside the graph; shares memory and version. Writing into it gives a leaf, and any other tensor
  /// outside the graph, the new value (as does writing into a view taken under NoGrad). The result of a recorded op
  /// becomes stale, and so does what a gradient needs: reading them is a StateError; write into a clone() there.
  Tensor detach() const;
  /// A copy of the value outside the graph, in own memory.
  Tensor clone() const;

  // ---- writing (leaves and buffers; never part of the graph) ----
  /// Overwrites the value in place; shapes equal, dtype converted. `writer` is named in stale-operand errors.
  void copy_(const Tensor& source, const char* writer = "copy_");
  void fill_(double value);
  void add_(const Tensor& other);
  void mul_(double factor);
  // ---- shorthands for the functions of the same name in autograd/ops ----
  Tensor sum(const std::vector<int>& axes = {}, bool keepDims = false) const;
  Tensor mean(const std::vector<int>& axes = {}, bool keepDims = false) const;
  Tensor reshape(const Shape&) const;
  Tensor permute(const std::vector<int>& axes) const;
  Tensor transpose(int a, int b) const;
  Tensor slice(int axis, i64 start, i64 stop, i64 step = 1) const;
  Tensor select(int axis, i64 index) const;
  /// x[i] along the first axis, which goes; x[positions], x[mask]: ops/Slicing.h. Const, since x[i] = y would assign to
  /// a temporary and leave x as it is.
  const Tensor operator[](i64 position) const;
  const Tensor operator[](const Tensor& chosen) const;
  /// The same tensor if the type is the same, else converted; differentiable between floating types.
  ///
  /// What the type cannot hold becomes the nearest that it can: floats lose their fraction on the way to an integer,
  /// and numbers outside an integer's range, be they floats or integers, stop at its ends (300 is 127 in i8, -1 is 0
  /// in u8); NaN becomes 0. To bool: whether it is not 0 (NaN is not). Floats round to nearest even; what is beyond the
  /// range of a narrower one becomes infinite. Only whole tensors convert so: a C++ number that does not fit the type
  /// of the tensor it meets (x + 300, full, fill_) is a ValueError.
  Tensor to(DType) const;

  // ---- for ops, kernels and modules that manage memory themselves; programs need none of these ----
  /// Replaces the array (another dtype or shape) behind every copy of this handle.
  void setArray(core::NDArray);
  /// Call before writing into the array; advances the version that this handle stands for.
  core::NDArray& writable(const char* writer);
  const std::shared_ptr<autograd::TensorImpl>& impl() const noexcept { return impl_; }
  explicit Tensor(std::shared_ptr<autograd::TensorImpl> impl) noexcept : impl_(std::move(impl)) {}

 private:
  /// array() for a function that looks at the values: refuses shape-only tensors too, and errors name that function.
  const core::NDArray& readBy(const char* reader) const;

  std::shared_ptr<autograd::TensorImpl> impl_;
};

struct BackwardOptions {
  Tensor gradient = {};      ///< d(result)/d(this), shape of the tensor; 1 for a scalar if undefined
  bool retainGraph = false;  ///< keep what the nodes saved, for another backward
  /// Record the backward itself (second derivatives); keeps the graph. A gradient that is stored in a leaf then holds
  /// that leaf through its graph: call zeroGrad() when done, or use gradients(), or the memory stays.
  bool createGraph = false;
};

/// d(sum of outputs·gradients)/d(inputs) as new tensors, leaving every grad() alone; walks only what leads to the
/// inputs. `gradients` may be empty for scalars. An input that the outputs do not depend on gets an undefined Tensor.
Tensors gradients(const Tensors& outputs, const Tensors& inputs, const BackwardOptions& = {},
                  const Tensors& outputGradients = {});

/// Whether operations record nodes on this thread.
bool gradEnabled() noexcept;

/// While it lives, nothing is recorded on this thread. Nests.
class NoGrad {
 public:
  NoGrad() noexcept;
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool before_;
};

/// While it lives, every operation's result and every gradient is checked on all threads; the first NaN or infinity
/// throws NumericError that names the op and its module, or the operand that brought it along: the data, a parameter.
/// Slow: for finding, not for training.
class AnomalyMode {
 public:
  AnomalyMode() noexcept;
  ~AnomalyMode();
  AnomalyMode(const AnomalyMode&) = delete;
  AnomalyMode& operator=(const AnomalyMode&) = delete;
  static bool enabled() noexcept;
};

}  // namespace ember
