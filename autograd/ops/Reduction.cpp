#include <ember/autograd/ops/Reduction.h>

#include <string>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Comparison.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/Error.h>
#include <ember/core/kernels/Reduce.h>

namespace ember {

using namespace autograd;

namespace {

// A reduced gradient (or value), spread over the shape that was reduced.
Tensor spread(const Tensor& reduced, const Shape& shape, const std::vector<int>& axes) {
  return expand(reshape(reduced, core::reduceShape(shape, axes, true, "reduce")), shape);
}

// Elements that make one of the result, whose own number may be 0.
i64 countOf(const Shape& whole, const std::vector<int>& axes) {
  const Shape kept = core::reduceShape(whole, axes, true, "reduce");
  i64 count = 1;
  for (int i = 0; i < whole.rank(); ++i) {
    if (kept[i] != whole[i]) count *= whole[i];
  }
  return count;
}

Tensor extreme(const char* op, core::Reduction kind, const Tensor& x, const std::vector<int>& axes, bool keepDims) {
  checkOperands(op, {&x});
  const Shape shape = core::reduceShape(x.shape(), axes, keepDims, op);
  return apply(op, {&x}, shape, x.dtype(), [&] { return core::reduce(kind, x.array(), axes, keepDims, op); },
               [x = Saved(x), axes](const BackwardContext& c) {
                 const Tensor v = x.get(c);
                 const Tensor hit = equal(v.detach(), spread(c.output().detach(), v.shape(), axes)).to(v.dtype());
                 return Tensors{spread(c.grad(), v.shape(), axes) * hit / sum(hit, axes, true)};
               },
               SaveOutputs::Yes);
}

}  // namespace

Tensor sum(const Tensor& x, const std::vector<int>& axes, bool keepDims) {
  checkOperands("sum", {&x});
  return apply(
      "sum", {&x}, core::reduceShape(x.shape(), axes, keepDims, "sum"),
      core::reduceDtype(core::Reduction::Sum, x.dtype()),
      [&] { return core::reduce(core::Reduction::Sum, x.array(), axes, keepDims, "sum"); },
      [shape = x.shape(), axes](const BackwardContext& c) { return Tensors{spread(c.grad(), shape, axes)}; });
}

Tensor mean(const Tensor& x, const std::vector<int>& axes, bool keepDims) {
  checkOperands("mean", {&x});
  checkFloating("mean", x);
  return apply("mean", {&x}, core::reduceShape(x.shape(), axes, keepDims, "mean"), x.dtype(),
               [&] { return core::reduce(core::Reduction::Mean, x.array(), axes, keepDims, "mean"); },
               [shape = x.shape(), axes](const BackwardContext& c) {
                 return Tensors{spread(c.grad() / countOf(shape, axes), shape, axes)};
               });
}

Tensor var(const Tensor& x, const std::vector<int>& axes, bool keepDims, int correction) {
  checkOperands("var", {&x});
  checkFloating("var", x);
  (void)core::reduceShape(x.shape(), axes, keepDims, "var");  // its checks, under this name
  const i64 count = countOf(x.shape(), axes);
  if (!x.isShapeOnly() && count - correction <= 0) {
    throw ValueError(
        "var", "a variance over " + std::to_string(count) + " elements with correction " + std::to_string(correction),
        {{"x", toString(x.shape())}}, "reduce more elements, or set correction to 0");
  }
  const Tensor centred = x - mean(x, axes, true);
  return sum(centred * centred, axes, keepDims) / (count - correction);
}

Tensor amax(const Tensor& x, const std::vector<int>& axes, bool keepDims) {
  return extreme("amax", core::Reduction::Max, x, axes, keepDims);
}
Tensor amin(const Tensor& x, const std::vector<int>& axes, bool keepDims) {
  return extreme("amin", core::Reduction::Min, x, axes, keepDims);
}

Tensor argmax(const Tensor& x, int axis, bool keepDims) {
  checkOperands("argmax", {&x});
  axis = normalizeAxis(axis, x.rank(), "argmax");
  return apply(
      "argmax", {&x}, core::reduceShape(x.shape(), {axis}, keepDims, "argmax"), DType::I64,
      [&] { return core::argmax(x.array(), axis, keepDims); }, nullptr);
}

}  // namespace ember
