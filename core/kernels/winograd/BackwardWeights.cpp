#include <algorithm>

#include <ember/core/Scratch.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/winograd/Filters.h>
#include <ember/core/kernels/winograd/Transforms.h>
#include <ember/core/kernels/winograd/Winograd.h>

namespace ember::core::winograd {
namespace {

/// Tiles of a block: both operands' matrices fit a core's cache. Each block's products are summed by themselves, then
/// added, which keeps rounding small; so the block depends on the shape alone.
i64 blockFor(const Geometry& g) {
  constexpr i64 budget = 144 << 10;  // floats
  return std::min(g.tiles(), std::clamp<i64>(budget / (frequencies * (g.inChannels + g.outChannels)), 64, 96));
}

/// G^T u G for a vector of filters and one input channel: columns [column, column + valid) of the sums.
template <class Isa>
EMBER_INLINE void gradientOfTaps(const float* sums, i64 apart, float* dw, i64 filterStride, i64 valid) {
  constexpr int lanes = Isa::lanes;
  using V = Vec<lanes>;
  V half[3][6];
  unrolled<6>([&](auto j) EMBER_SIMD_BODY {
    V u[6], g[3];
    unrolled<6>([&](auto i) EMBER_SIMD_BODY { u[i] = load<lanes>(sums + (i * 6 + j) * apart); });
    tapsLine(u, g);
    unrolled<3>([&](auto i) EMBER_SIMD_BODY { half[i][j] = g[i]; });
  });
  alignas(64) float taps[9][lanes];
  unrolled<3>([&](auto i) EMBER_SIMD_BODY {
    V g[3];
    tapsLine(half[i], g);
    unrolled<3>([&](auto j) EMBER_SIMD_BODY { store<lanes>(taps[i * 3 + j], g[j]); });
  });
  i64 lane = 0;
  for (; lane + 4 <= valid; lane += 4, dw += 4 * filterStride) {
    for (int t = 0; t < 8; t += 4) {
      Vec<4> four[4];
      unrolled<4>([&](auto i) EMBER_SIMD_BODY { four[i] = load<4>(taps[t + i] + lane); });
      transpose(four);
      unrolled<4>([&](auto i) EMBER_SIMD_BODY { store<4>(dw + i * filterStride + t, four[i]); });
    }
    for (int i = 0; i < 4; ++i) dw[i * filterStride + 8] = taps[8][lane + i];
  }
  for (; lane < valid; ++lane, dw += filterStride) {
    for (int t = 0; t < 9; ++t) dw[t] = taps[t][lane];
  }
}

}  // namespace

void backwardWeights(const Geometry& g, const float* in, const float* gradient, float* dw, simd::Level level) {
  const ComputeScope scope;
  const PackedFilters layout(g.inChannels, g.outChannels, level);
  const i64 columns = layout.columns, width = layout.panel, apart = layout.apart;
  const i64 block = blockFor(g), tiles = g.tiles();
  const i64 xFloats = Matrices::floatsFor(block, g.inChannels), yFloats = Matrices::floatsFor(block, columns);
  const Scratch scratch(static_cast<std::size_t>(xFloats + yFloats + frequencies * apart) * sizeof(float));
  float* memory = static_cast<float*>(scratch.data());
  const Matrices v(memory, block, g.inChannels), n(memory + xFloats, block, columns);
  float* sums = memory + xFloats + yFloats;
  if (columns > g.outChannels) std::fill(n.data, n.data + yFloats, 0.0f);

  const Planes x{in, g.inHeight, g.inWidth, g.inChannels, g.padTop, g.padLeft};
  const Planes dy{gradient, g.outHeight, g.outWidth, g.outChannels, 0, 0};
  const i64 panels = (columns + width - 1) / width;
  for (i64 first = 0; first < tiles; first += block) {
    const i64 count = std::min(block, tiles - first);
    const Block b(g, first, first + count);
    parallelFor(count, 8, [&](i64 begin, i64 end) {
      const Scratch local(lineFloats * sizeof(float));
      float* lines = static_cast<float*>(local.data());
      transformIn<InputLine>(g, x, b, first + begin, first + end, lines, v, level);
      transformIn<GradientLine>(g, dy, b, first + begin, first + end, lines, n, level);
    });
    const i64 stop = first + count, units = frequencies * panels;
    // A thread fetches what it will transform.
    const auto next = [&](i64 begin, i64 end) {
      const i64 more = std::min(block, tiles - stop), from = stop + more * begin / units,
                to = stop + more * end / units;
      const auto input = [&](i64 tile) { return nearTile(g, in, g.inHeight, g.inWidth, g.inChannels, tile); };
      const auto output = [&](i64 tile) { return nearTile(g, gradient, g.outHeight, g.outWidth, g.outChannels, tile); };
      Ahead ahead{input(from), input(to), output(from), output(to), false, 0};
      ahead.spread((end - begin) * (g.inChannels / 12));
      return ahead;
    };
    parallelFor(units, 1, [&](i64 begin, i64 end) {
      Ahead ahead = next(begin, end);
      for (i64 unit = begin; unit < end; ++unit) {
        const i64 f = unit / panels, column = unit % panels * width;
        const i64 row = b.firstRow(g, f), rows = b.lastRow(g, f) - row;
        multiply({v.data + f * v.apart + row * v.stride, 1, v.stride, n.data + f * n.apart + row * n.stride + column,
                  n.stride, sums + f * apart + column, columns, g.inChannels, rows, std::min(width, columns - column),
                  first > 0},
                 ahead, level);
      }
    });
  }
  parallelFor(g.inChannels, std::max<i64>(1, 4096 / g.outChannels), [&](i64 begin, i64 end) {
    withIsa(level, [&](auto isa) EMBER_SIMD_BODY {
      using Isa = decltype(isa);
      for (i64 c = begin; c < end; ++c) {
        for (i64 k = 0; k < g.outChannels; k += Isa::lanes) {
          gradientOfTaps<Isa>(sums + c * columns + k, apart, dw + (k * g.inChannels + c) * 9, g.inChannels * 9,
                              std::min<i64>(Isa::lanes, g.outChannels - k));
        }
      }
    });
  });
}

}  // namespace ember::core::winograd
