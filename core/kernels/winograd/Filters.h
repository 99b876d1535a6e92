#pragma once
#include <ember/core/kernels/winograd/Product.h>
#include <ember/core/kernels/winograd/Tiles.h>

namespace ember::core::winograd {

/// Packed filters: [36][panels][inChannels][panel], the last panel one vector wide if that is enough; what exceeds
/// outChannels is zero. Matrices of two frequencies are an odd number of cache lines apart (see Matrices).
template <class Isa>
inline i64 paddedColumns(i64 outChannels) {
  return (outChannels + Isa::lanes - 1) / Isa::lanes * Isa::lanes;
}
template <class Isa>
inline i64 filtersApart(i64 inChannels, i64 outChannels) {
  return Matrices::oddLines(inChannels * paddedColumns<Isa>(outChannels));
}

}  // namespace ember::core::winograd
