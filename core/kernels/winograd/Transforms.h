#pragma once
#include <ember/core/kernels/winograd/Tiles.h>

/// Between channels last and the matrices of a block of tiles.
namespace ember::core::winograd {

inline constexpr i64 longestStrip = 8;
/// Floats that `transformIn` needs in `lines`: the patches of a strip, transformed along columns.
inline constexpr i64 lineFloats = (tileSide * longestStrip + 2) * patchSide * 16;

alignas(64) inline constexpr float zeroChannels[16] = {};

/// The planes [batch, height, width, channels] that patches are cut from: those of tile (i, j) start at (4 i - top,
/// 4 j - left).
struct Planes {
  const float* data;
  i64 height, width, channels, top, left;
};

/// One vector of channels of a strip: `to` points at them in the matrix of frequency 0 and the row of the first tile.
template <class Line, int lanes>
EMBER_INLINE void transformStrip(const Planes& from, const Strip& strip, i64 channel, float* lines, float* to,
                                 const Matrices& matrices) {
  using V = Vec<lanes>;
  constexpr int taps = Line::taps;
  const i64 top = strip.down * tileSide - from.top, pitch = from.width * from.channels;
  const i64 left = strip.across * tileSide - from.left, columns = strip.count * tileSide + taps - tileSide;
  const float* corner = from.data + (strip.image * from.height + top) * pitch + left * from.channels + channel;
  const auto alongColumns = [&](const auto& at) EMBER_SIMD_BODY {
    float* line = lines;
    for (i64 column = 0; column < columns; ++column, line += 6 * lanes) {
      V d[taps], v[6];
      if (static_cast<u64>(left + column) < static_cast<u64>(from.width)) {
        unrolled<taps>([&](auto i) EMBER_SIMD_BODY { d[i] = load<lanes>(at(i, column)); });
        Line::apply(d, v);
      } else {
        unrolled<6>([&](auto i) EMBER_SIMD_BODY { v[i] = V{}; });
      }
      unrolled<6>([&](auto i) EMBER_SIMD_BODY { store<lanes>(line + i * lanes, v[i]); });
    }
  };
  const i64 step = from.channels;
  if (top >= 0 && top + taps <= from.height) {
    alongColumns([&](auto i, i64 column) EMBER_SIMD_BODY { return corner + column * step + i * pitch; });
  } else {
    const float* row[taps];
    i64 steps[taps];
    for (int i = 0; i < taps; ++i) {
      const bool inside = top + i >= 0 && top + i < from.height;
      row[i] = inside ? corner + i * pitch : zeroChannels;
      steps[i] = inside ? step : 0;
    }
    alongColumns([&](auto i, i64 column) EMBER_SIMD_BODY { return row[i] + column * steps[i]; });
  }
  const i64 apart = matrices.apart, stride = matrices.stride;
  for (i64 tile = 0; tile < strip.count; ++tile, to += stride) {
    float* frequency = to;
    for (int i = 0; i < 6; ++i) {
      V d[taps], v[6];
      unrolled<taps>([&](auto j)
                         EMBER_SIMD_BODY { d[j] = load<lanes>(lines + ((tile * tileSide + j) * 6 + i) * lanes); });
      Line::apply(d, v);
      unrolled<6>([&](auto j) EMBER_SIMD_BODY { store<lanes>(frequency + j * apart, v[j]); });
      frequency += 6 * apart;
    }
  }
}

/// Tiles [begin, end) of all channels, the first of them to row `rowOffset`.
template <class Isa, class Line>
EMBER_INLINE void transformIn(const Geometry& g, const Planes& from, i64 begin, i64 end, float* lines,
                              const Matrices& to, i64 rowOffset) {
  forStrips(g, begin, end, longestStrip, [&](const Strip& strip) EMBER_SIMD_BODY {
    forChannels<Isa>(from.channels, [&](i64 channel, auto lanes) EMBER_SIMD_BODY {
      transformStrip<Line, lanes>(from, strip, channel, lines,
                                  to.data + (rowOffset + strip.index) * to.stride + channel, to);
    });
  });
}

/// One vector of channels of a tile: A^T m A, and `finish(v, offset)` on every vector before it is written to `to`.
template <int lanes, class Finish>
EMBER_INLINE void transformTile(const float* from, i64 apart, float* to, i64 rows, i64 columns, i64 rowPitch,
                                i64 pixelPitch, const Finish& finish) {
  using V = Vec<lanes>;
  V half[4][6];
  unrolled<6>([&](auto j) EMBER_SIMD_BODY {
    V m[6], y[4];
    unrolled<6>([&](auto i) EMBER_SIMD_BODY { m[i] = load<lanes>(from + (i * 6 + j) * apart); });
    outputLine(m, y);
    unrolled<4>([&](auto i) EMBER_SIMD_BODY { half[i][j] = y[i]; });
  });
  unrolled<4>([&](auto i) EMBER_SIMD_BODY {
    if (i >= rows) return;
    V y[4];
    outputLine(half[i], y);
    unrolled<4>([&](auto j) EMBER_SIMD_BODY {
      if (j >= columns) return;
      float* pixel = to + i * rowPitch + j * pixelPitch;
      finish(y[j], pixel);
      store<lanes>(pixel, y[j]);
    });
  });
}

/// Channels [firstChannel, firstChannel + channels) of tiles [begin, end): to `out`, channels last.
template <class Isa, class Epilogue>
EMBER_INLINE void transformOut(const Geometry& g, const Matrices& from, i64 begin, i64 end, i64 firstChannel,
                               i64 channels, float* out, const Epilogue& epilogue) {
  const i64 pixelPitch = g.outChannels, rowPitch = g.outWidth * pixelPitch;
  forStrips(g, begin, end, end - begin, [&](const Strip& strip) EMBER_SIMD_BODY {
    const i64 top = strip.down * tileSide, rows = std::min<i64>(tileSide, g.outHeight - top);
    float* corner = out + (strip.image * g.outHeight + top) * rowPitch + strip.across * tileSide * pixelPitch;
    forChannels<Isa>(channels, [&](i64 channel, auto lanes) EMBER_SIMD_BODY {
      const float* matrix = from.data + strip.index * from.stride + channel;
      const auto finish = epilogue.template at<lanes>(firstChannel + channel);
      float* to = corner + firstChannel + channel;
      for (i64 tile = 0; tile < strip.count; ++tile) {
        const i64 columns = std::min<i64>(tileSide, g.outWidth - (strip.across + tile) * tileSide);
        transformTile<lanes>(matrix + tile * from.stride, from.apart, to + tile * tileSide * pixelPitch, rows, columns,
                             rowPitch, pixelPitch, finish);
      }
    });
  });
}

}  // namespace ember::core::winograd
