#pragma once
#include <memory>

#include <ember/core/Storage.h>
#include <ember/core/kernels/winograd/Tiles.h>

/// 3x3 convolutions of stride 1 in f32 by Winograd's F(4x4, 3x3) [Lavin, Gray 2016], on channels last throughout: a
/// thread transforms a block of tiles, multiplies its 36 matrices and transforms back while they are in its cache.
///
/// Relative rms error 4e-7 to 1e-6 (direct: 1.5e-7); an infinity in the input makes NaN of the tiles that contain it,
/// not of single elements. Every element is computed in one order of operations, whatever the thread count; the
/// instruction sets differ in rounding.
namespace ember::core::winograd {

enum class Filters : u8 { Forward, Rotated };

/// w [K, C, 3, 3] transformed: for a convolution from C to K channels, or Rotated for its adjoint from K to C.
/// Belongs to the instruction set that it was made for.
std::shared_ptr<Storage> packFilters(const float* w, i64 filters, i64 channels, Filters, simd::Level);

/// What is done to results before they are written; each may be null. out = act(conv + bias[k] + sum), act(v) =
/// max(v, 0) if `relu`; `sum` has the layout of `out` and may be `out`.
struct After {
  const float* bias = nullptr;
  const float* sum = nullptr;
  bool relu = false;
};

/// out = conv(in, filters): forward, or backward data with the geometry of the adjoint.
void convolve(const Geometry&, const float* in, const Storage& packed, const After&, float* out, simd::Level);

/// Whether convolveWithStatistics() exists: whole vectors of channels, and tiles enough for sums of 12. Does not depend
/// on the thread count.
bool givesStatistics(const Geometry&, simd::Level);
/// out = conv(in, filters), and mean and biased variance of each channel of `out`.
void convolveWithStatistics(const Geometry&, const float* in, const Storage& packed, float* out, double* mean,
                            double* var, simd::Level);

/// dw [K, C, 3, 3] from in and the gradient of out.
void backwardWeights(const Geometry&, const float* in, const float* gradient, float* dw, simd::Level);

}  // namespace ember::core::winograd
