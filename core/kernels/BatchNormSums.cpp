// The first pass of the backward. Blocks are summed in the arithmetic's type, over at most 256 rows, then in f64.
#include <ember/core/Threads.h>
#include <ember/core/kernels/BatchNormBackward.h>

namespace ember::core {
namespace batchnorm {
namespace {

/// sum(g) and sum(g·u) of the lanes of a strip over `rows` rows of `width`.
template <class Isa, int pairs, bool fromY, Act act, class S, class T>
EMBER_INLINE void sumStrip(const S* v, const S* dy, i64 rows, i64 width, const Lanes<T>& l, i64 j, T* sumG, T* sumGU) {
  using V = VectorOf<Isa, T>;
  constexpr i64 pair = 2 * lanes<Isa, T>;
  const Strip<Isa, pairs, S> strip(l, j);
  V totalG[pairs][2] = {}, totalGU[pairs][2] = {};
  i64 r = 0;
  for (; r + 4 <= rows; r += 4) {
    for (int p = 0; p < pairs; ++p) {
      V u[4][2], g[4][2];
      for (int k = 0; k < 4; ++k) {
        const i64 at = (r + k) * width + j + p * pair;
        strip.template unfold2<fromY, act>(p, v + at, dy + at, u[k], g[k]);
      }
      for (int h = 0; h < 2; ++h) {
        totalG[p][h] += (g[0][h] + g[1][h]) + (g[2][h] + g[3][h]);
        totalGU[p][h] += (g[0][h] * u[0][h] + g[1][h] * u[1][h]) + (g[2][h] * u[2][h] + g[3][h] * u[3][h]);
      }
    }
  }
  for (; r < rows; ++r) {
    for (int p = 0; p < pairs; ++p) {
      const i64 at = r * width + j + p * pair;
      V u[2], g[2];
      strip.template unfold2<fromY, act>(p, v + at, dy + at, u, g);
      for (int h = 0; h < 2; ++h) {
        totalG[p][h] += g[h];
        totalGU[p][h] += g[h] * u[h];
      }
    }
  }
  for (int p = 0; p < pairs; ++p) {
    storeLanes2<Isa, S>(sumG + j + p * pair, totalG[p]);
    storeLanes2<Isa, S>(sumGU + j + p * pair, totalGU[p]);
  }
}

/// lane[j] += block[j].
template <class T>
EMBER_INLINE void addLanesOf(double* lane, const T* block, i64 count) {
  EMBER_INDEPENDENT
  for (i64 j = 0; j < count; ++j) lane[j] += static_cast<double>(block[j]);
}
EMBER_SIMD void addLanes(double* lane, const float* block, i64 count) { addLanesOf(lane, block, count); }
EMBER_SIMD void addLanes(double* lane, const double* block, i64 count) { addLanesOf(lane, block, count); }

template <class S>
void sums(const S* v, const S* dy, const Rows& rows, const BatchNormSaved& saved, double* sumG, double* sumGXh) {
  using T = Arithmetic<S>;
  const Constants k = constantsOf<T>(saved, rows.channels);
  const std::vector<T> h = spread<T>(k.h, rows), scale = spread<T>(k.scale, rows), shift = spread<T>(k.shift, rows);
  const Lanes<T> l{h.data(), scale.data(), shift.data(), nullptr, nullptr, slopeOf<T>(saved.act)};
  const i64 width = rows.width;
  // The sums of each block, [blocks + 1, 2, width]; the rest is a block of one row.
  NDArray results = NDArray::empty({rows.blocks + 1, 2, width}, DTypeOf<T>::value);
  T* out = results.data<T>();
  forVariant(saved, [&](auto fromY, auto act) {
    const auto blocks = [&](const S* from, const S* gradient, T* to, const Rows& part, i64 begin, i64 end) {
      simd([&](auto isa) EMBER_SIMD_BODY {
        using Isa = decltype(isa);
        for (i64 i = begin; i < end; ++i) {
          const i64 at = part.offsetOf(i), count = part.rowsOf(i);
          T* sumsOfBlock = to + 2 * i * width;
          forStrips<Isa, T>(width, [&](i64 j, auto pairs) EMBER_SIMD_BODY {
            sumStrip<Isa, decltype(pairs)::value, decltype(fromY)::value, decltype(act)::value>(
                from + at, gradient + at, count, width, l, j, sumsOfBlock, sumsOfBlock + width);
          });
        }
      });
    };
    parallelFor(rows.blocks, rows.grain(), [&](i64 begin, i64 end) { blocks(v, dy, out, rows, begin, end); });
    if (rows.restWidth == 0) return;
    const PaddedRest<S> restV(v, rows), restDy(dy, rows);
    blocks(restV.row.data(), restDy.row.data(), out + 2 * rows.blocks * width, rows.oneRow(), 0, 1);
  });
  std::vector<double> lane(static_cast<std::size_t>(2 * width), 0.0), g(k.h.size(), 0.0), gu = g;
  for (i64 i = 0; i < rows.blocks; ++i, out += 2 * width) addLanes(lane.data(), out, 2 * width);
  if (rows.restWidth > 0) {
    addLanes(lane.data(), out, rows.restWidth);
    addLanes(lane.data() + width, out + width, rows.restWidth);
  }
  foldLanes(lane.data(), width, g);
  foldLanes(lane.data() + width, width, gu);
  for (std::size_t c = 0; c < g.size(); ++c) {
    sumG[c] = g[c];
    sumGXh[c] = k.p[c] * gu[c] + k.q[c] * g[c];
  }
}

}  // namespace
}  // namespace batchnorm

BatchNormSums batchNormSums(const NDArray& dy, const BatchNormSaved& saved) {
  ComputeScope scope;
  const NDArray v = batchnorm::source(saved), d = dy.contiguous(MemoryOrder::ChannelsLast);
  const batchnorm::Rows rows(v);
  BatchNormSums result{NDArray::zeros({rows.channels}, DType::F64), NDArray::zeros({rows.channels}, DType::F64)};
  if (v.numel() == 0) return result;
  batchnorm::forFloating(v, [&](auto zero) {
    using S = decltype(zero);
    batchnorm::sums(v.data<S>(), d.data<S>(), rows, saved, result.g.data<double>(), result.gxh.data<double>());
  });
  return result;
}

}  // namespace ember::core
