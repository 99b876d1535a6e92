#include <ember/autograd/ops/Math.h>

#include <cmath>
#include <numbers>
#include <string>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Comparison.h>
#include <ember/core/Error.h>
#include <ember/core/kernels/Elementwise.h>

namespace ember {

using namespace autograd;

namespace {

template <class Backward>
Tensor elementwise(const char* op, core::Unary kind, const Tensor& x, Backward&& backward,
                   SaveOutputs save = SaveOutputs::No) {
  checkOperands(op, {&x});
  return apply(
      op, {&x}, x.shape(), x.dtype(), [&] { return core::unary(kind, x.array(), op); },
      std::forward<Backward>(backward), save);
}

}  // namespace

Tensor exp(const Tensor& x) {
  return elementwise(
      "exp", core::Unary::Exp, x, [](const BackwardContext& c) { return Tensors{c.grad() * c.output()}; },
      SaveOutputs::Yes);
}

Tensor log(const Tensor& x) {
  return elementwise("log", core::Unary::Log, x,
                     [x = Saved(x)](const BackwardContext& c) { return Tensors{c.grad() / x.get(c)}; });
}

Tensor sqrt(const Tensor& x) {
  return elementwise(
      "sqrt", core::Unary::Sqrt, x, [](const BackwardContext& c) { return Tensors{c.grad() * 0.5 / c.output()}; },
      SaveOutputs::Yes);
}

Tensor square(const Tensor& x) {
  checkOperands("square", {&x});
  return x * x;
}

Tensor abs(const Tensor& x) {
  return elementwise("abs", core::Unary::Abs, x, [x = Saved(x)](const BackwardContext& c) {
    return Tensors{c.grad() * Tensor(core::unary(core::Unary::Sign, x.get(c).array(), "abs"))};
  });
}

Tensor sin(const Tensor& x) {
  return elementwise("sin", core::Unary::Sin, x,
                     [x = Saved(x)](const BackwardContext& c) { return Tensors{c.grad() * cos(x.get(c))}; });
}

Tensor cos(const Tensor& x) {
  return elementwise("cos", core::Unary::Cos, x,
                     [x = Saved(x)](const BackwardContext& c) { return Tensors{-c.grad() * sin(x.get(c))}; });
}

Tensor erf(const Tensor& x) {
  return elementwise("erf", core::Unary::Erf, x, [x = Saved(x)](const BackwardContext& c) {
    const Tensor v = x.get(c);
    return Tensors{c.grad() * exp(-(v * v)) * (2 * std::numbers::inv_sqrtpi)};
  });
}

Tensor pow(const Tensor& x, double exponent) {
  checkOperands("pow", {&x});
  checkFloating("pow", x);
  return apply(
      "pow", {&x}, x.shape(), x.dtype(),
      [&] { return core::binary(core::Binary::Pow, x.array(), core::NDArray::scalar(exponent, x.dtype()), "pow"); },
      [x = Saved(x), exponent](const BackwardContext& c) {
        // x^0 is constant, also at 0, where the formula would give 0·inf.
        if (exponent == 0) return Tensors{c.grad() * 0};
        return Tensors{c.grad() * pow(x.get(c), exponent - 1) * exponent};
      });
}

Tensor clamp(const Tensor& x, double low, double high) {
  checkOperands("clamp", {&x});
  checkFloating("clamp", x);
  if (!(low <= high))
    throw ValueError("clamp", "low is " + std::to_string(low) + " and high " + std::to_string(high), {},
                     "low must not exceed high");
  return apply("clamp", {&x}, x.shape(), x.dtype(), [&] { return core::clamp(x.array(), low, high); },
               [x = Saved(x), low, high](const BackwardContext& c) {
                 const Tensor v = x.get(c).detach();
                 const Tensor inside = (v >= low).to(v.dtype()) * (v <= high).to(v.dtype());
                 return Tensors{c.grad() * inside};
               });
}

}  // namespace ember
