// The first pass of the backward. Blocks are summed in the arithmetic's type, over at most 256 rows, then in f64.
#include <ember/core/Threads.h>
#include <ember/core/kernels/BatchNormBackward.h>

namespace ember::core {
namespace batchnorm {
namespace {

/// What one strip reads: x (or y if it was overwritten) and dy; behind a residual y too, and g is written.
template <class S>
struct Streams {
  const S *v, *dy, *y = nullptr;
  S* g = nullptr;
  Streams at(i64 offset) const { return {v + offset, dy + offset, y ? y + offset : nullptr, g ? g + offset : nullptr}; }
};

/// How g comes from dy: by the activation, from x or from y; or by the sign of y, kept.
template <bool fromYValue, Act actValue>
struct ByAct {
  template <class Isa, int pairs, class S, class V>
  static EMBER_INLINE void unfold(const Strip<Isa, pairs, S>& strip, int p, const Streams<S>& from, i64 at, bool,
                                  V (&u)[2], V (&g)[2]) {
    strip.template unfold2<fromYValue, actValue>(p, from.v + at, from.dy + at, u, g);
  }
};
struct ByOutput {
  template <class Isa, int pairs, class S, class V>
  static EMBER_INLINE void unfold(const Strip<Isa, pairs, S>& strip, int p, const Streams<S>& from, i64 at, bool cuts,
                                  V (&u)[2], V (&g)[2]) {
    unfoldByOutput2(strip, p, from.v + at, from.y + at, from.dy + at, cuts, u, g);
    store2<Isa>(from.g + at, g, false);
  }
};

/// sum(g) and sum(g·u) of the lanes of a strip over `rows` rows of `width`.
template <class Isa, int pairs, class How, class S, class T>
EMBER_INLINE void sumStrip(const Streams<S>& from, i64 rows, i64 width, const Lanes<T>& l, i64 j, T* sumG, T* sumGU) {
  using V = VectorOf<Isa, T>;
  constexpr i64 pair = 2 * lanes<Isa, T>;
  const Strip<Isa, pairs, S> strip(l, j);
  const bool cuts = l.cuts;
  V totalG[pairs][2] = {}, totalGU[pairs][2] = {};
  i64 r = 0;
  for (; r + 4 <= rows; r += 4) {
    for (int p = 0; p < pairs; ++p) {
      V u[4][2], g[4][2];
      for (int k = 0; k < 4; ++k) {
        const i64 at = (r + k) * width + j + p * pair;
        How::unfold(strip, p, from, at, cuts, u[k], g[k]);
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
      How::unfold(strip, p, from, at, cuts, u, g);
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

/// Sums of each block, [blocks + 1, 2, width] in `out`; the rest is a block of one row.
template <class How, class S, class T>
void sumBlocks(const Streams<S>& from, const Rows& rows, const Lanes<T>& l, T* out) {
  const i64 width = rows.width;
  const auto blocks = [&](const Streams<S>& streams, T* to, const Rows& part, i64 begin, i64 end) {
    simd<S>([&](auto isa) EMBER_SIMD_BODY {
      using Isa = decltype(isa);
      for (i64 i = begin; i < end; ++i) {
        const Streams<S> block = streams.at(part.offsetOf(i));
        const i64 count = part.rowsOf(i);
        T* sumsOfBlock = to + 2 * i * width;
        forStrips<Isa, T>(width, [&](i64 j, auto pairs) EMBER_SIMD_BODY {
          sumStrip<Isa, decltype(pairs)::value, How>(block, count, width, l, j, sumsOfBlock, sumsOfBlock + width);
        });
      }
    });
  };
  parallelFor(rows.blocks, rows.grain(), [&](i64 begin, i64 end) { blocks(from, out, rows, begin, end); });
  if (rows.restWidth == 0) return;
  const PaddedRest<S> v(from.v, rows), dy(from.dy, rows), y(from.y, rows);
  PaddedRest<S> g(from.g, rows);
  blocks({v.row.data(), dy.row.data(), y.row.data(), g.row.data()}, out + 2 * rows.blocks * width, rows.oneRow(), 0, 1);
  if (from.g) g.copyTo(from.g, rows);
}

/// Adds to sumG and sumGXh, which are 0.
template <class S>
void sums(const Streams<S>& from, const Rows& rows, const BatchNormSaved& saved, double* sumG, double* sumGXh) {
  using T = Arithmetic<S>;
  ChannelConstants<T> k(saved, rows);
  const Lanes<T> l{
      k.wide[0], k.wide[1], k.wide[2], nullptr, nullptr, slopeOf<T>(saved.act), saved.act.kind == Act::Relu};
  const i64 width = rows.width;
  NDArray results = NDArray::empty({rows.blocks + 1, 2, width}, DTypeOf<T>::value);
  T* out = results.data<T>();
  if (from.g) {
    sumBlocks<ByOutput>(from, rows, l, out);
  } else {
    forVariant(saved, [&](auto fromY, auto act) {
      sumBlocks<ByAct<decltype(fromY)::value, decltype(act)::value>>(from, rows, l, out);
    });
  }
  std::vector<double> lane(static_cast<std::size_t>(2 * width), 0.0);
  for (i64 i = 0; i < rows.blocks; ++i, out += 2 * width) addLanes(lane.data(), out, 2 * width);
  if (rows.restWidth > 0) {
    addLanes(lane.data(), out, rows.restWidth);
    addLanes(lane.data() + width, out + width, rows.restWidth);
  }
  foldLanes(lane.data(), rows, sumG);
  foldLanes(lane.data() + width, rows, sumGXh);
  for (i64 c = 0; c < rows.channels; ++c) sumGXh[c] = k[c].p * sumGXh[c] + k[c].q * sumG[c];
}

}  // namespace
}  // namespace batchnorm

BatchNormSums batchNormSums(const NDArray& dy, const BatchNormSaved& saved, NDArray* gradient) {
  ComputeScope scope;
  const NDArray v = batchnorm::source(saved), d = dy.contiguous(MemoryOrder::ChannelsLast);
  const batchnorm::Rows rows(v);
  BatchNormSums result{NDArray::zeros({rows.channels}, DType::F64), NDArray::zeros({rows.channels}, DType::F64)};
  // Without an activation dy is g already.
  const bool kept = gradient && saved.act.kind != FusedAct::Kind::None;
  if (gradient) *gradient = kept ? NDArray::empty(v.shape(), v.dtype(), MemoryOrder::ChannelsLast) : dy;
  if (v.numel() == 0) return result;
  const NDArray y = kept ? saved.y.contiguous(MemoryOrder::ChannelsLast) : NDArray();
  batchnorm::forFloating(v, [&](auto zero) {
    using S = decltype(zero);
    batchnorm::Streams<S> from{v.data<S>(), d.data<S>()};
    if (kept) {
      from.y = y.data<S>();
      from.g = gradient->data<S>();
    }
    batchnorm::sums(from, rows, saved, result.g.data<double>(), result.gxh.data<double>());
  });
  return result;
}

}  // namespace ember::core
