// Each is one recorded op: its value is put together from other ops without recording, its derivative from
// differentiable ones, so the second derivative comes by itself.
#include <ember/autograd/ops/Smooth.h>

#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Activation.h>
#include <ember/autograd/ops/ActivationChecks.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Comparison.h>
#include <ember/autograd/ops/Math.h>
#include <ember/core/Error.h>

namespace ember {

using namespace autograd;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

template <class Value, class Slope>
Tensor smooth(const char* op, const Tensor& x, const Value& value, Slope slope) {
  checkOperands(op, {&x});
  checkFloating(op, x);
  const auto kernel = [&] {
    const NoGrad guard;
    return value(x).array();
  };
  return apply(op, {&x}, x.shape(), x.dtype(), kernel,
               [x = Saved(x), slope](const BackwardContext& c) { return Tensors{c.grad() * slope(x.get(c))}; });
}

/// x > 0 ? scale·x : scale·alpha·(exp(x·inner) - 1). The exponential is taken of negative numbers only: that of a large
/// one, though not chosen, would make the gradient 0·inf.
Tensor exponentialUnit(const char* op, const Tensor& x, double alpha, double scale, double inner) {
  return smooth(
      op, x,
      [&](const Tensor& v) {
        const Tensor bent = expm1(clamp(v, -infinity, 0) * inner);
        return where(v > 0, v * scale, bent * (alpha * scale));
      },
      [=](const Tensor& v) {
        const Tensor bent = exp(clamp(v, -infinity, 0) * inner) * (alpha * scale * inner);
        return where(v > 0, Tensor::scalar(scale, v.dtype()), bent);
      });
}

}  // namespace

Tensor elu(const Tensor& x, double alpha) {
  checkFinite("elu", "alpha", alpha);
  return exponentialUnit("elu", x, alpha, 1, 1);
}

Tensor selu(const Tensor& x) {
  return exponentialUnit("selu", x, 1.6732632423543772848170429916717, 1.0507009873554804934193349852946, 1);
}

Tensor celu(const Tensor& x, double alpha) {
  checkFinite("celu", "alpha", alpha);
  if (alpha == 0) throw ValueError("celu", "alpha is 0, and x is divided by it");
  return exponentialUnit("celu", x, alpha, 1, 1 / alpha);
}

Tensor mish(const Tensor& x) {
  // Far out on the left mish is 0, where -inf·0 would be NaN; so is, on both sides, what the slope adds to tanh.
  return smooth(
      "mish", x,
      [](const Tensor& v) {
        const Tensor bounded = clamp(v, -1000, infinity);
        return bounded * tanh(softplus(bounded));
      },
      [](const Tensor& v) {
        const Tensor bounded = clamp(v, -1000, 1000), t = tanh(softplus(bounded));
        return t + bounded * sigmoid(bounded) * (1 - t * t);
      });
}

Tensor softplus(const Tensor& x, double beta, double threshold) {
  constexpr const char* op = "softplus";
  checkFinite(op, "beta", beta);
  if (beta == 0) throw ValueError(op, "beta is 0, and the result is divided by it");
  if (std::isnan(threshold)) throw ValueError(op, "threshold is nan", {}, "use infinity for none");
  return smooth(
      op, x,
      [&](const Tensor& v) {
        const Tensor scaled = v * beta;
        return where(scaled > threshold, v, softplus(scaled) / beta);
      },
      [=](const Tensor& v) {
        const Tensor scaled = v * beta;
        return where(scaled > threshold, Tensor::scalar(1, v.dtype()), sigmoid(scaled));
      });
}

Tensor softsign(const Tensor& x) {
  // Finite, so that infinity gives 1 and not inf/inf.
  const auto bounded = [](const Tensor& v) { return clamp(v, -3e38, 3e38); };
  return smooth(
      "softsign", x,
      [&](const Tensor& v) {
        const Tensor b = bounded(v);
        return b / (1 + abs(b));
      },
      [=](const Tensor& v) {
        const Tensor inverse = 1 / (1 + abs(bounded(v)));
        return inverse * inverse;
      });
}

Tensor logSigmoid(const Tensor& x) {
  return smooth(
      "logSigmoid", x, [](const Tensor& v) { return -softplus(-v); }, [](const Tensor& v) { return sigmoid(-v); });
}

Tensor tanhshrink(const Tensor& x) {
  return smooth(
      "tanhshrink", x, [](const Tensor& v) { return v - tanh(v); },
      [](const Tensor& v) {
        const Tensor t = tanh(v);
        return t * t;
      });
}

}  // namespace ember
