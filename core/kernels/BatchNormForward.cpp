// y = act(scale·(x-hi) + shift + residual) with scale = gamma·is, the mean split into hi (rounded to the arithmetic's
// type) + lo, and shift = beta - scale·lo. x-hi is exact where |mean| >> std, and what rounding took from the mean
// returns through shift; scale·x + (beta - scale·mean) would lose it.
#include <ember/core/kernels/BatchNorm.h>

#include <ember/core/Error.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/BatchNormRows.h>
#include <ember/core/kernels/BatchNormSimd.h>
#include <ember/core/kernels/Elementwise.h>

namespace ember::core {
namespace batchnorm {
namespace {

using Act = FusedAct::Kind;

/// Constants of a wide row.
template <class T>
struct Affine {
  const T *hi, *scale, *shift;
  T slope;    // below zero: 1 for None, 0 for Relu
  bool cuts;  // below zero is 0, also where that would be infinity times 0
};

/// What stands before the loops as a constant. Residual is any activation behind the addition: memory bounds it, so one
/// loop serves all.
enum class Form : u8 { None, Relu, LeakyRelu, Residual };

template <class Isa, int pairs, Form form, class S, class T>
EMBER_INLINE void normalizeStrip(const S* x, const S* residual, S* y, i64 rows, i64 width, const Affine<T>& affine,
                                 i64 j, bool streaming) {
  using V = VectorOf<Isa, T>;
  constexpr i64 pair = 2 * lanes<Isa, T>;
  V hi[pairs][2], scale[pairs][2], shift[pairs][2];
  for (int p = 0; p < pairs; ++p) {
    loadLanes2<Isa, S>(affine.hi + j + p * pair, hi[p]);
    loadLanes2<Isa, S>(affine.scale + j + p * pair, scale[p]);
    loadLanes2<Isa, S>(affine.shift + j + p * pair, shift[p]);
  }
  const V zero{}, slope = broadcast<Isa>(affine.slope);
  const bool cuts = affine.cuts;
  for (i64 r = 0; r < rows; ++r) {
    for (int p = 0; p < pairs; ++p) {
      const i64 at = r * width + j + p * pair;
      V v[2], r2[2];
      load2<Isa>(x + at, v);
      if constexpr (form == Form::Residual) load2<Isa>(residual + at, r2);
      for (int h = 0; h < 2; ++h) {
        v[h] = (v[h] - hi[p][h]) * scale[p][h] + shift[p][h];
        if constexpr (form == Form::Relu) v[h] = v[h] < zero ? zero : v[h];  // NaN stays
        if constexpr (form == Form::LeakyRelu) v[h] = v[h] > zero ? v[h] : v[h] * slope;
        if constexpr (form == Form::Residual) {
          v[h] += r2[h];
          const V below = cuts ? zero : v[h] * slope;
          v[h] = v[h] < zero ? below : v[h];
        }
      }
      store2<Isa>(y + at, v, streaming);
    }
  }
}

template <Form form, class S, class T>
void normalizeBlocks(const S* x, const S* residual, S* y, const Rows& rows, const Affine<T>& affine, i64 begin, i64 end,
                     bool streaming) {
  simd<S>([&](auto isa) EMBER_SIMD_BODY {
    using Isa = decltype(isa);
    // Backwards: the statistics pass left the end of the range in the cache.
    for (i64 b = end; b-- > begin;) {
      const i64 at = rows.offsetOf(b), count = rows.rowsOf(b);
      forStrips<Isa, T>(rows.width, [&](i64 j, auto pairs) EMBER_SIMD_BODY {
        normalizeStrip<Isa, decltype(pairs)::value, form>(x + at, residual ? residual + at : nullptr, y + at, count,
                                                          rows.width, affine, j, streaming);
      });
    }
  });
  if (streaming) endStreaming();
}

template <Form form, class S, class T>
void normalizeAll(const S* x, const S* residual, S* y, const Rows& rows, const Affine<T>& affine) {
  const bool streaming = worthStreaming(y, rows) && x != y;
  parallelFor(rows.blocks, rows.grain(),
              [&](i64 begin, i64 end) { normalizeBlocks<form>(x, residual, y, rows, affine, begin, end, streaming); });
  if (rows.restWidth == 0) return;
  PaddedRest<S> rest(x, rows);
  const PaddedRest<S> restOfResidual(residual, rows);
  normalizeBlocks<form>(rest.row.data(), restOfResidual.row.data(), rest.row.data(), rows.oneRow(), affine, 0, 1,
                        false);
  rest.copyTo(y, rows);
}

/// What act multiplies negative values by.
double slopeBelowZero(const FusedAct& act) { return act.kind == Act::None ? 1 : act.kind == Act::Relu ? 0 : act.slope; }

template <class S>
void run(const S* x, const S* residual, S* y, const Rows& rows, const ChannelValues& means, const ChannelValues& invstd,
         const ChannelValues& gamma, const ChannelValues& beta, const FusedAct& act) {
  using T = Arithmetic<S>;
  WideConstants<T> wide(rows, 3);
  for (i64 c = 0; c < rows.channels; ++c) {
    const double mean = means[c], hi = static_cast<double>(static_cast<T>(mean)), scale = gamma[c] * invstd[c];
    wide.set(0, c, hi);
    wide.set(1, c, scale);
    wide.set(2, c, beta[c] - (mean - hi) * scale);
  }
  const Affine<T> affine{wide[0], wide[1], wide[2], static_cast<T>(slopeBelowZero(act)), act.kind == Act::Relu};
  if (residual) return normalizeAll<Form::Residual>(x, residual, y, rows, affine);
  switch (act.kind) {
    case Act::None:
      return normalizeAll<Form::None>(x, residual, y, rows, affine);
    case Act::Relu:
      return normalizeAll<Form::Relu>(x, residual, y, rows, affine);
    case Act::LeakyRelu:
      return normalizeAll<Form::LeakyRelu>(x, residual, y, rows, affine);
  }
}

}  // namespace
}  // namespace batchnorm

NDArray normalize(const NDArray& x, const NDArray& mean, const NDArray& invstd, const NDArray& gamma,
                  const NDArray& beta, const FusedAct& act, NDArray out, const NDArray& residual) {
  batchnorm::checkInput(x, "batchNorm");
  ComputeScope scope;
  const NDArray dense = x.contiguous(MemoryOrder::ChannelsLast);
  const NDArray added = residual.defined() ? residual.contiguous(MemoryOrder::ChannelsLast) : NDArray();
  const bool direct = out.defined() && out.isDense(MemoryOrder::ChannelsLast);
  NDArray y = direct ? out : NDArray::empty(x.shape(), x.dtype(), MemoryOrder::ChannelsLast);
  if (x.numel() > 0) {
    const batchnorm::Rows rows(dense);
    batchnorm::forFloating(dense, [&](auto zero) {
      using S = decltype(zero);
      batchnorm::run(dense.data<S>(), added.defined() ? added.data<S>() : nullptr, y.data<S>(), rows,
                     batchnorm::ChannelValues(mean), batchnorm::ChannelValues(invstd),
                     batchnorm::ChannelValues(gamma, 1), batchnorm::ChannelValues(beta, 0), act);
    });
  }
  if (!out.defined() || direct) return y;
  copyInto(out, y, nullptr);
  return out;
}

}  // namespace ember::core
