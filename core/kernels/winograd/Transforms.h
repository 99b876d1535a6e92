#pragma once
#include <ember/core/kernels/winograd/Tiles.h>

/// Between channels last and the matrices of a block of tiles.
namespace ember::core::winograd {

inline constexpr i64 longestStrip = 8;
/// Floats that `transformIn` needs in `lines`: the patches of a strip, transformed along columns.
inline constexpr i64 lineFloats = (tileSide * longestStrip + 2) * patchSide * 16;

alignas(64) inline constexpr float zeroChannels[16] = {};

/// The planes [batch, height, width, channels] that patches are cut from: those of tile (i, j) start at (4 i - top,
/// 4 j - left). `taken` of the channels, from the first, are transformed.
struct Planes {
  const float* data;
  i64 height, width, channels, taken, top, left;
};

/// Columns [left, left + columns) of the planes, to lines [columns][6].
template <class Line, int lanes>
EMBER_INLINE void alongColumns(const Planes& from, const Strip& strip, i64 channel, i64 left, i64 columns,
                               float* lines) {
  using V = Vec<lanes>;
  constexpr int taps = Line::taps;
  const float* row[taps];
  i64 step[taps];
  for (int i = 0; i < taps; ++i) {
    const i64 y = strip.down * tileSide - from.top + i;
    const bool inside = y >= 0 && y < from.height;
    row[i] = inside ? from.data + ((strip.image * from.height + y) * from.width + left) * from.channels + channel
                    : zeroChannels;
    step[i] = inside ? from.channels : 0;
  }
  for (i64 column = 0; column < columns; ++column, lines += 6 * lanes) {
    V d[taps], v[6];
    if (static_cast<u64>(left + column) < static_cast<u64>(from.width)) {
      unrolled<taps>([&](auto i) EMBER_SIMD_BODY { d[i] = load<lanes>(row[i] + column * step[i]); });
      Line::apply(d, v);
    } else {
      unrolled<6>([&](auto i) EMBER_SIMD_BODY { v[i] = V{}; });
    }
    unrolled<6>([&](auto i) EMBER_SIMD_BODY {
      if constexpr (takes(Line::results, i)) store<lanes>(lines + i * lanes, v[i]);
    });
  }
}

/// Tiles from lines to rows of the matrices; `outsDown` says which lines there are.
template <class Line, int lanes>
EMBER_INLINE void alongRows(const float* lines, i64 tiles, int outsDown, float* to, i64 stride, i64 apart) {
  using V = Vec<lanes>;
  for (i64 tile = 0; tile < tiles; ++tile, lines += tileSide * 6 * lanes, to += stride) {
    float* frequency = to;
    for (int i = 0; i < 6; ++i, frequency += 6 * apart) {
      if (!takes(outsDown, i)) continue;
      V d[Line::taps], v[6];
      unrolled<Line::taps>([&](auto j) EMBER_SIMD_BODY { d[j] = load<lanes>(lines + (j * 6 + i) * lanes); });
      Line::apply(d, v);
      unrolled<6>([&](auto j) EMBER_SIMD_BODY {
        if constexpr (takes(Line::results, j)) store<lanes>(frequency + j * apart, v[j]);
      });
    }
  }
}

/// One vector of channels of a strip.
template <template <int> class Line, int lanes>
EMBER_INLINE void transformStrip(const Geometry& g, const Planes& from, const Strip& strip, i64 channel, float* lines,
                                 const Matrices& to) {
  const int down = strip.low ? g.outsDown() : tileSide, across = g.outsAcross();
  const i64 left = strip.across * tileSide - from.left;
  const i64 columns = strip.full * tileSide + (strip.cut ? across : 0) + Line<4>::taps - tileSide;
  if (down == 4) {
    alongColumns<Line<4>, lanes>(from, strip, channel, left, columns, lines);
  } else if (down == 3) {
    alongColumns<Line<3>, lanes>(from, strip, channel, left, columns, lines);
  } else {
    alongColumns<Line<2>, lanes>(from, strip, channel, left, columns, lines);
  }
  alongRows<Line<4>, lanes>(lines, strip.full, down, to.data + strip.row * to.stride + channel, to.stride, to.apart);
  if (!strip.cut) return;
  const float* rest = lines + strip.full * tileSide * 6 * lanes;
  float* last = to.data + strip.cutRow * to.stride + channel;
  if (across == 3) {
    alongRows<Line<3>, lanes>(rest, 1, down, last, to.stride, to.apart);
  } else {
    alongRows<Line<2>, lanes>(rest, 1, down, last, to.stride, to.apart);
  }
}

/// Tiles [begin, end) of a block.
template <template <int> class Line>
void transformIn(const Geometry& g, const Planes& from, const Block& block, i64 begin, i64 end, float* lines,
                 const Matrices& to, simd::Level level) {
  forChannels(level, from.taken, [&](auto isa, i64 first, i64 last) EMBER_SIMD_BODY {
    constexpr int lanes = decltype(isa)::lanes;
    Kinds next = block.rowsAt(g, begin);
    forStrips(g, begin, end, longestStrip, next, [&](const Strip& strip) EMBER_SIMD_BODY {
      for (i64 channel = first; channel < last; channel += lanes) {
        transformStrip<Line, lanes>(g, from, strip, channel, lines, to);
      }
    });
  });
}

/// One vector of channels of a tile: A^T m A, and `finish` on every row before it is written. `rows` and `columns` of
/// the results lie inside.
struct Target {
  float* corner;
  i64 rows, columns, rowPitch, pixelPitch;
};

template <int outs, int lanes, class Finish>
EMBER_INLINE void finishRows(const Vec<lanes> (&half)[4][6], const Target& to, Finish& finish) {
  unrolled<4>([&](auto i) EMBER_SIMD_BODY {
    if (i >= to.rows) return;
    Vec<lanes> y[4];
    outputLine<outs>(half[i], y);
    float* pixel = to.corner + i * to.rowPitch;
    finish.template row<outs>(i, y, to.columns, pixel, to.pixelPitch);
    unrolled<outs>([&](auto j) EMBER_SIMD_BODY {
      if (j < to.columns) store<lanes>(pixel + j * to.pixelPitch, y[j]);
    });
  });
}

template <int lanes, class Finish>
EMBER_INLINE void transformTile(const float* from, i64 apart, int outsDown, int outsAcross, const Target& to,
                                Finish& finish) {
  using V = Vec<lanes>;
  V half[4][6];
  const auto columns = [&](auto outs) EMBER_SIMD_BODY {
    unrolled<6>([&](auto j) EMBER_SIMD_BODY {
      V m[6], y[4];
      unrolled<6>([&](auto i) EMBER_SIMD_BODY {
        if constexpr (takes(outs, i)) m[i] = load<lanes>(from + (i * 6 + j) * apart);
      });
      outputLine<outs>(m, y);
      unrolled<4>([&](auto i) EMBER_SIMD_BODY {
        if constexpr (i < outs)
          half[i][j] = y[i];
        else
          half[i][j] = V{};
      });
    });
  };
  if (outsDown == 4) {
    columns(std::integral_constant<int, 4>{});
  } else if (outsDown == 3) {
    columns(std::integral_constant<int, 3>{});
  } else {
    columns(std::integral_constant<int, 2>{});
  }
  if (outsAcross == 4) {
    finishRows<4, lanes>(half, to, finish);
  } else if (outsAcross == 3) {
    finishRows<3, lanes>(half, to, finish);
  } else {
    finishRows<2, lanes>(half, to, finish);
  }
}

/// Channels [firstChannel, firstChannel + channels) of a block's tiles: to `out`, channels last. The epilogue says
/// whether there may be channels that fill no vector of that level (`tails`), and gives an object for each vector,
/// which is told of each tile and finishes its rows.
template <class Epilogue>
void transformOut(const Geometry& g, const Matrices& from, const Block& block, i64 firstChannel, i64 channels,
                  float* out, const Epilogue& epilogue, simd::Level level) {
  const auto body = [&](auto isa, i64 begin, i64 end) EMBER_SIMD_BODY {
    constexpr int lanes = decltype(isa)::lanes;
    const i64 pixelPitch = g.outChannels, rowPitch = g.outWidth * pixelPitch;
    Kinds next = block.rowsAt(g, block.begin);
    forStrips(g, block.begin, block.end, block.end - block.begin, next, [&](const Strip& strip) EMBER_SIMD_BODY {
      const i64 top = strip.down * tileSide, left = strip.across * tileSide;
      const int down = strip.low ? g.outsDown() : tileSide;
      Target to{nullptr, std::min<i64>(tileSide, g.outHeight - top), tileSide, rowPitch, pixelPitch};
      for (i64 channel = begin; channel < end; channel += lanes) {
        auto finish = epilogue.template at<lanes>(firstChannel + channel);
        const float* matrix = from.data + channel;
        float* corner =
            out + ((strip.image * g.outHeight + top) * g.outWidth + left) * pixelPitch + firstChannel + channel;
        const i64 number = (strip.image * g.tilesDown() + strip.down) * g.tilesAcross() + strip.across;
        for (i64 tile = 0; tile < strip.full + strip.cut; ++tile) {
          const bool cut = tile == strip.full;
          to.corner = corner + tile * tileSide * pixelPitch;
          to.columns = std::min<i64>(tileSide, g.outWidth - left - tile * tileSide);
          finish.begin(number + tile);
          transformTile<lanes>(matrix + (cut ? strip.cutRow : strip.row + tile) * from.stride, from.apart, down,
                               cut ? g.outsAcross() : tileSide, to, finish);
          finish.end();
        }
      }
    });
  };
  if constexpr (Epilogue::tails) {
    forChannels(level, channels, body);
  } else {
    withIsa(level, [&](auto isa) EMBER_SIMD_BODY {
      if constexpr (decltype(isa)::lanes > 4) body(isa, 0, channels);
    });
  }
}

}  // namespace ember::core::winograd
