#pragma once
#include <limits>
#include <vector>

#include <ember/nn/Module.h>

/// Layers that give the elements of one tensor another shape, order, number or type; none has parameters.
namespace ember::nn {

/// Splits `axis` in several: [N, C·H·W] -> [N, C, H, W] for axis 1 and sizes {C, H, W}. One size may be -1, which takes
/// what is left. ValueError at construction for other sizes below 1; ShapeError where the axis has another length.
class Unflatten : public Module {
 public:
  using Module::forward;
  Unflatten(int axis, const Shape& sizes);
  Tensor forward(const Tensor& x) override;
  Args args() const override { return {{"axis", axis_}, {"sizes", sizes_.vector()}}; }
  static Unflatten fromArgs(const Args& a) { return {a.get<int>("axis"), Shape(a.get<std::vector<i64>>("sizes"))}; }
  std::string details() const override;

 private:
  int axis_;
  Shape sizes_;
};

/// Gives each sample another shape and keeps the batch: [N, ...] -> [N, shape...]. One size may be -1. Errors as
/// Unflatten.
class Reshape : public Module {
 public:
  using Module::forward;
  explicit Reshape(const Shape& sample);
  Tensor forward(const Tensor& x) override;
  Args args() const override { return {{"sample", sample_.vector()}}; }
  static Reshape fromArgs(const Args& a) { return Reshape(Shape(a.get<std::vector<i64>>("sample"))); }
  std::string details() const override { return ember::toString(sample_); }

 private:
  Shape sample_;
};

/// Reorders all axes, that of the batch included: result axis i is x axis axes[i]. ShapeError unless the axes are those
/// of x, each once.
class Permute : public Module {
 public:
  using Module::forward;
  explicit Permute(std::vector<int> axes) : axes_(std::move(axes)) {}
  Tensor forward(const Tensor& x) override;
  Args args() const override { return {{"axes", axes_}}; }
  static Permute fromArgs(const Args& a) { return Permute(a.get<std::vector<int>>("axes")); }
  std::string details() const override { return Value(axes_).dump(); }

 private:
  std::vector<int> axes_;
};

/// Swaps two axes; negatives count from the end.
class SwapAxes : public Module {
 public:
  using Module::forward;
  SwapAxes(int first, int second) : first_(first), second_(second) {}
  Tensor forward(const Tensor& x) override;
  Args args() const override { return {{"first", first_}, {"second", second_}}; }
  static SwapAxes fromArgs(const Args& a) { return {a.get<int>("first"), a.get<int>("second")}; }
  std::string details() const override { return std::to_string(first_) + ", " + std::to_string(second_); }

 private:
  int first_, second_;
};

/// Elements start, start+step, ... below stop along `axis`; negatives count from the end, what lies outside is clamped,
/// as in NumPy. ValueError at construction unless step >= 1.
class Slice : public Module {
 public:
  using Module::forward;
  static constexpr i64 toEnd = std::numeric_limits<i64>::max();
  explicit Slice(int axis, i64 start = 0, i64 stop = toEnd, i64 step = 1);
  Tensor forward(const Tensor& x) override;
  Args args() const override;
  static Slice fromArgs(const Args& a);
  std::string details() const override;

 private:
  int axis_;
  i64 start_, stop_, step_;
};

/// Repeats x as often as `times` says of each axis, of the last ones if they are fewer (as numpy.tile): {2, 3} makes
/// [N, C, H, W] into [N, C, 2H, 3W]. Copies. ValueError at construction for a number below 1; ShapeError where they are
/// more than axes.
class Tile : public Module {
 public:
  using Module::forward;
  explicit Tile(std::vector<i64> times);
  Tensor forward(const Tensor& x) override;
  Args args() const override { return {{"times", times_}}; }
  static Tile fromArgs(const Args& a) { return Tile(a.get<std::vector<i64>>("times")); }
  std::string details() const override { return Value(times_).dump(); }

 private:
  std::vector<i64> times_;
};

/// Converts to another element type. Differentiable between floating types.
class Cast : public Module {
 public:
  using Module::forward;
  explicit Cast(DType dtype) : dtype_(dtype) {}
  Tensor forward(const Tensor& x) override;
  Args args() const override { return {{"dtype", ember::name(dtype_)}}; }
  static Cast fromArgs(const Args& a) { return Cast(dtypeFromName(a.get<std::string>("dtype"))); }
  std::string details() const override { return std::string(ember::name(dtype_)); }

 private:
  DType dtype_;
};

/// Sum along the axes, all if none are named; they stay with size 1 with keepDims. (The sum of several tensors is Add.)
class Sum : public Module {
 public:
  using Module::forward;
  explicit Sum(std::vector<int> axes = {}, bool keepDims = false) : axes_(std::move(axes)), keepDims_(keepDims) {}
  Tensor forward(const Tensor& x) override;
  Args args() const override { return {{"axes", axes_}, {"keepDims", keepDims_}}; }
  static Sum fromArgs(const Args& a) { return Sum(a.get<std::vector<int>>("axes"), a.get<bool>("keepDims")); }
  std::string details() const override;

 private:
  std::vector<int> axes_;
  bool keepDims_;
};

}  // namespace ember::nn
