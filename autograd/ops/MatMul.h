#pragma once
#include <ember/autograd/Tensor.h>
#include <ember/autograd/ops/Act.h>

namespace ember {

/// Matrix product over the last two axes; the axes before them broadcast. Operands of rank 1 are a row (a) or a column
/// (b) whose axis disappears from the result, as in NumPy.
///
///   y[..., m, n] = sum_k a[..., m, k] · b[..., k, n]
///
/// a  [..., M, K]   f32 or f64
/// b  [..., K, N]   of the same type
///
/// Differentiable any number of times in a and b. Throws ShapeError where sizes do not fit, DtypeError on mixed types.
Tensor matmul(const Tensor& a, const Tensor& b);

/// Fully connected layer: y = act(x · w^T + b).
///
/// x  [..., in]            f32 or f64; axes before the last count as samples
/// w  [out, in]            weights
/// b  [out] or undefined   bias
/// -> [..., out]
///
/// Differentiable any number of times in x, w and b. Throws ShapeError where sizes do not fit, DtypeError on mixed
/// types.
Tensor linear(const Tensor& x, const Tensor& w, const Tensor& b = {}, Act act = Act::None, double slope = 0.01);

}  // namespace ember
