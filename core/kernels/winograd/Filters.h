#pragma once
#include <ember/core/kernels/winograd/Product.h>
#include <ember/core/kernels/winograd/Tiles.h>

namespace ember::core::winograd {

/// Packed filters: [36][panels][inChannels][panel], the last panel one vector wide if that is enough; what exceeds the
/// output channels is zero. Matrices of two frequencies are an odd number of cache lines apart (see Matrices).
struct PackedFilters {
  i64 lanes, panel, columns, apart;

  PackedFilters(i64 inChannels, i64 outChannels, simd::Level level)
      : lanes(lanesOf(level)),
        panel(2 * lanes),
        columns(padded(outChannels)),
        apart(Matrices::oddLines(inChannels * columns)) {}

  i64 padded(i64 channels) const { return (channels + lanes - 1) / lanes * lanes; }
};

/// dw [outChannels, inChannels, 3, 3] from its transform: the sum of `parts` times [36][inChannels][columns], each
/// `partApart` floats after the one before.
void unpackGradient(const float* sums, i64 parts, i64 partApart, i64 inChannels, i64 outChannels, float* dw,
                    simd::Level level);

}  // namespace ember::core::winograd
