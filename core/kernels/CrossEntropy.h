#pragma once
#include <ember/core/NDArray.h>

/// Cross-entropy of class labels, fused with the softmax. With p = softmax(x) over axis 1, C classes, label y and
/// smoothing e, the loss of a sample is the cross-entropy of p and the target distribution q, weighted by class:
///
///   loss = -sum_c q_c · log p_c,     q_c = (1-e)·w_y·[c = y] + e/C · w_c,     q = 0 if y is ignored
///
/// Sums run in f64, samples in a fixed order.
namespace ember::core {

struct ClassTargets {
  NDArray labels;        ///< i64: the shape of x without axis 1
  NDArray weights;       ///< [C], f32 or f64; undefined: 1
  double smoothing = 0;  ///< e
  i64 ignoreIndex = -100;
  const char* op = "crossEntropy";  ///< stands in errors about labels
};

/// Throws ShapeError, DtypeError unless x and the targets fit together (their values apart).
void checkCrossEntropy(const Shape& x, const ClassTargets&, const char* op);

struct CrossEntropyResult {
  NDArray losses;     ///< f64, shape of the labels; 0 where ignored
  NDArray logSumExp;  ///< f64, shape of the labels: log sum_c exp(x_c)
  double total = 0;   ///< sum of the losses
  double weight = 0;  ///< sum of w_y over the samples that are not ignored
  i64 counted = 0;    ///< how many those are
};
/// x [N, C, ...], f32 or f64. Throws ValueError on a label that is neither a class nor ignored, with its place.
CrossEntropyResult crossEntropy(const NDArray& x, const ClassTargets&);

/// factor · g · d(losses)/dx = factor · g · (p · sum(q) - q); g is one number or one for each label, of x's type.
NDArray crossEntropyBackward(const NDArray& x, const ClassTargets&, const NDArray& logSumExp, const NDArray& g,
                             double factor);

/// q, in the shape and type of x.
NDArray crossEntropyDistribution(const NDArray& x, const ClassTargets&);

}  // namespace ember::core
