#include <ember/autograd/ops/LossRegression.h>

#include <cmath>
#include <limits>
#include <numbers>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Comparison.h>
#include <ember/autograd/ops/LossShared.h>
#include <ember/autograd/ops/Math.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/core/Error.h>

namespace ember {

using namespace autograd;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// delta·(|d| - delta/2) beyond delta, d²/2 before: with c = d cut to [-delta, delta] both are c·(d - c/2), whose first
// and second derivatives are right at 0, too.
Tensor huberOf(const Tensor& d, double delta) {
  const Tensor c = clamp(d, -delta, delta);
  return c * (d - c * 0.5);
}

// t > limit ? f(t) : 0, with no NaN from f below it in value or gradient.
template <class F>
Tensor above(const Tensor& t, double limit, F&& f) {
  const Tensor there = t > limit;
  return loss::masked(there, f(where(there, t, Tensor::full({}, limit + 1, t.dtype()))));
}

}  // namespace

Tensor mse(const Tensor& x, const Tensor& target, const LossOptions& options) {
  loss::checkPair("mse", x, target, options.reduction);
  const Tensor difference = x - target;
  return loss::reduced(difference * difference, options.reduction);
}

Tensor l1(const Tensor& x, const Tensor& target, const LossOptions& options) {
  loss::checkPair("l1", x, target, options.reduction);
  return loss::reduced(abs(x - target), options.reduction);
}

Tensor smoothL1(const Tensor& x, const Tensor& target, const SmoothL1Options& o) {
  constexpr const char* op = "smoothL1";
  loss::require(o.beta >= 0 && std::isfinite(o.beta), op, "beta", o.beta, "0 or more");
  loss::checkPair(op, x, target, o.reduction);
  const Tensor d = x - target;
  return loss::reduced(o.beta == 0 ? abs(d) : huberOf(d, o.beta) / o.beta, o.reduction);
}

Tensor huber(const Tensor& x, const Tensor& target, const HuberOptions& o) {
  constexpr const char* op = "huber";
  loss::require(o.delta > 0 && std::isfinite(o.delta), op, "delta", o.delta, "above 0");
  loss::checkPair(op, x, target, o.reduction);
  return loss::reduced(huberOf(x - target, o.delta), o.reduction);
}

Tensor klDivergence(const Tensor& x, const Tensor& target, const KlDivergenceOptions& o) {
  constexpr const char* op = "klDivergence";
  loss::checkPair(op, x, target, o.reduction);
  if (o.batchMean && o.reduction != Reduction::Mean)
    throw ValueError(op, "batchMean is set beside another reduction", {}, "leave the reduction at Mean");
  if (o.batchMean && x.rank() == 0) throw ShapeError(op, "batchMean needs an axis of samples, x is a scalar");
  const Tensor each = o.logTarget ? exp(target) * (target - x)
                                  : above(target, 0, [](const Tensor& t) { return t * log(t); }) - target * x;
  return o.batchMean ? sum(each) / static_cast<double>(x.size(0)) : loss::reduced(each, o.reduction);
}

Tensor poissonNll(const Tensor& x, const Tensor& target, const PoissonNllOptions& o) {
  constexpr const char* op = "poissonNll";
  loss::require(o.epsilon > 0 && std::isfinite(o.epsilon), op, "epsilon", o.epsilon, "above 0");
  loss::checkPair(op, x, target, o.reduction);
  Tensor each = o.logInput ? exp(x) - target * x : x - target * log(x + o.epsilon);
  if (o.full) {
    each =
        each + above(target, 1, [](const Tensor& t) { return t * log(t) - t + log(t * (2 * std::numbers::pi)) * 0.5; });
  }
  return loss::reduced(each, o.reduction);
}

Tensor gaussianNll(const Tensor& x, const Tensor& target, const Tensor& variance, const GaussianNllOptions& o) {
  constexpr const char* op = "gaussianNll";
  loss::require(o.epsilon > 0 && std::isfinite(o.epsilon), op, "epsilon", o.epsilon, "above 0");
  checkOperands(op, {&x, &target, &variance});
  loss::checkPair(op, x, target, o.reduction);
  loss::checkPair(op, x, variance, o.reduction, "x", "variance");
  loss::checkRange(op, variance, "variance", 0, infinity, "pass exp() or softplus() of what the net gives");
  const Tensor v = clamp(variance, o.epsilon, infinity);
  const Tensor each = (log(v) + square(x - target) / v) * 0.5;
  return loss::reduced(o.full ? each + std::log(2 * std::numbers::pi) / 2 : each, o.reduction);
}

}  // namespace ember
