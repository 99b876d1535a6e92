#pragma once
#include <ember/autograd/ops/LossOptions.h>

/// Losses of classes: one label, or one distribution, for each sample.
namespace ember {

struct CrossEntropyOptions {
  double labelSmoothing = 0;              ///< in [0, 1]: that share of the target is spread evenly over all classes
  Tensor classWeights = {};               ///< [C], a constant; undefined: 1
  i64 ignoreIndex = -100;                 ///< samples with this label do not count
  Reduction reduction = Reduction::Mean;  ///< the mean weighs samples by the weight of their class
};

/// Cross-entropy of class labels, or of distributions over the classes.
///
///   loss_i = -(1-e)·w[y_i]·log p[i,y_i] - e/C · sum_c w[c]·log p[i,c],   p = softmax(logits) over the classes
///   mean   = sum_i loss_i / sum_i w[y_i]   over the samples that are not ignored
///
/// or, with a distribution q over the classes for each sample (soft labels, mixtures of two samples):
///
///   loss_i = - sum_c w[c]·((1-e)·q[i,c] + e/C)·log p[i,c],   mean = sum_i loss_i / number of samples
///
/// logits  [N, C] or [N, C, ...]   f32 or f64, any finite values
/// labels  [N] or [N, ...]         i64 in [0, C) or ignoreIndex; or distributions of logits' shape and type
/// -> a scalar, or [N, ...] for Reduction::None (0 where ignored)
///
/// Differentiable any number of times in the logits and in distributions. Throws ShapeError, DtypeError on what does
/// not fit, ValueError on a label out of range (with its sample), on an ignoreIndex beside distributions, which have
/// none, and on a mean over no samples. Source: semantics as torch.nn.functional.cross_entropy.
Tensor crossEntropy(const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& = {});

struct NllOptions {
  Tensor classWeights = {};               ///< [C], a constant; undefined: 1
  i64 ignoreIndex = -100;                 ///< samples with this label do not count
  Reduction reduction = Reduction::Mean;  ///< the mean weighs samples by the weight of their class
};

/// Negative log-likelihood of class labels: crossEntropy() for who has logarithms of probabilities already.
///
///   loss_i = -w[y_i]·x[i,y_i],   mean = sum_i loss_i / sum_i w[y_i]   over the samples that are not ignored
///
/// x       [N, C] or [N, C, ...]   log probabilities, f32 or f64; -inf where a class is impossible
/// labels  [N] or [N, ...]         i64 in [0, C) or ignoreIndex
/// -> a scalar, or [N, ...] for Reduction::None (0 where ignored)
///
/// Differentiable any number of times in x. Errors as crossEntropy. Source: semantics as torch.nn.functional.nll_loss.
Tensor nll(const Tensor& x, const Tensor& labels, const NllOptions& = {});

struct MultiMarginOptions {
  int p = 1;                              ///< 1 or 2
  double margin = 1;                      ///< finite
  Tensor classWeights = {};               ///< [C], a constant; undefined: 1
  Reduction reduction = Reduction::Mean;  ///< the mean divides by the number of samples, whatever the weights
};

/// Multi-class hinge loss: every wrong class must score `margin` below the right one.
///
///   loss_i = w[y_i]/C · sum_{c != y_i} max(0, margin - x[i,y_i] + x[i,c])^p
///
/// x       [N, C] or [N, C, ...]   scores, f32 or f64
/// labels  [N] or [N, ...]         i64 in [0, C)
/// -> a scalar, or [N, ...] for Reduction::None
///
/// Differentiable any number of times in x. Errors as crossEntropy. Source: Crammer & Singer 2001 (p = 1); semantics as
/// torch.nn.functional.multi_margin_loss.
Tensor multiMargin(const Tensor& x, const Tensor& labels, const MultiMarginOptions& = {});

}  // namespace ember
