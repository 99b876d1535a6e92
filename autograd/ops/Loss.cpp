#include <ember/autograd/ops/Loss.h>

#include <memory>
#include <string>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Activation.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/autograd/ops/Softmax.h>
#include <ember/core/Error.h>
#include <ember/core/kernels/CrossEntropy.h>

namespace ember {

using namespace autograd;

namespace {

[[noreturn]] void throwNoSamples(const char* op, const Shape& shape, const std::string& why) {
  throw ValueError(op, "mean over 0 samples" + why, {{"input", toString(shape)}},
                   "skip empty batches, or reduce with Sum");
}

void checkPair(const char* op, const Tensor& x, const Tensor& target, Reduction reduction) {
  checkOperands(op, {&x, &target});
  checkFloating(op, x);
  checkSameDtype(op, x, target, "x", "target");
  if (x.shape() != target.shape()) {
    throw ShapeError(op, "x is " + toString(x.shape()) + ", target is " + toString(target.shape()), {},
                     "a loss never broadcasts: reshape one of them to the shape of the other");
  }
  if (reduction == Reduction::Mean && x.numel() == 0) throwNoSamples(op, x.shape(), "");
}

Tensor reduced(const Tensor& losses, Reduction reduction) {
  if (reduction == Reduction::None) return losses;
  return reduction == Reduction::Mean ? mean(losses) : sum(losses);
}

// What the backward of crossEntropy needs; labels and weights are tensors of the user, who might overwrite them.
struct CrossEntropyState {
  Saved logits, labels, weights;
  CrossEntropyOptions options;
  core::NDArray logSumExp;
  double factor = 1;  // 1 / the divisor of the mean

  core::ClassTargets targets(const BackwardContext& c) const {
    const Tensor w = weights.get(c);
    return {labels.get(c).array(), w.defined() ? w.array() : core::NDArray(), options.labelSmoothing,
            options.ignoreIndex};
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

}  // namespace

Tensor crossEntropy(const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& options) {
  constexpr const char* op = "crossEntropy";
  const Tensor& weights = options.classWeights;
  checkOperands(op, {&logits, &labels, weights.defined() ? &weights : nullptr});
  checkFloating(op, logits, "logits");
  if (weights.defined()) {
    checkFloating(op, weights, "classWeights");
    if (weights.requiresGrad()) {
      throw ValueError(op, "classWeights require a gradient, but they are constants here", {},
                       "pass classWeights.detach()");
    }
  }
  const core::ClassTargets targets{labels.impl()->array, weights.defined() ? weights.impl()->array : core::NDArray(),
                                   options.labelSmoothing, options.ignoreIndex};
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
            throwNoSamples(op, logits.shape(), labels.numel() > 0 ? ": all labels are ignoreIndex" : "");
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

Tensor mse(const Tensor& x, const Tensor& target, const LossOptions& options) {
  checkPair("mse", x, target, options.reduction);
  const Tensor difference = x - target;
  return reduced(difference * difference, options.reduction);
}

// With softplus(x) = log(1 + exp(x)): -log s = softplus(-x) and -log(1-s) = softplus(x), both exact at either end.
Tensor binaryCrossEntropyWithLogits(const Tensor& x, const Tensor& target, const BinaryCrossEntropyOptions& options) {
  constexpr const char* op = "binaryCrossEntropyWithLogits";
  checkPair(op, x, target, options.reduction);
  Tensor positive = target * softplus(-x);
  if (const Tensor& weight = options.posWeight; weight.defined()) {
    checkSameDtype(op, x, weight, "x", "posWeight");
    if (broadcastShapes(x.shape(), weight.shape(), op) != x.shape()) {
      throw ShapeError(op, "posWeight " + toString(weight.shape()) + " does not fit x " + toString(x.shape()), {},
                       "give one weight a class");
    }
    positive = positive * weight;
  }
  return reduced(positive + (1 - target) * softplus(x), options.reduction);
}

}  // namespace ember
