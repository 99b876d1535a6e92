// The second pass of the backward: dx = a·g + b·u + c.
#include <ember/core/Threads.h>
#include <ember/core/kernels/BatchNormBackward.h>

namespace ember::core {
namespace batchnorm {
namespace {

template <class Isa, int pairs, bool fromY, Act act, class S, class T>
EMBER_INLINE void gradStrip(const S* v, const S* dy, S* dx, i64 rows, i64 width, const Lanes<T>& l, i64 j,
                            bool streaming) {
  using V = VectorOf<Isa, T>;
  constexpr i64 pair = 2 * lanes<Isa, T>;
  const Strip<Isa, pairs, S> strip(l, j);
  V b[pairs][2], c[pairs][2];
  for (int p = 0; p < pairs; ++p) {
    loadLanes2<Isa, S>(l.b + j + p * pair, b[p]);
    loadLanes2<Isa, S>(l.c + j + p * pair, c[p]);
  }
  for (i64 r = 0; r < rows; ++r) {
    for (int p = 0; p < pairs; ++p) {
      const i64 at = r * width + j + p * pair;
      V u[2], g[2];
      strip.template unfold2<fromY, act>(p, v + at, dy + at, u, g);
      for (int h = 0; h < 2; ++h) g[h] = strip.scale[2 * p + h] * g[h] + (b[p][h] * u[h] + c[p][h]);
      store2<Isa>(dx + at, g, streaming);
    }
  }
}

template <class S>
void inputGrad(const S* v, const S* dy, S* dx, const Rows& rows, const BatchNormSaved& saved, const BatchNormSums& sums,
               i64 count) {
  using T = Arithmetic<S>;
  ChannelConstants<T> k(saved, rows, 2);
  const ChannelValues g(sums.g), gxh(sums.gxh);
  for (i64 c = 0; c < rows.channels; ++c) {
    const double share = sums.g.defined() ? -k[c].scale / static_cast<double>(count) : 0;
    k.wide.set(3, c, share * k[c].p * gxh[c]);
    k.wide.set(4, c, share * (g[c] + k[c].q * gxh[c]));
  }
  const Lanes<T> l{
      k.wide[0], k.wide[1], k.wide[2], k.wide[3], k.wide[4], slopeOf<T>(saved.act), saved.act.kind == Act::Relu};
  const bool streaming = worthStreaming(dx, rows);
  forVariant(saved, [&](auto fromY, auto act) {
    const auto blocks = [&](const S* from, const S* gradient, S* to, const Rows& part, i64 begin, i64 end, bool past) {
      simd<S>([&](auto isa) EMBER_SIMD_BODY {
        using Isa = decltype(isa);
        for (i64 i = end; i-- > begin;) {  // backwards, as the forward does
          const i64 at = part.offsetOf(i), n = part.rowsOf(i);
          forStrips<Isa, T>(part.width, [&](i64 j, auto pairs) EMBER_SIMD_BODY {
            gradStrip<Isa, decltype(pairs)::value, decltype(fromY)::value, decltype(act)::value>(
                from + at, gradient + at, to + at, n, part.width, l, j, past);
          });
        }
      });
      if (past) endStreaming();
    };
    parallelFor(rows.blocks, rows.grain(), [&](i64 begin, i64 end) { blocks(v, dy, dx, rows, begin, end, streaming); });
    if (rows.restWidth == 0) return;
    const PaddedRest<S> restDy(dy, rows);
    PaddedRest<S> rest(v, rows);
    blocks(rest.row.data(), restDy.row.data(), rest.row.data(), rows.oneRow(), 0, 1, false);
    rest.copyTo(dx, rows);
  });
}

}  // namespace
}  // namespace batchnorm

NDArray batchNormInputGrad(const NDArray& dy, const BatchNormSaved& saved, const BatchNormSums& sums, i64 count) {
  ComputeScope scope;
  const NDArray v = batchnorm::source(saved), d = dy.contiguous(MemoryOrder::ChannelsLast);
  NDArray dx = NDArray::empty(v.shape(), v.dtype(), MemoryOrder::ChannelsLast);
  if (v.numel() == 0) return dx;
  const batchnorm::Rows rows(v);
  batchnorm::forFloating(v, [&](auto zero) {
    using S = decltype(zero);
    batchnorm::inputGrad(v.data<S>(), d.data<S>(), dx.data<S>(), rows, saved, sums, count);
  });
  return dx;
}

}  // namespace ember::core
