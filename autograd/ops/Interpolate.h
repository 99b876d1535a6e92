#pragma once
#include <string_view>
#include <vector>

#include <ember/autograd/Tensor.h>
#include <ember/core/Sizes.h>

namespace ember {

/// How new values come from old ones, along each spatial axis alike; with u the place of an output among the inputs:
///
///   Nearest       the input at floor(p·L/P)
///   NearestExact  the input at floor((p + 1/2)·L/P)
///   Linear        the two inputs about u (bilinear over two axes, trilinear over three)
///   Cubic         the four inputs about u, with the cubic convolution of A = -3/4 (bicubic over two axes)
enum class Interpolation : u8 { Nearest, NearestExact, Linear, Cubic };

/// "nearest", "nearest-exact", "linear", "cubic".
std::string_view name(Interpolation);
/// The mode of that name, or of PyTorch's "bilinear", "trilinear", "bicubic"; throws ValueError on others.
Interpolation interpolation(std::string_view name);

struct InterpolateOptions {
  Sizes size = {};                 ///< of the spatial axes of the result, at least 1; this
  std::vector<double> scale = {};  ///< or that: one for all spatial axes or one for each, above 0
  Interpolation mode = Interpolation::Nearest;
  bool alignCorners = false;  ///< Linear and Cubic: whether the outer inputs lie on the outer outputs
};

/// Another number of elements along the spatial axes.
///
///   u = (p + 1/2)·L/P - 1/2, for Linear at least 0;  u = p·(L - 1)/(P - 1) with alignCorners
///
/// x  [N, C, L], [N, C, H, W] or [N, C, D, H, W]   f32 or f64
/// -> [N, C, P...]   P = size, or floor(L·scale), and then 1/scale stands for L/P above
///
/// Beyond the border its elements count on. Differentiable any number of times. Throws ShapeError on other ranks, empty
/// axes and an empty result, ValueError on options out of range and unless size or scale is given. Source: semantics as
/// torch.nn.functional.interpolate; Keys 1981 for Cubic.
Tensor interpolate(const Tensor& x, const InterpolateOptions&);

/// [.., C·r², H, W] -> [.., C, H·r, W·r]: y[c, h·r + i, w·r + j] = x[c·r² + i·r + j, h, w]. Differentiable any number
/// of times. Throws ShapeError below rank 3 and unless r² divides the channels, ValueError unless r >= 1. Source: Shi
/// et al. 2016, arXiv:1609.05158; torch.nn.functional.pixel_shuffle.
Tensor pixelShuffle(const Tensor& x, i64 factor);
/// The inverse: [.., C, H·r, W·r] -> [.., C·r², H, W].
Tensor pixelUnshuffle(const Tensor& x, i64 factor);

}  // namespace ember
