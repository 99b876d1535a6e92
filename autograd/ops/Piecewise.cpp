#include <ember/autograd/ops/Piecewise.h>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/ActivationChecks.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/core/Error.h>

namespace ember {

using namespace autograd;

namespace autograd {

Tensor piecewise(const char* op, const Tensor& x, const core::Pieces& f) {
  checkOperands(op, {&x});
  checkFloating(op, x);
  return apply(
      op, {&x}, x.shape(), x.dtype(), [&] { return core::piecewise(x.array(), f, op); },
      [op, f, x = Saved(x)](const BackwardContext& c) {
        const Tensor v = x.get(c);
        if (!gradEnabled()) return Tensors{Tensor(core::timesPiecewiseSlope(c.grad().array(), v.array(), f, op))};
        return Tensors{c.grad() * piecewise(op, v, f.derivative())};
      });
}

}  // namespace autograd

namespace {

void checkLambda(const char* op, double lambda) {
  checkFinite(op, "lambda", lambda);
  if (lambda < 0) throw ValueError(op, "lambda is " + toText(lambda) + ", must be 0 or more");
}

}  // namespace

Tensor relu6(const Tensor& x) {
  return piecewise("relu6", x, {.low = 0, .high = 6, .inside1 = 1, .above0 = 6, .closed = false});
}

Tensor hardsigmoid(const Tensor& x) {
  return piecewise("hardsigmoid", x,
                   {.low = -3, .high = 3, .inside0 = 0.5, .inside1 = 1.0 / 6, .above0 = 1, .closed = false});
}

Tensor hardswish(const Tensor& x) {
  return piecewise("hardswish", x, {.low = -3, .high = 3, .inside1 = 0.5, .inside2 = 1.0 / 6, .above1 = 1, .closed = false});
}

Tensor hardtanh(const Tensor& x, double min, double max) {
  constexpr const char* op = "hardtanh";
  checkBounds(op, "min", min, "max", max);
  return piecewise(op, x, {.low = min, .high = max, .below0 = min, .inside1 = 1, .above0 = max, .closed = false});
}

Tensor softshrink(const Tensor& x, double lambda) {
  constexpr const char* op = "softshrink";
  checkLambda(op, lambda);
  return piecewise(op, x,
                   {.low = -lambda, .high = lambda, .below0 = lambda, .below1 = 1, .above0 = -lambda, .above1 = 1});
}

Tensor hardshrink(const Tensor& x, double lambda) {
  constexpr const char* op = "hardshrink";
  checkLambda(op, lambda);
  return piecewise(op, x, {.low = -lambda, .high = lambda, .below1 = 1, .above1 = 1});
}

Tensor threshold(const Tensor& x, double threshold, double value) {
  constexpr const char* op = "threshold";
  checkFinite(op, "threshold", threshold);
  checkFinite(op, "value", value);
  return piecewise(op, x, {.low = threshold, .below0 = value, .inside1 = 1, .above1 = 1, .closed = false});
}

}  // namespace ember
