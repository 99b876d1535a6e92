#pragma once
#include <ember/autograd/Tensor.h>
#include <ember/autograd/ops/Pool.h>
#include <ember/core/Sizes.h>

namespace ember {

/// Mean of each of size[0] x ... bins.
///
///   y[n,c,p] = mean of x[n,c,i], i in [floor(p·L/size), ceil((p + 1)·L/size))
///
/// x  [N, C, L] (1d), [N, C, H, W] (2d), [N, C, D, H, W] (3d)   f32 or f64
/// -> [N, C, size...]   a size of -1 keeps that of x; sizes may exceed those of x
///
/// Differentiable any number of times. Throws ShapeError on another rank and on an empty axis, ValueError on sizes that
/// are neither -1 nor 1 and more. Source: semantics as torch.nn.functional.adaptive_avg_pool2d.
Tensor adaptiveAvgPool1d(const Tensor& x, const Sizes& size);
Tensor adaptiveAvgPool2d(const Tensor& x, const Sizes& size);
Tensor adaptiveAvgPool3d(const Tensor& x, const Sizes& size);
Tensor adaptiveAvgPoolND(int spatial, const Tensor& x, const Sizes& size);

/// Maximum of each bin; NaN wins, of equal elements the first takes the gradient. The rest as above.
Tensor adaptiveMaxPool1d(const Tensor& x, const Sizes& size);
Tensor adaptiveMaxPool2d(const Tensor& x, const Sizes& size);
Tensor adaptiveMaxPool3d(const Tensor& x, const Sizes& size);
Tensor adaptiveMaxPoolND(int spatial, const Tensor& x, const Sizes& size);
/// The same and where the maxima stood, counted as by maxPoolNDWithIndices().
PoolWithIndices adaptiveMaxPoolNDWithIndices(int spatial, const Tensor& x, const Sizes& size);

}  // namespace ember
