#include <ember/autograd/ops/Reduction.h>

#include <string>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Comparison.h>
#include <ember/autograd/ops/Cumulative.h>
#include <ember/autograd/ops/Logic.h>
#include <ember/autograd/ops/Math.h>
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

// For each element the product of all others that are reduced with it: those before times those behind, so that no zero
// has to be divided out again. Differentiable any number of times.
Tensor productOfOthers(const Tensor& x, const std::vector<int>& axes) {
  const Shape kept = core::reduceShape(x.shape(), axes, true, "prod");
  std::vector<int> order, back(static_cast<std::size_t>(x.rank()));
  for (const bool reduced : {false, true}) {
    for (int i = 0; i < x.rank(); ++i) {
      if ((kept[i] != x.shape()[i]) != reduced) continue;
      back[static_cast<std::size_t>(i)] = static_cast<int>(order.size());
      order.push_back(i);
    }
  }
  const Tensor turned = permute(x, order), lines = reshape(turned, {numel(kept), countOf(x.shape(), axes)});
  const CumulativeOptions before{.exclusive = true}, behind{.exclusive = true, .reverse = true};
  return permute(reshape(cumprod(lines, 1, before) * cumprod(lines, 1, behind), turned.shape()), back);
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

Tensor prod(const Tensor& x, const std::vector<int>& axes, bool keepDims) {
  checkOperands("prod", {&x});
  return apply(
      "prod", {&x}, core::reduceShape(x.shape(), axes, keepDims, "prod"),
      core::reduceDtype(core::Reduction::Prod, x.dtype()),
      [&] { return core::reduce(core::Reduction::Prod, x.array(), axes, keepDims, "prod"); },
      [x = Saved(x), axes](const BackwardContext& c) {
        const Tensor v = x.get(c);
        return Tensors{spread(c.grad(), v.shape(), axes) * productOfOthers(v, axes)};
      });
}

Tensor logsumexp(const Tensor& x, const std::vector<int>& axes, bool keepDims) {
  constexpr const char* op = "logsumexp";
  checkOperands(op, {&x});
  checkFloating(op, x);
  return apply(
      op, {&x}, core::reduceShape(x.shape(), axes, keepDims, op), x.dtype(),
      [&] {
        const NoGrad off;
        const Tensor value = x.detach(), top = Tensor(core::reduce(core::Reduction::Max, x.array(), axes, true, op));
        const Tensor shift = where(isfinite(top), top, 0);  // infinity - infinity would be NaN
        const Tensor y = log(sum(exp(value - shift), axes, true)) + shift;
        return reshape(y, core::reduceShape(x.shape(), axes, keepDims, op)).array();
      },
      [x = Saved(x), axes](const BackwardContext& c) {
        const Tensor v = x.get(c);
        return Tensors{spread(c.grad(), v.shape(), axes) * exp(v - spread(c.output(), v.shape(), axes))};
      },
      SaveOutputs::Yes);
}

namespace {

Tensor argExtreme(const char* op, decltype(core::argmax)* kernel, const Tensor& x, int axis, bool keepDims,
                  bool lastOfEqual) {
  checkOperands(op, {&x});
  axis = normalizeAxis(axis, x.rank(), op);
  return apply(
      op, {&x}, core::reduceShape(x.shape(), {axis}, keepDims, op), DType::I64,
      [&] { return kernel(x.array(), axis, keepDims, lastOfEqual); }, nullptr);
}

}  // namespace

Tensor argmax(const Tensor& x, int axis, bool keepDims, bool lastOfEqual) {
  return argExtreme("argmax", core::argmax, x, axis, keepDims, lastOfEqual);
}
Tensor argmin(const Tensor& x, int axis, bool keepDims, bool lastOfEqual) {
  return argExtreme("argmin", core::argmin, x, axis, keepDims, lastOfEqual);
}

}  // namespace ember
