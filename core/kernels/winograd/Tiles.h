#pragma once
#include <algorithm>

#include <ember/core/DType.h>
#include <ember/core/kernels/winograd/Lines.h>

namespace ember::core::winograd {

/// A 3x3 convolution of stride 1 from in [batch, inHeight, inWidth, inChannels] to out [batch, outHeight, outWidth,
/// outChannels], zeros around `in`; its result is cut into tiles of 4x4, in order of image, row, column.
struct Geometry {
  i64 batch, inHeight, inWidth, inChannels, outHeight, outWidth, outChannels, padTop, padLeft;

  i64 tilesDown() const { return (outHeight + tileSide - 1) / tileSide; }
  i64 tilesAcross() const { return (outWidth + tileSide - 1) / tileSide; }
  i64 tiles() const { return batch * tilesDown() * tilesAcross(); }
};

/// Neighbouring tiles of one row of tiles: `count` of them from tile (image, down, across), the `index`th of a block.
struct Strip {
  i64 image, down, across, count, index;
};

/// Calls f(strip) for tiles [begin, end), in strips of at most `longest`.
template <class F>
EMBER_INLINE void forStrips(const Geometry& g, i64 begin, i64 end, i64 longest, const F& f) {
  const i64 across = g.tilesAcross(), down = g.tilesDown();
  for (i64 tile = begin; tile < end;) {
    const i64 row = tile / across, column = tile % across;
    const i64 count = std::min({across - column, end - tile, longest});
    f(Strip{row / down, row % down, column, count, tile - begin});
    tile += count;
  }
}

/// Where tile `tile` of planes [batch, height, width, channels] begins, to a row of tiles: neighbouring tiles take
/// about one contiguous piece of memory.
inline const char* nearTile(const Geometry& g, const float* planes, i64 height, i64 width, i64 channels, i64 tile) {
  const i64 row = tile / g.tilesAcross();
  const i64 y = row / g.tilesDown() * height + std::min(height, row % g.tilesDown() * tileSide);
  return reinterpret_cast<const char*>(planes + y * width * channels);
}

/// A matrix for each frequency: [36][rows][stride], a row for each tile of a block. Rows and matrices start an odd
/// number of cache lines apart, so that neither the 36 lines that one tile writes nor the rows that a product reads
/// fall into the same few sets of the cache.
struct Matrices {
  float* data;
  i64 stride, apart;

  static constexpr i64 line = 16;  // floats
  static i64 oddLines(i64 floats) { return ((floats + line - 1) / line | 1) * line; }
  static i64 strideFor(i64 columns) {
    const i64 whole = (columns + line - 1) / line * line;
    return whole % 512 == 0 ? whole + line : whole;
  }
  static i64 floatsFor(i64 rows, i64 columns) { return frequencies * oddLines(rows * strideFor(columns)); }

  Matrices(float* memory, i64 rows, i64 columns)
      : data(memory), stride(strideFor(columns)), apart(oddLines(rows * strideFor(columns))) {}
};

}  // namespace ember::core::winograd
