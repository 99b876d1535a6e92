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

}  // namespace ember::core::winograd
