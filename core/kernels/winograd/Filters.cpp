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
  for (i64 lane = 0; lane < valid; ++lane, from += w.outStride) {
    if (w.rotated) {
      for (int t = 0; t < 9; ++t) taps[8 - t][lane] = from[t];
    } else {
      for (int t = 0; t < 9; ++t) taps[t][lane] = from[t];
    }
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

}  // namespace

std::shared_ptr<Storage> packFilters(const float* w, i64 filters, i64 channels, Filters kind, simd::Level level) {
  const View view = kind == Filters::Forward ? View{w, channels, filters, 9, channels * 9, false}
                                             : View{w, filters, channels, channels * 9, 9, true};
  std::shared_ptr<Storage> packed;
  withIsa(level, [&](auto isa) EMBER_SIMD_BODY {
    using Isa = decltype(isa);
    const i64 floats = frequencies * filtersApart<Isa>(view.in, view.out);
    packed = std::make_shared<Storage>(static_cast<std::size_t>(floats) * sizeof(float));
  });
  float* data = static_cast<float*>(packed->data());
  parallelFor(view.in, std::max<i64>(1, 4096 / view.out), [&](i64 begin, i64 end) {
    withIsa(level, [&](auto isa) EMBER_SIMD_BODY {
      using Isa = decltype(isa);
      const i64 columns = paddedColumns<Isa>(view.out), apart = filtersApart<Isa>(view.in, view.out);
      for (i64 start = 0; start < columns; start += panel<Isa>) {
        const i64 width = std::min<i64>(panel<Isa>, columns - start);
        for (i64 in = begin; in < end; ++in) {
          for (i64 j = 0; j < width; j += Isa::lanes) {
            transformFilter<Isa>(view, in, start + j, data + start * view.in + in * width + j, apart);
          }
        }
      }
    });
  });
  return packed;
}

}  // namespace ember::core::winograd
