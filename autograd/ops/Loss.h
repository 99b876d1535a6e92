#pragma once
#include <ember/autograd/Tensor.h>

/// Losses. Shapes must be equal as stated: nothing broadcasts, so [N, 1] against [N] is an error and not N·N numbers.
/// Reduced over no samples a mean throws ValueError, instead of being NaN.
namespace ember {

/// What becomes of the losses of the samples (or elements).
enum class Reduction : u8 { None, Mean, Sum };

struct CrossEntropyOptions {
  double labelSmoothing = 0;              ///< in [0, 1]: that share of the target is spread evenly over all classes
  Tensor classWeights = {};               ///< [C], a constant; undefined: 1
  i64 ignoreIndex = -100;                 ///< samples with this label do not count
  Reduction reduction = Reduction::Mean;  ///< the mean weighs samples by the weight of their class
};

/// Cross-entropy of class labels.
///
///   loss_i = -(1-e)·w[y_i]·log p[i,y_i] - e/C · sum_c w[c]·log p[i,c],   p = softmax(logits) over the classes
///   mean   = sum_i loss_i / sum_i w[y_i]   over the samples that are not ignored
///
/// logits  [N, C] or [N, C, ...]   f32 or f64, any finite values
/// labels  [N] or [N, ...]         i64 in [0, C) or ignoreIndex
/// -> a scalar, or [N, ...] for Reduction::None (0 where ignored)
///
/// Differentiable any number of times in the logits. Throws ShapeError, DtypeError on what does not fit, ValueError on
/// a label out of range (with its sample) and on a mean over no samples. Source: semantics as
/// torch.nn.functional.cross_entropy.
Tensor crossEntropy(const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& = {});

struct LossOptions {
  Reduction reduction = Reduction::Mean;
};

/// Squared error (x - target)^2. Both of one shape, f32 or f64; differentiable any number of times in both.
Tensor mse(const Tensor& x, const Tensor& target, const LossOptions& = {});

struct BinaryCrossEntropyOptions {
  Tensor posWeight =
      {};  ///< weight of the positive class, broadcast to x (say [C] for [N, C]); a constant. Undefined: 1
  Reduction reduction = Reduction::Mean;
};

/// Binary cross-entropy of logits, stable for any finite x.
///
///   loss = -posWeight·t·log(s) - (1-t)·log(1-s),   s = 1/(1+exp(-x))
///
/// x and target of one shape, f32 or f64, targets in [0, 1]. Differentiable any number of times in both.
Tensor binaryCrossEntropyWithLogits(const Tensor& x, const Tensor& target, const BinaryCrossEntropyOptions& = {});

}  // namespace ember
