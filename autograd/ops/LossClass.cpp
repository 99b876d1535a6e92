#include <ember/autograd/ops/LossClass.h>

#include <cmath>
#include <memory>
#include <string>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Activation.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Comparison.h>
#include <ember/autograd/ops/LossShared.h>
#include <ember/autograd/ops/Math.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/autograd/ops/Softmax.h>
#include <ember/core/Error.h>
#include <ember/core/kernels/CrossEntropy.h>

namespace ember {

using namespace autograd;

namespace {

void checkClassWeights(const char* op, const Tensor& weights) {
  if (!weights.defined()) return;
  checkOperands(op, {&weights});
  checkFloating(op, weights, "classWeights");
  if (weights.requiresGrad()) {
    throw ValueError(op, "classWeights require a gradient, but they are constants here", {},
                     "pass classWeights.detach()");
  }
}

core::ClassTargets targetsOf(const char* op, const Tensor& labels, const Tensor& weights, double smoothing,
                             i64 ignoreIndex) {
  return {labels.impl()->array, weights.defined() ? weights.impl()->array : core::NDArray(), smoothing, ignoreIndex,
          op};
}

// What the backward of crossEntropy needs; labels and weights are tensors of the user, who might overwrite them.
struct CrossEntropyState {
  Saved logits, labels, weights;
  CrossEntropyOptions options;
  core::NDArray logSumExp;
  double factor = 1;  // 1 / the divisor of the mean

  core::ClassTargets targets(const BackwardContext& c) const {
    return targetsOf(c.op(), labels.get(c), weights.get(c), options.labelSmoothing, options.ignoreIndex);
  }
};

Tensors crossEntropyGradient(const CrossEntropyState& state, const BackwardContext& c) {
  const Tensor x = state.logits.get(c), g = c.grad();
  if (!gradEnabled()) {
    return {wrap("crossEntropyBackward",
                 core::crossEntropyBackward(x.array(), state.targets(c), state.logSumExp, g.array(), state.factor))};
  }
  // The same in differentiable ops: q is a constant.
  const Tensor q(core::crossEntropyDistribution(x.array(), state.targets(c)));
  const Tensor each = g.rank() == 0 ? g : unsqueeze(g, 1);
  return {(softmax(x, 1) * sum(q, {1}, true) - q) * (each * state.factor)};
}

// [1, C, 1, ...] beside x [N, C, ...]
Tensor alongClasses(const Tensor& weights, const Tensor& x) {
  Shape shape = Shape::filled(x.rank(), 1);
  shape[1] = x.size(1);
  return reshape(weights.to(x.dtype()), shape);
}

// Against a distribution over the classes in place of a label.
Tensor softCrossEntropy(const char* op, const Tensor& x, const Tensor& target, const CrossEntropyOptions& o) {
  loss::checkPair(op, x, target, o.reduction, "logits", "labels");
  if (o.ignoreIndex != CrossEntropyOptions{}.ignoreIndex) {
    throw ValueError(op, "ignoreIndex is " + std::to_string(o.ignoreIndex) + ", but the labels are distributions", {},
                     "leave it out, or give class indices, as i64");
  }
  Shape each = x.shape();
  each.erase(1);
  core::checkCrossEntropy(
      x.shape(),
      {core::NDArray::shapeOnly(each, DType::I64),
       o.classWeights.defined() ? o.classWeights.impl()->array : core::NDArray(), o.labelSmoothing, o.ignoreIndex, op},
      op);
  Tensor q = target;
  if (o.labelSmoothing > 0) q = q * (1 - o.labelSmoothing) + o.labelSmoothing / static_cast<double>(x.size(1));
  if (o.classWeights.defined()) q = q * alongClasses(o.classWeights, x);
  return loss::reduced(-sum(q * logSoftmax(x, 1), {1}), o.reduction);
}

// The classes of labels, as constants of the type and shape of x: the weight of the label's class where it stands, 0
// elsewhere and where it is ignored.
struct Chosen {
  Tensor weights;
  i64 counted = 0;
};

Chosen chosen(const char* op, const Tensor& x, const Tensor& labels, const Tensor& classWeights, i64 ignoreIndex) {
  checkOperands(op, {&x, &labels});
  checkFloating(op, x);
  checkClassWeights(op, classWeights);
  const core::ClassTargets targets = targetsOf(op, labels, classWeights, 0, ignoreIndex);
  core::checkCrossEntropy(x.shape(), targets, op);
  const Tensor* const operands[] = {&x, &labels};
  if (anyShapeOnly(operands)) return {Tensor::shapeOnly(x.shape(), x.dtype())};
  Chosen result{Tensor(core::crossEntropyDistribution(x.array(), targets))};
  for (const i64 label : labels.toVector<i64>()) result.counted += label != ignoreIndex ? 1 : 0;
  return result;
}

}  // namespace

Tensor crossEntropy(const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& options) {
  constexpr const char* op = "crossEntropy";
  const Tensor& weights = options.classWeights;
  checkOperands(op, {&logits, &labels});
  checkFloating(op, logits, "logits");
  checkClassWeights(op, weights);
  if (isFloating(labels.dtype()) && labels.rank() == logits.rank())
    return softCrossEntropy(op, logits, labels, options);
  const core::ClassTargets targets = targetsOf(op, labels, weights, options.labelSmoothing, options.ignoreIndex);
  core::checkCrossEntropy(logits.shape(), targets, op);
  const bool each = options.reduction == Reduction::None;
  const Tensor* const operands[] = {&logits, &labels};
  const auto state = std::make_shared<CrossEntropyState>();
  return apply(
      op, operands, each ? labels.shape() : Shape{}, logits.dtype(),
      [&] {
        core::CrossEntropyResult result = core::crossEntropy(logits.array(), targets);
        if (options.reduction == Reduction::Mean) {
          if (result.counted == 0)
            loss::throwNoSamples(op, logits.shape(), labels.numel() > 0 ? ": all labels are ignoreIndex" : "");
          if (result.weight == 0) throw ValueError(op, "the class weights of all samples sum to 0");
          state->factor = 1 / result.weight;
        }
        if (needsRecording(operands)) {
          state->logits = Saved(logits);
          state->labels = Saved(labels);
          state->weights = Saved(weights);
          state->options = options;
          state->logSumExp = std::move(result.logSumExp);
        }
        return each ? result.losses.to(logits.dtype())
                    : core::NDArray::scalar(result.total * state->factor, logits.dtype());
      },
      [state](const BackwardContext& c) {
        Tensors gradients = crossEntropyGradient(*state, c);
        gradients.emplace_back();  // labels
        return gradients;
      });
}

Tensor nll(const Tensor& x, const Tensor& labels, const NllOptions& options) {
  constexpr const char* op = "nll";
  const Chosen target = chosen(op, x, labels, options.classWeights, options.ignoreIndex);
  // Masked before the product: the logarithm of another class may be -inf.
  const Tensor each =
      -sum(loss::masked(notEqual(target.weights, Tensor::zeros({}, x.dtype())), x) * target.weights, {1});
  if (options.reduction != Reduction::Mean) return loss::reduced(each, options.reduction);
  if (each.isShapeOnly()) return Tensor::shapeOnly({}, x.dtype());
  if (target.counted == 0)
    loss::throwNoSamples(op, x.shape(), labels.numel() > 0 ? ": all labels are ignoreIndex" : "");
  const double weight = sum(target.weights).item();
  if (weight == 0) throw ValueError(op, "the class weights of all samples sum to 0");
  return sum(each) / weight;
}

Tensor multiMargin(const Tensor& x, const Tensor& labels, const MultiMarginOptions& o) {
  constexpr const char* op = "multiMargin";
  loss::require(o.p == 1 || o.p == 2, op, "p", o.p, "1 or 2");
  loss::require(std::isfinite(o.margin), op, "margin", o.margin, "finite");
  constexpr i64 none = -1;  // nothing is ignored here: a label of -1 is an error as any other
  const auto [own, counted] = chosen(op, x, labels, {}, none);
  if (!own.isShapeOnly() && counted != labels.numel()) {
    throw ValueError(op, "label -1 is outside [0, " + std::to_string(x.size(1)) + ")",
                     {{"labels", toString(labels.shape())}}, "labels count from 0");
  }
  if (o.reduction == Reduction::Mean && labels.numel() == 0) loss::throwNoSamples(op, x.shape());
  const Tensor right = notEqual(own, Tensor::zeros({}, x.dtype()));
  const Tensor gaps = relu(x - sum(loss::masked(right, x), {1}, true) + o.margin) * (1 - own);
  Tensor each = sum(o.p == 1 ? gaps : square(gaps), {1}) / static_cast<double>(x.size(1));
  if (o.classWeights.defined()) each = each * sum(chosen(op, x, labels, o.classWeights, none).weights, {1});
  return loss::reduced(each, o.reduction);
}

}  // namespace ember
