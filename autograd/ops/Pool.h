#pragma once
#include <ember/autograd/Tensor.h>
#include <ember/autograd/ops/Sizes.h>

namespace ember {

/// Options of pooling: numbers per spatial axis, or one for all.
struct MaxPoolOptions {
  Sizes kernel = 2;
  Sizes stride = {};   ///< empty: the kernel, so windows do not overlap
  Sizes padding = 0;   ///< at most half the kernel; padding never wins
};
struct AvgPoolOptions {
  Sizes kernel = 2;
  Sizes stride = {};            ///< empty: the kernel
  Sizes padding = 0;            ///< at most half the kernel; zeros
  bool countIncludePad = true;  ///< whether padding counts in the divisor
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
Tensor maxPool1d(const Tensor& x, const MaxPoolOptions& = {});
Tensor maxPool2d(const Tensor& x, const MaxPoolOptions& = {});
Tensor maxPool3d(const Tensor& x, const MaxPoolOptions& = {});
Tensor maxPoolND(int spatial, const Tensor& x, const MaxPoolOptions& = {});

/// Mean of each window; shapes, derivatives and errors as above.
Tensor avgPool1d(const Tensor& x, const AvgPoolOptions& = {});
Tensor avgPool2d(const Tensor& x, const AvgPoolOptions& = {});
Tensor avgPool3d(const Tensor& x, const AvgPoolOptions& = {});
Tensor avgPoolND(int spatial, const Tensor& x, const AvgPoolOptions& = {});

/// Mean over all spatial axes: [N, C, ...] -> [N, C], with keepDims [N, C, 1, ...]. Differentiable any number of times.
/// Throws ShapeError below rank 3.
Tensor globalAvgPool(const Tensor& x, bool keepDims = false);

}  // namespace ember
