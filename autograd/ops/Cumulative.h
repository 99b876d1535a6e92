#pragma once
#include <ember/autograd/Tensor.h>

/// Running sums and products along an axis. f32, f64 and integers (bool, u8 and i8 give i64); differentiable any number
/// of times, products also where factors are 0. Semantics as numpy.cumsum; the options are those of ONNX CumSum.
namespace ember {

struct CumulativeOptions {
  bool exclusive = false;  ///< element i is not in its own sum (product): the first is 0 (1)
  bool reverse = false;    ///< from the last element to the first
};

/// y[i] = x[0] + ... + x[i]; floats accumulate in f64.
Tensor cumsum(const Tensor& x, int axis = -1, const CumulativeOptions& options = {});
/// y[i] = x[0] · ... · x[i]. Computed in log2(n) passes over all n elements of the axis.
Tensor cumprod(const Tensor& x, int axis = -1, const CumulativeOptions& options = {});

}  // namespace ember
