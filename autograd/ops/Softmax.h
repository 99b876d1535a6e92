#pragma once
#include <ember/autograd/Tensor.h>

namespace ember {

/// exp(x) / sum(exp(x)) along `axis`, shifted by the maximum so that nothing overflows. x f32 or f64, any shape; shape
/// kept. Differentiable any number of times. ShapeError for an axis out of range.
Tensor softmax(const Tensor& x, int axis);
/// log(softmax(x)) along `axis`, exact where softmax itself would round to 0.
Tensor logSoftmax(const Tensor& x, int axis);

}  // namespace ember
