#pragma once
#include <ember/autograd/Tensor.h>
#include <ember/core/Padding.h>

namespace ember {

/// Options of a transposed convolution: numbers per spatial axis, or one for all.
struct ConvTransposeOptions {
  Sizes stride = 1;         ///< step of the results, at least 1
  Padding padding = 0;      ///< elements cut off before and after each axis, at least 0
  Sizes outputPadding = 0;  ///< elements added behind, below the stride or the dilation: says which of several sizes
  Sizes dilation = 1;       ///< distance of kernel elements, at least 1
  i64 groups = 1;           ///< divides the channels of x
};

/// 1-D transposed convolution: the adjoint of conv1d with the same filters, stride, padding, dilation and groups.
///
///   y[n,k,i] = b[k] + sum over c, p, r with p·stride + r·dilation - padding = i of w[c,k,r] · x[n,c,p]
///
/// x  [N, C, P]           f32 or f64
/// w  [C, K/groups, R]    filters
/// b  [K] or undefined    bias
/// -> [N, K, L]           L = (P - 1)·stride - padding before and after + dilation·(R-1) + outputPadding + 1
///
/// Differentiable any number of times in x, w and b. Throws ShapeError on ranks and channels that do not fit and where
/// nothing would be left, ValueError on options out of range and on Same, DtypeError on mixed types. Source: Dumoulin &
/// Visin 2016, arXiv:1603.07285; semantics as torch.nn.functional.conv_transpose1d.
Tensor convTranspose1d(const Tensor& x, const Tensor& w, const Tensor& b = {}, const ConvTransposeOptions& = {});
/// The same over [N, C, H, W], filters [C, K/groups, R, S].
Tensor convTranspose2d(const Tensor& x, const Tensor& w, const Tensor& b = {}, const ConvTransposeOptions& = {});
/// The same over [N, C, D, H, W], filters [C, K/groups, Q, R, S].
Tensor convTranspose3d(const Tensor& x, const Tensor& w, const Tensor& b = {}, const ConvTransposeOptions& = {});
/// The same with the number of spatial axes (1 to 3) as an argument.
Tensor convTransposeND(int spatial, const Tensor& x, const Tensor& w, const Tensor& b = {},
                       const ConvTransposeOptions& = {});

}  // namespace ember
