#pragma once
#include <vector>

#include <ember/nn/Module.h>

/// Layers of several inputs or outputs: what stands where branches of a net meet or part. Called with Tensors, or as a
/// node of a Graph, or between other such layers in a Sequential. StateError for another number of inputs.
namespace ember::nn {

/// Joins tensors along an axis that they have: [N, C1, ...], [N, C2, ...] -> [N, C1 + C2, ...] by default. ShapeError
/// unless all other axes agree.
class Concat : public Module {
 public:
  using Module::forward;
  explicit Concat(int axis = 1) : axis_(axis) {}
  Tensors forward(const Tensors& inputs) override;
  Args args() const override { return {{"axis", axis_}}; }
  static Concat fromArgs(const Args& a) { return Concat(a.get<int>("axis")); }
  std::string details() const override { return "axis " + std::to_string(axis_); }

 private:
  int axis_;
};

struct SplitOptions {
  i64 parts = 0;                ///< equal ones; or
  std::vector<i64> sizes = {};  ///< of each part, 1 or more; their sum is the length of the axis
  int axis = 1;
};

/// Cuts a tensor along an axis: what Concat joins. The parts are views. ValueError at construction unless either parts
/// or sizes are given; ShapeError where the axis has another length.
class Split : public Module {
 public:
  using Module::forward;
  explicit Split(SplitOptions options);
  Tensors forward(const Tensors& inputs) override;
  Args args() const override;
  static Split fromArgs(const Args& a);
  std::string details() const override;

 private:
  SplitOptions options_;
};

/// Sum of one tensor or more, element by element, with NumPy's broadcasting.
class Add : public Module {
 public:
  using Module::forward;
  Tensors forward(const Tensors& inputs) override;
  static Add fromArgs(const Args&) { return Add(); }
};

/// Product of one tensor or more, element by element, with NumPy's broadcasting.
class Mul : public Module {
 public:
  using Module::forward;
  Tensors forward(const Tensors& inputs) override;
  static Mul fromArgs(const Args&) { return Mul(); }
};

/// One tensor several times; nothing is copied. ValueError at construction unless times is 1 to 4096.
class Replicate : public Module {
 public:
  using Module::forward;
  explicit Replicate(i64 times);
  Tensors forward(const Tensors& inputs) override;
  Args args() const override { return {{"times", times_}}; }
  static Replicate fromArgs(const Args& a) { return Replicate(a.get<i64>("times")); }
  std::string details() const override { return std::to_string(times_); }

 private:
  i64 times_;
};

}  // namespace ember::nn
