#pragma once
#include <ember/autograd/Tensor.h>
#include <ember/core/Sizes.h>

namespace ember {

/// Options of pooling: numbers per spatial axis, or one for all.
struct PoolOptions {
  Sizes kernel = 2;
  Sizes stride = {};            ///< unset: the kernel, so windows do not overlap
  Sizes padding = 0;            ///< at most half the kernel; never the maximum, zeros for the mean
  bool countIncludePad = true;  ///< mean only: whether padding counts in the divisor
};

/// Largest element of each window.
///
///   y[n,c,p] = max_r x[n,c, p·stride + r - padding]
///
/// x  [N, C, L] (1d), [N, C, H, W] (2d), [N, C, D, H, W] (3d)   f32 or f64
/// -> [N, C, P...]   P = floor((L + 2·padding - kernel) / stride) + 1
///
/// NaN wins; of equal elements the first takes the gradient. Differentiable any number of times.
/// Throws ShapeError if x has another rank or a result would be empty, ValueError on options out of range.
Tensor maxPool1d(const Tensor& x, const PoolOptions& = {});
Tensor maxPool2d(const Tensor& x, const PoolOptions& = {});
Tensor maxPool3d(const Tensor& x, const PoolOptions& = {});
Tensor maxPoolND(int spatial, const Tensor& x, const PoolOptions& = {});

/// Mean of each window; shapes, derivatives and errors as above.
Tensor avgPool1d(const Tensor& x, const PoolOptions& = {});
Tensor avgPool2d(const Tensor& x, const PoolOptions& = {});
Tensor avgPool3d(const Tensor& x, const PoolOptions& = {});
Tensor avgPoolND(int spatial, const Tensor& x, const PoolOptions& = {});

/// Mean over all spatial axes: [N, C, ...] -> [N, C], with keepDims [N, C, 1, ...]. Differentiable any number of times.
/// Throws ShapeError below rank 3.
Tensor globalAvgPool(const Tensor& x, bool keepDims = false);

}  // namespace ember
