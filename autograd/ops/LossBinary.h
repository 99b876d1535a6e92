#pragma once
#include <ember/autograd/ops/LossOptions.h>

/// Losses of independent yes-or-no decisions, of one probability or logit each.
namespace ember {

struct BinaryCrossEntropyOptions {
  Tensor posWeight =
      {};  ///< weight of the positive class, broadcast to x (say [C] for [N, C]); a constant. Undefined: 1
  Reduction reduction = Reduction::Mean;  ///< the mean divides by the number of elements, whatever the weights
  Tensor weight = {};  ///< of each element's loss, broadcast to x (say [N, 1] for [N, C]); a constant. Undefined: 1
};

/// Binary cross-entropy of logits, stable for any finite x.
///
///   loss = weight·(-posWeight·t·log(s) - (1-t)·log(1-s)),   s = 1/(1+exp(-x))
///
/// x and target of one shape, f32 or f64, targets in [0, 1]. Differentiable any number of times in both. Source:
/// semantics as torch.nn.functional.binary_cross_entropy_with_logits.
Tensor binaryCrossEntropyWithLogits(const Tensor& x, const Tensor& target, const BinaryCrossEntropyOptions& = {});

/// Binary cross-entropy of probabilities; of logits, binaryCrossEntropyWithLogits() is the more exact.
///
///   loss = weight·(-posWeight·t·max(log x, -100) - (1-t)·max(log(1-x), -100))
///
/// x and target of one shape, f32 or f64, both in [0, 1]. Differentiable any number of times in both; where a logarithm
/// is cut off at -100, it has gradient 0. Throws ValueError if x leaves [0, 1]. Source: semantics as
/// torch.nn.functional.binary_cross_entropy.
Tensor binaryCrossEntropy(const Tensor& x, const Tensor& target, const BinaryCrossEntropyOptions& = {});

struct FocalOptions {
  double gamma = 2;     ///< 0 or more: how much less an element counts that is right already; 0: cross-entropy
  double alpha = 0.25;  ///< in [0, 1]: weight of the positive class; the negative one has 1 - alpha
  Reduction reduction = Reduction::Mean;
};

/// Focal loss of logits, for classes of very different frequency; stable for any finite x.
///
///   loss = -alpha·t·(1-s)^gamma·log(s) - (1-alpha)·(1-t)·s^gamma·log(1-s),   s = 1/(1+exp(-x))
///
/// x and target of one shape, f32 or f64, targets 0 or 1 (a target between mixes the two losses in that proportion).
/// Differentiable any number of times in both. Source: Lin et al. 2017, arXiv:1708.02002, equation 5 (alpha-balanced);
/// values as torchvision.ops.sigmoid_focal_loss.
Tensor focal(const Tensor& x, const Tensor& target, const FocalOptions& = {});

struct DiceOptions {
  double smooth = 1e-5;  ///< above 0: added above and below the line, so that empty against empty is a loss of 0
  bool squared = true;   ///< squares below the line (Milletari); false: the values themselves (Sørensen's coefficient)
  Reduction reduction = Reduction::Mean;
};

/// Dice loss, 1 - overlap of two masks: for pictures of which most is background.
///
///   loss[n,c] = 1 - (2·sum x·t + smooth) / (sum x² + sum t² + smooth)     sums over the places d of x[n,c,d]
///
/// x       [N, C, ...]   probabilities in [0, 1], at least one axis of places; f32 or f64
/// target  [N, C, ...]   0 or 1, or anything between
/// -> a scalar, or [N, C] for Reduction::None
///
/// Differentiable any number of times in both. Throws ShapeError below rank 3 and without places. Source: Milletari,
/// Navab & Ahmadi 2016, arXiv:1606.04797, section 3, with `smooth` added.
Tensor dice(const Tensor& x, const Tensor& target, const DiceOptions& = {});

}  // namespace ember
