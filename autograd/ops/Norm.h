#pragma once
#include <vector>

#include <ember/autograd/Tensor.h>

namespace ember {

/// p-norm over `axes` (empty: all; negatives from the end).
///
///   (sum |x|^p)^(1/p);  p = infinity: max |x|;  -infinity: min |x|;  0: the number of elements that are not 0
///
/// x f32 or f64. Differentiable any number of times where the norm is, for p = 0 never; the gradient is 0 at x = 0, and
/// equal extremes share it. ValueError if p is NaN, and for the infinite ones over 0 elements. Semantics as torch.norm.
Tensor norm(const Tensor& x, double p = 2, const std::vector<int>& axes = {}, bool keepDims = false);

}  // namespace ember
