#pragma once
#include <ember/autograd/Tensor.h>

/// Order along an axis. Stable: equal elements keep their order, whichever way it goes; NaN is larger than every
/// number, so it comes last in rising and first in falling order. Any type; values are differentiable any number of
/// times (each gets the gradient of the place that it went to), indices (i64) not. Semantics as in PyTorch.
namespace ember {

struct Sorted {
  Tensor values;
  Tensor indices;  ///< values = gather(x, axis, indices)
};

Sorted sort(const Tensor& x, int axis = -1, bool descending = false);
Tensor argsort(const Tensor& x, int axis = -1, bool descending = false);
/// The `count` largest (smallest) elements, in that order. ValueError if there are fewer.
Sorted topk(const Tensor& x, i64 count, int axis = -1, bool largest = true);

}  // namespace ember
