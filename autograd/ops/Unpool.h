#pragma once
#include <ember/autograd/Tensor.h>
#include <ember/core/Sizes.h>

namespace ember {

/// Undoes a maximum pooling as far as that goes: zeros with x where the maxima stood.
///
///   y[n, c, indices[n,c,p]] = x[n,c,p]
///
/// x        [N, C, L] (1d), [N, C, H, W] (2d), [N, C, D, H, W] (3d)   f32 or f64
/// indices  i64, shape of x: places in a plane of the result, row-major, as maxPoolNDWithIndices() gives them
/// size     of the spatial axes of the result, at least 1
/// -> [N, C, size...]
///
/// Where windows overlap and two have the same maximum, the last one stays and alone takes a gradient. Differentiable
/// any number of times in x. Throws ShapeError on ranks and shapes that do not fit, DtypeError on indices that are not
/// i64, ValueError on an index outside the plane. Source: semantics as torch.nn.functional.max_unpool2d.
Tensor maxUnpool1d(const Tensor& x, const Tensor& indices, const Sizes& size);
Tensor maxUnpool2d(const Tensor& x, const Tensor& indices, const Sizes& size);
Tensor maxUnpool3d(const Tensor& x, const Tensor& indices, const Sizes& size);
Tensor maxUnpoolND(int spatial, const Tensor& x, const Tensor& indices, const Sizes& size);

}  // namespace ember
