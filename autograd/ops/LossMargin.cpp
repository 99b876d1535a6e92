#include <ember/autograd/ops/LossMargin.h>

#include <cmath>
#include <limits>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Activation.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Comparison.h>
#include <ember/autograd/ops/LossShared.h>
#include <ember/autograd/ops/Math.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/core/Error.h>

namespace ember {

using namespace autograd;

namespace {

void checkTarget(const char* op, const Tensor& target) {
  if (target.requiresGrad())
    throw ValueError(op, "target requires a gradient, but it is a constant here", {}, "pass target.detach()");
  loss::checkSigns(op, target);
}

void checkMargin(const char* op, double margin) {
  loss::require(std::isfinite(margin), op, "margin", margin, "finite");
}

Tensor cosine(const Tensor& a, const Tensor& b, int axis, double epsilon) {
  const Tensor norms = sum(square(a), {axis}) * sum(square(b), {axis});
  return sum(a * b, {axis}) / sqrt(clamp(norms, epsilon * epsilon, std::numeric_limits<double>::infinity()));
}

}  // namespace

Tensor hingeEmbedding(const Tensor& x, const Tensor& target, const HingeOptions& o) {
  constexpr const char* op = "hingeEmbedding";
  checkMargin(op, o.margin);
  loss::checkPair(op, x, target, o.reduction);
  checkTarget(op, target);
  return loss::reduced(where(target > 0, x, relu(o.margin - x)), o.reduction);
}

Tensor softMargin(const Tensor& x, const Tensor& target, const LossOptions& o) {
  constexpr const char* op = "softMargin";
  loss::checkPair(op, x, target, o.reduction);
  checkTarget(op, target);
  return loss::reduced(softplus(-target * x), o.reduction);
}

Tensor marginRanking(const Tensor& a, const Tensor& b, const Tensor& target, const MarginOptions& o) {
  constexpr const char* op = "marginRanking";
  checkMargin(op, o.margin);
  checkOperands(op, {&a, &b, &target});
  loss::checkPair(op, a, b, o.reduction, "a", "b");
  loss::checkPair(op, a, target, o.reduction, "a", "target");
  checkTarget(op, target);
  return loss::reduced(relu(o.margin - target * (a - b)), o.reduction);
}

Tensor cosineSimilarity(const Tensor& a, const Tensor& b, int axis, double epsilon) {
  constexpr const char* op = "cosineSimilarity";
  loss::require(epsilon > 0 && std::isfinite(epsilon), op, "epsilon", epsilon, "above 0");
  loss::checkPair(op, a, b, Reduction::None, "a", "b");
  return cosine(a, b, normalizeAxis(axis, a.rank(), op), epsilon);
}

Tensor cosineEmbedding(const Tensor& a, const Tensor& b, const Tensor& target, const MarginOptions& o) {
  constexpr const char* op = "cosineEmbedding";
  loss::require(o.margin >= -1 && o.margin <= 1, op, "margin", o.margin, "in [-1, 1]");
  checkOperands(op, {&a, &b, &target});
  loss::checkPair(op, a, b, Reduction::None, "a", "b");
  if (a.rank() != 2) throw ShapeError(op, "a is " + toString(a.shape()) + ", expected [N, D]");
  checkSameDtype(op, a, target, "a", "target");
  if (target.shape() != Shape{a.size(0)}) {
    throw ShapeError(op, "target is " + toString(target.shape()) + ", a " + toString(a.shape()) + " needs " +
                             toString(Shape{a.size(0)}));
  }
  if (o.reduction == Reduction::Mean && a.size(0) == 0) loss::throwNoSamples(op, a.shape());
  checkTarget(op, target);
  const Tensor similar = cosine(a, b, 1, 1e-8);
  return loss::reduced(where(target > 0, 1 - similar, relu(similar - o.margin)), o.reduction);
}

}  // namespace ember
