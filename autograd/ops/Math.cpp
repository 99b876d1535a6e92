#include <ember/autograd/ops/Math.h>

#include <cmath>
#include <numbers>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/ActivationChecks.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Comparison.h>
#include <ember/autograd/ops/LibraryFunction.h>
#include <ember/autograd/ops/Piecewise.h>
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

Tensor expm1(const Tensor& x) {
  const auto backward = [](const BackwardContext& c) { return Tensors{c.grad() * (c.output() + 1)}; };
  return elementwise("expm1", core::Unary::Expm1, x, backward, SaveOutputs::Yes);
}

Tensor log1p(const Tensor& x) {
  return elementwise("log1p", core::Unary::Log1p, x,
                     [x = Saved(x)](const BackwardContext& c) { return Tensors{c.grad() / (x.get(c) + 1)}; });
}

Tensor log2(const Tensor& x) {
  return libraryFunction("log2", std::log2, std::log2, x,
                         [](const Tensor& g, const Tensor& v) { return g / (v * std::numbers::ln2); });
}

Tensor rsqrt(const Tensor& x) {
  const auto backward = [](const BackwardContext& c) {
    const Tensor y = c.output();
    return Tensors{c.grad() * -0.5 * y * y * y};
  };
  return elementwise("rsqrt", core::Unary::Rsqrt, x, backward, SaveOutputs::Yes);
}

Tensor reciprocal(const Tensor& x) {
  const auto backward = [](const BackwardContext& c) {
    const Tensor y = c.output();
    return Tensors{-c.grad() * y * y};
  };
  return elementwise("reciprocal", core::Unary::Reciprocal, x, backward, SaveOutputs::Yes);
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

Tensor pow(const Tensor& base, const Tensor& exponent) {
  checkOperands("pow", {&base, &exponent});
  checkSameDtype("pow", base, exponent, "base", "exponent");
  return apply(
      "pow", {&base, &exponent}, broadcastShapes(base.shape(), exponent.shape(), "pow"), base.dtype(),
      [&] { return core::binary(core::Binary::Pow, base.array(), exponent.array(), "pow"); },
      [base = Saved(base), exponent = Saved(exponent)](const BackwardContext& c) {
        const Tensor a = base.get(c), b = exponent.get(c), zero = Tensor::zeros({}, a.dtype());
        Tensors result(2);
        // a^0 is constant, also at 0, where the formula would give 0·inf.
        if (c.needs(0)) result[0] = sumTo(c.grad() * where(equal(b, zero), zero, b * pow(a, b - 1)), a.shape());
        if (c.needs(1)) {
          // 0^b is constant where b >= 0; the logarithm of 1 stands in for that of 0.
          const Tensor flat = where(greaterEqual(b, zero), equal(a, zero), Tensor::zeros({}, DType::Bool));
          result[1] = sumTo(c.grad() * pow(a, b) * log(where(flat, Tensor::ones({}, a.dtype()), a)), b.shape());
        }
        return result;
      });
}

Tensor pow(double base, const Tensor& exponent) { return pow(beside("pow", exponent, base), exponent); }

Tensor clamp(const Tensor& x, double low, double high) {
  checkOperands("clamp", {&x});
  checkBounds("clamp", "low", low, "high", high);
  if (isFloating(x.dtype()))
    return piecewise("clamp", x, {.low = low, .high = high, .below0 = low, .inside1 = 1, .above0 = high});
  if (std::isfinite(low)) checkFits("clamp", low, x.dtype());
  if (std::isfinite(high)) checkFits("clamp", high, x.dtype());
  return apply("clamp", {&x}, x.shape(), x.dtype(), [&] { return core::clamp(x.array(), low, high); }, nullptr);
}

}  // namespace ember
