#include <algorithm>

#include <ember/core/Threads.h>
#include <ember/core/kernels/winograd/Filters.h>
#include <ember/core/kernels/winograd/Winograd.h>

namespace ember::core::winograd {
namespace {

/// Filters as the convolution sees them: tap t of the filter from input channel i to output channel o.
struct View {
  const float* data;
  i64 in, out, inStride, outStride;
  bool rotated;
};

/// Columns [column, column + lanes) for one input channel.
template <class Isa>
EMBER_INLINE void transformFilter(const View& w, i64 in, i64 column, float* to, i64 apart) {
  constexpr int lanes = Isa::lanes;
  using V = Vec<lanes>;
  alignas(64) float taps[9][lanes];
  const i64 valid = std::min<i64>(lanes, w.out - column);
  if (valid < lanes) std::fill(&taps[0][0], &taps[0][0] + 9 * lanes, 0.0f);
  const float* from = w.data + in * w.inStride + column * w.outStride;
  const auto tap = [&](int t) EMBER_SIMD_BODY { return taps[w.rotated ? 8 - t : t]; };
  i64 lane = 0;
  for (; lane + 4 <= valid; lane += 4, from += 4 * w.outStride) {
    for (int t = 0; t < 8; t += 4) {
      Vec<4> four[4];
      unrolled<4>([&](auto i) EMBER_SIMD_BODY { four[i] = load<4>(from + i * w.outStride + t); });
      transpose(four);
      unrolled<4>([&](auto i) EMBER_SIMD_BODY { store<4>(tap(t + i) + lane, four[i]); });
    }
    for (int i = 0; i < 4; ++i) tap(8)[lane + i] = from[i * w.outStride + 8];
  }
  for (; lane < valid; ++lane, from += w.outStride) {
    for (int t = 0; t < 9; ++t) tap(t)[lane] = from[t];
  }
  V half[6][3];
  unrolled<3>([&](auto j) EMBER_SIMD_BODY {
    V g[3], u[6];
    unrolled<3>([&](auto i) EMBER_SIMD_BODY { g[i] = load<lanes>(taps[i * 3 + j]); });
    filterLine(g, u);
    unrolled<6>([&](auto i) EMBER_SIMD_BODY { half[i][j] = u[i]; });
  });
  unrolled<6>([&](auto i) EMBER_SIMD_BODY {
    V u[6];
    filterLine(half[i], u);
    unrolled<6>([&](auto j) EMBER_SIMD_BODY { store<lanes>(to + (i * 6 + j) * apart, u[j]); });
  });
}

/// G^T u G for a vector of filters, of which `valid` exist, and one input channel.
template <class Isa>
EMBER_INLINE void gradientOfTaps(const float* sums, i64 apart, i64 parts, i64 partApart, float* dw, i64 filterStride,
                                 i64 valid) {
  constexpr int lanes = Isa::lanes;
  using V = Vec<lanes>;
  V half[3][6];
  unrolled<6>([&](auto j) EMBER_SIMD_BODY {
    V u[6], g[3];
    unrolled<6>([&](auto i) EMBER_SIMD_BODY {
      u[i] = load<lanes>(sums + (i * 6 + j) * apart);
      for (i64 part = 1; part < parts; ++part) u[i] += load<lanes>(sums + (i * 6 + j) * apart + part * partApart);
    });
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

std::shared_ptr<Storage> packFilters(const float* w, i64 filters, i64 channels, Filters kind, simd::Level level) {
  const View view = kind == Filters::Forward ? View{w, channels, filters, 9, channels * 9, false}
                                             : View{w, filters, channels, channels * 9, 9, true};
  const PackedFilters layout(view.in, view.out, level);
  auto packed = std::make_shared<Storage>(static_cast<std::size_t>(frequencies * layout.apart) * sizeof(float));
  float* data = static_cast<float*>(packed->data());
  parallelFor(view.in, std::max<i64>(1, 4096 / view.out), [&](i64 begin, i64 end) {
    withIsa(level, [&](auto isa) EMBER_SIMD_BODY {
      using Isa = decltype(isa);
      for (i64 start = 0; start < layout.columns; start += layout.panel) {
        const i64 width = std::min<i64>(layout.panel, layout.columns - start);
        for (i64 in = begin; in < end; ++in) {
          for (i64 j = 0; j < width; j += Isa::lanes) {
            transformFilter<Isa>(view, in, start + j, data + start * view.in + in * width + j, layout.apart);
          }
        }
      }
    });
  });
  return packed;
}

void unpackGradient(const float* sums, i64 parts, i64 partApart, i64 inChannels, i64 outChannels, float* dw,
                    simd::Level level) {
  const PackedFilters layout(inChannels, outChannels, level);
  parallelFor(inChannels, std::max<i64>(1, 4096 / outChannels), [&](i64 begin, i64 end) {
    withIsa(level, [&](auto isa) EMBER_SIMD_BODY {
      using Isa = decltype(isa);
      for (i64 c = begin; c < end; ++c) {
        for (i64 k = 0; k < outChannels; k += Isa::lanes) {
          gradientOfTaps<Isa>(sums + c * layout.columns + k, layout.apart, parts, partApart,
                              dw + (k * inChannels + c) * 9, inChannels * 9,
                              std::min<i64>(Isa::lanes, outChannels - k));
        }
      }
    });
  });
}

}  // namespace ember::core::winograd
