#pragma once
#include <algorithm>

#include <ember/core/DType.h>
#include <ember/core/kernels/winograd/Lines.h>

namespace ember::core::winograd {

/// A 3x3 convolution of stride 1 from in [batch, inHeight, inWidth, inChannels] to out [batch, outHeight, outWidth,
/// outChannels], zeros around `in`. Its result is cut into tiles of 4x4, in order of image, row, column; what is left
/// at the bottom and at the right makes tiles of 2 or 3 results (of 1: a tile of 2, half of it unused).
struct Geometry {
  i64 batch, inHeight, inWidth, inChannels, outHeight, outWidth, outChannels, padTop, padLeft;

  i64 tilesDown() const { return (outHeight + tileSide - 1) / tileSide; }
  i64 tilesAcross() const { return (outWidth + tileSide - 1) / tileSide; }
  i64 tiles() const { return batch * tilesDown() * tilesAcross(); }
  /// Results of a last tile along an axis: 2, 3 or 4.
  static int lastOuts(i64 size) {
    return size % tileSide == 0 ? tileSide : std::max(2, static_cast<int>(size % tileSide));
  }
  int outsDown() const { return lastOuts(outHeight); }
  int outsAcross() const { return lastOuts(outWidth); }
};

/// How many tiles of a block are cut at the bottom only, not at all, at the right only, at both. Matrices have their
/// rows in this order: so those that take part in a frequency follow each other.
struct Kinds {
  i64 bottom = 0, full = 0, right = 0, corner = 0;
  i64 tiles() const { return bottom + full + right + corner; }
};

/// Neighbouring tiles of one row of tiles, from tile (image, down, across): `full` ones of the whole width, and then
/// one that is cut at the right, if `cut`. `low`: all are cut at the bottom. Their rows in a block's matrices: from
/// `row`, and `cutRow`.
struct Strip {
  i64 image, down, across, full;
  bool cut, low;
  i64 row, cutRow;
};

/// Calls f(strip) for tiles [begin, end), in strips of at most `longest`; `next` holds the next row of each kind.
template <class F>
EMBER_INLINE void forStrips(const Geometry& g, i64 begin, i64 end, i64 longest, Kinds& next, const F& f) {
  const i64 across = g.tilesAcross(), down = g.tilesDown();
  const bool cutsDown = g.outsDown() < tileSide, cutsAcross = g.outsAcross() < tileSide;
  for (i64 tile = begin; tile < end;) {
    const i64 row = tile / across, column = tile % across, count = std::min({across - column, end - tile, longest});
    const bool low = cutsDown && row % down == down - 1, cut = cutsAcross && column + count == across;
    i64 &whole = low ? next.bottom : next.full, &last = low ? next.corner : next.right;
    f(Strip{row / down, row % down, column, count - cut, cut, low, whole, last});
    whole += count - cut;
    last += cut;
    tile += count;
  }
}

inline Kinds kindsOf(const Geometry& g, i64 begin, i64 end) {
  Kinds kinds;
  forStrips(g, begin, end, end - begin, kinds, [](const Strip&) {});
  return kinds;
}

/// Tiles [begin, end), whose matrices have their rows by kind.
struct Block {
  i64 begin, end;
  Kinds kinds;

  Block(const Geometry& g, i64 first, i64 last) : begin(first), end(last), kinds(kindsOf(g, first, last)) {}

  /// The next row of each kind, before tile `tile` of the block.
  Kinds rowsAt(const Geometry& g, i64 tile) const {
    Kinds next = kindsOf(g, begin, tile);
    next.full += kinds.bottom;
    next.right += kinds.bottom + kinds.full;
    next.corner += kinds.bottom + kinds.full + kinds.right;
    return next;
  }
  /// The rows that take part in frequency f: [first, last).
  i64 firstRow(const Geometry& g, i64 f) const {
    return takes(g.outsDown(), static_cast<int>(f / 6)) ? 0 : kinds.bottom;
  }
  i64 lastRow(const Geometry& g, i64 f) const {
    if (!takes(g.outsAcross(), static_cast<int>(f % 6))) return kinds.bottom + kinds.full;
    return takes(g.outsDown(), static_cast<int>(f / 6)) ? kinds.tiles() : kinds.tiles() - kinds.corner;
  }
};

/// Where tile `tile` of planes [batch, height, width, channels] begins, to a row of tiles: neighbouring tiles take
/// about one contiguous piece of memory.
inline const char* nearTile(const Geometry& g, const float* planes, i64 height, i64 width, i64 channels, i64 tile) {
  const i64 row = tile / g.tilesAcross();
  const i64 y = row / g.tilesDown() * height + std::min(height, row % g.tilesDown() * tileSide);
  return reinterpret_cast<const char*>(planes + y * width * channels);
}

/// A matrix for each frequency: [36][rows][stride], a row for each tile of a block. Matrices start an odd
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
