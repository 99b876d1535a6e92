#pragma once
#include <ember/autograd/Tensor.h>
#include <ember/core/Padding.h>

namespace ember {

/// Options of pooling: numbers per spatial axis, or one for all.
struct PoolOptions {
  Sizes kernel = 2;             ///< elements of a window, at least 1
  Sizes stride = {};            ///< unset: the kernel, so windows do not overlap
  Padding padding = 0;          ///< at most half the kernel, or Same; never the maximum, zeros for the mean
  Sizes dilation = 1;           ///< maximum only: distance of a window's elements, at least 1
  bool ceilMode = false;        ///< whether a last window may reach beyond the end; it begins in the input or before
  bool countIncludePad = true;  ///< mean only: whether padding counts in the divisor
  i64 divisorOverride = 0;      ///< mean only: if not 0, the divisor
};

/// Largest element of each window.
///
///   y[n,c,p] = max_r x[n,c, p·stride + r·dilation - padding]
///
/// x  [N, C, L] (1d), [N, C, H, W] (2d), [N, C, D, H, W] (3d)   f32 or f64
/// -> [N, C, P...]   P = floor((L + padding on both sides - dilation·(kernel-1) - 1) / stride) + 1, ceil in ceil mode
///
/// NaN wins; of equal elements the first takes the gradient. Differentiable any number of times.
/// Throws ShapeError if x has another rank, a result would be empty or a window have no element in x, ValueError on
/// options out of range. Source: semantics as torch.nn.functional.max_pool2d.
Tensor maxPool1d(const Tensor& x, const PoolOptions& = {});
Tensor maxPool2d(const Tensor& x, const PoolOptions& = {});
Tensor maxPool3d(const Tensor& x, const PoolOptions& = {});
Tensor maxPoolND(int spatial, const Tensor& x, const PoolOptions& = {});

/// A maximum and where it stood: i64, shape of y, counted row-major over the spatial axes of the input.
struct PoolWithIndices {
  Tensor y, indices;
};
/// maxPool1d() to maxPool3d() with the places of the maxima, for maxUnpool1d() to maxUnpool3d().
PoolWithIndices maxPool1dWithIndices(const Tensor& x, const PoolOptions& = {});
PoolWithIndices maxPool2dWithIndices(const Tensor& x, const PoolOptions& = {});
PoolWithIndices maxPool3dWithIndices(const Tensor& x, const PoolOptions& = {});
PoolWithIndices maxPoolNDWithIndices(int spatial, const Tensor& x, const PoolOptions& = {});

/// Mean of each window; shapes, derivatives and errors as above. In ceil mode a window that reaches beyond the padded
/// input is divided by what it has of it.
Tensor avgPool1d(const Tensor& x, const PoolOptions& = {});
Tensor avgPool2d(const Tensor& x, const PoolOptions& = {});
Tensor avgPool3d(const Tensor& x, const PoolOptions& = {});
Tensor avgPoolND(int spatial, const Tensor& x, const PoolOptions& = {});

/// Power mean without the division: y = (sum over each window of |x|^p)^(1/p), p > 0. Differentiable any number of
/// times, but not where a window is all zeros (p != 1). Options as of a mean; padding adds nothing, and a
/// divisorOverride is refused. Source: torch.nn.functional.lp_pool2d, which takes x^p, so for even p the same.
Tensor lpPool1d(const Tensor& x, double p, const PoolOptions& = {});
Tensor lpPool2d(const Tensor& x, double p, const PoolOptions& = {});
Tensor lpPool3d(const Tensor& x, double p, const PoolOptions& = {});
Tensor lpPoolND(int spatial, const Tensor& x, double p, const PoolOptions& = {});

/// Mean over all spatial axes: [N, C, ...] -> [N, C], with keepDims [N, C, 1, ...]. Differentiable any number of times.
/// Throws ShapeError below rank 3.
Tensor globalAvgPool(const Tensor& x, bool keepDims = false);
/// Maximum over all spatial axes, of ranks 3 to 5; the first of equal elements takes the gradient.
Tensor globalMaxPool(const Tensor& x, bool keepDims = false);

}  // namespace ember
