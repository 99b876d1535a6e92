#include <ember/autograd/ops/LossBinary.h>

#include <cmath>

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

void checkBinary(const char* op, const Tensor& x, const Tensor& target, const BinaryCrossEntropyOptions& o) {
  loss::checkPair(op, x, target, o.reduction);
  if (o.posWeight.defined()) loss::checkWeight(op, x, o.posWeight, "posWeight");
  if (o.weight.defined()) loss::checkWeight(op, x, o.weight, "weight");
}

// From -log s and -log(1-s).
Tensor binaryLoss(const Tensor& ofOnes, const Tensor& ofZeros, const Tensor& target,
                  const BinaryCrossEntropyOptions& o) {
  Tensor positive = target * ofOnes;
  if (o.posWeight.defined()) positive = positive * o.posWeight;
  const Tensor each = positive + (1 - target) * ofZeros;
  return loss::reduced(o.weight.defined() ? each * o.weight : each, o.reduction);
}

// -max(log p, -100), whose gradient is 0 where p is 0, and not NaN; a NaN of p stays.
Tensor cutLogarithm(const Tensor& p) {
  const Tensor zero = Tensor::zeros({}, p.dtype()), positive = p != zero;
  const Tensor logarithm = clamp(log(where(positive, p, Tensor::ones({}, p.dtype()))), -100, 0);
  return where(positive, -logarithm, Tensor::full({}, 100, p.dtype()));
}

}  // namespace

// With softplus(x) = log(1 + exp(x)): -log s = softplus(-x) and -log(1-s) = softplus(x), both exact at either end.
Tensor binaryCrossEntropyWithLogits(const Tensor& x, const Tensor& target, const BinaryCrossEntropyOptions& options) {
  checkBinary("binaryCrossEntropyWithLogits", x, target, options);
  return binaryLoss(softplus(-x), softplus(x), target, options);
}

Tensor binaryCrossEntropy(const Tensor& x, const Tensor& target, const BinaryCrossEntropyOptions& options) {
  constexpr const char* op = "binaryCrossEntropy";
  checkBinary(op, x, target, options);
  loss::checkRange(op, x, "x", 0, 1, "pass sigmoid(logits), or the logits to binaryCrossEntropyWithLogits");
  return binaryLoss(cutLogarithm(x), cutLogarithm(1 - x), target, options);
}

// (1-s)^gamma = exp(-gamma·softplus(x)) and s^gamma = exp(-gamma·softplus(-x)): with all derivatives finite at either
// end, whatever gamma.
Tensor focal(const Tensor& x, const Tensor& target, const FocalOptions& o) {
  constexpr const char* op = "focal";
  loss::require(o.gamma >= 0 && std::isfinite(o.gamma), op, "gamma", o.gamma, "0 or more");
  loss::require(o.alpha >= 0 && o.alpha <= 1, op, "alpha", o.alpha, "in [0, 1]");
  loss::checkPair(op, x, target, o.reduction);
  const Tensor ofOnes = softplus(-x), ofZeros = softplus(x);
  const Tensor positive = target * ofOnes * exp(ofZeros * -o.gamma) * o.alpha;
  const Tensor negative = (1 - target) * ofZeros * exp(ofOnes * -o.gamma) * (1 - o.alpha);
  return loss::reduced(positive + negative, o.reduction);
}

Tensor dice(const Tensor& x, const Tensor& target, const DiceOptions& o) {
  constexpr const char* op = "dice";
  loss::require(o.smooth > 0 && std::isfinite(o.smooth), op, "smooth", o.smooth, "above 0");
  loss::checkPair(op, x, target, o.reduction);
  const int rank = x.rank();
  if (rank < 3) {
    throw ShapeError(op, "x is " + toString(x.shape()) + ", expected [N, C, ...] with places", {},
                     "reshape one mask of n places to [1, 1, n]");
  }
  std::vector<int> places;
  i64 count = 1;
  for (int axis = 2; axis < rank; ++axis) {
    places.push_back(axis);
    count *= x.size(axis);
  }
  if (count == 0) throw ShapeError(op, "x is " + toString(x.shape()) + ": a mask of 0 places");
  const Tensor below = o.squared ? square(x) + square(target) : x + target;
  const Tensor overlap = (sum(x * target, places) * 2 + o.smooth) / (sum(below, places) + o.smooth);
  return loss::reduced(1 - overlap, o.reduction);
}

}  // namespace ember
