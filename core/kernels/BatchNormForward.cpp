// y = act(scale·(x-hi) + shift) with scale = gamma·is, the mean split into hi (rounded to the arithmetic's type) + lo,
// and shift = beta - scale·lo. x-hi is exact where |mean| >> std, and what rounding took from the mean returns through
// shift; scale·x + (beta - scale·mean) would lose it.
#include <ember/core/kernels/BatchNorm.h>

#include <ember/core/Error.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/BatchNormRows.h>
#include <ember/core/kernels/Elementwise.h>

namespace ember::core {
namespace batchnorm {
namespace {

using Act = FusedAct::Kind;

template <Act act, class T>
EMBER_INLINE T activate(T v, T slope) {
  if constexpr (act == Act::Relu) return v < 0 ? T(0) : v;  // NaN stays
  if constexpr (act == Act::LeakyRelu) return v > 0 ? v : v * slope;
  return v;
}

/// Constants of a wide row.
template <class T>
struct Affine {
  const T *hi, *scale, *shift;
  Act act;
  T slope;
};

template <Act act, class S, class T>
EMBER_INLINE void normalizeRows(const S* x, S* y, i64 rows, i64 width, const Affine<T>& a) {
  const T* __restrict hi = a.hi, * __restrict scale = a.scale, * __restrict shift = a.shift;
  const T slope = a.slope;
  i64 r = 0;
  for (; r + 4 <= rows; r += 4) {
    const S *x0 = x + r * width, *x1 = x0 + width, *x2 = x1 + width, *x3 = x2 + width;
    S *y0 = y + r * width, *y1 = y0 + width, *y2 = y1 + width, *y3 = y2 + width;
    EMBER_INDEPENDENT
    for (i64 j = 0; j < width; ++j) {
      const T h = hi[j], s = scale[j], t = shift[j];
      store(y0[j], activate<act>((load(x0[j]) - h) * s + t, slope));
      store(y1[j], activate<act>((load(x1[j]) - h) * s + t, slope));
      store(y2[j], activate<act>((load(x2[j]) - h) * s + t, slope));
      store(y3[j], activate<act>((load(x3[j]) - h) * s + t, slope));
    }
  }
  for (; r < rows; ++r) {
    const S* from = x + r * width;
    S* to = y + r * width;
    EMBER_INDEPENDENT
    for (i64 j = 0; j < width; ++j) store(to[j], activate<act>((load(from[j]) - hi[j]) * scale[j] + shift[j], slope));
  }
}

template <class S, class T>
EMBER_INLINE void normalizeBlock(const S* x, S* y, i64 rows, i64 width, const Affine<T>& a) {
  switch (a.act) {
    case Act::None:
      return normalizeRows<Act::None>(x, y, rows, width, a);
    case Act::Relu:
      return normalizeRows<Act::Relu>(x, y, rows, width, a);
    case Act::LeakyRelu:
      return normalizeRows<Act::LeakyRelu>(x, y, rows, width, a);
  }
}

EMBER_SIMD void normalizeOf(const float* x, float* y, i64 rows, i64 width, const Affine<float>& a) {
  normalizeBlock(x, y, rows, width, a);
}
EMBER_SIMD void normalizeOf(const double* x, double* y, i64 rows, i64 width, const Affine<double>& a) {
  normalizeBlock(x, y, rows, width, a);
}
EMBER_SIMD void normalizeOf(const bf16* x, bf16* y, i64 rows, i64 width, const Affine<float>& a) {
  normalizeBlock(x, y, rows, width, a);
}

template <class S>
void run(const S* x, S* y, const Rows& rows, std::vector<double> hi, const std::vector<double>& invstd,
         const std::vector<double>& gamma, const std::vector<double>& beta, const FusedAct& act) {
  using T = Arithmetic<S>;
  std::vector<double> scale(hi.size()), shift(hi.size());
  for (std::size_t c = 0; c < hi.size(); ++c) {
    const double mean = hi[c];
    hi[c] = static_cast<double>(static_cast<T>(mean));
    scale[c] = gamma[c] * invstd[c];
    shift[c] = beta[c] - (mean - hi[c]) * scale[c];
  }
  const std::vector<T> wideHi = spread<T>(hi, rows), wideScale = spread<T>(scale, rows),
                       wideShift = spread<T>(shift, rows);
  const Affine<T> affine{wideHi.data(), wideScale.data(), wideShift.data(), act.kind, static_cast<T>(act.slope)};
  parallelFor(rows.blocks, rows.grain(), [&](i64 begin, i64 end) {
    // Backwards: the statistics pass left the end of the range in the cache.
    for (i64 b = end; b-- > begin;) {
      normalizeOf(x + rows.offsetOf(b), y + rows.offsetOf(b), rows.rowsOf(b), rows.width, affine);
    }
  });
  if (rows.restWidth > 0) normalizeOf(x + rows.restOffset(), y + rows.restOffset(), 1, rows.restWidth, affine);
}

}  // namespace
}  // namespace batchnorm

NDArray normalize(const NDArray& x, const NDArray& mean, const NDArray& invstd, const NDArray& gamma,
                  const NDArray& beta, const FusedAct& act, NDArray out) {
  batchnorm::checkInput(x, "batchNorm");
  ComputeScope scope;
  const NDArray dense = x.contiguous(MemoryOrder::ChannelsLast);
  const bool direct = out.defined() && out.isDense(MemoryOrder::ChannelsLast);
  NDArray y = direct ? out : NDArray::empty(x.shape(), x.dtype(), MemoryOrder::ChannelsLast);
  if (x.numel() > 0) {
    const batchnorm::Rows rows(dense);
    batchnorm::forFloating(dense, [&](auto zero) {
      using S = decltype(zero);
      batchnorm::run(dense.data<S>(), y.data<S>(), rows, mean.toVector<double>(), invstd.toVector<double>(),
                     batchnorm::valuesOr(gamma, 1, rows.channels), batchnorm::valuesOr(beta, 0, rows.channels), act);
    });
  }
  if (!out.defined() || direct) return y;
  copyInto(out, y, nullptr);
  return out;
}

}  // namespace ember::core
