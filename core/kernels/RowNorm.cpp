#include <algorithm>
#include <cmath>

#include <ember/core/Threads.h>
#include <ember/core/kernels/MapDense.h>
#include <ember/core/kernels/RowNorm.h>

namespace ember::core {
namespace {

/// Sum of term(i) over i < count: sixteen chains side by side, which the compiler can vectorise.
template <class Term>
EMBER_INLINE double sumOf(i64 count, const Term& term) {
  constexpr int lanes = 16;
  double part[lanes] = {};
  i64 i = 0;
  for (; i + lanes <= count; i += lanes) {
    for (int k = 0; k < lanes; ++k) part[k] += term(i + k);
  }
  for (int width = lanes / 2; width > 0; width /= 2) {
    for (int k = 0; k < width; ++k) part[k] += part[k + width];
  }
  for (; i < count; ++i) part[0] += term(i);
  return part[0];
}

/// row(r) for every row of x, shared among the threads.
template <class T, class Row>
void forEachRow(const NDArray& x, const Row& row) {
  const i64 n = x.size(1);
  parallelFor(x.size(0), std::max<i64>(1, elementwiseGrain / std::max<i64>(1, n)), [&](i64 begin, i64 end) {
    simd::runFor<T>([=, &row]() EMBER_SIMD_BODY {
      for (i64 r = begin; r < end; ++r) row(r);
    });
  });
}

}  // namespace

RowNormResult rowNorm(const NDArray& x, double epsilon, bool centred) {
  const NDArray in = x.contiguous();
  RowNormResult result{NDArray::empty(x.shape(), x.dtype()), NDArray::empty({x.size(0)}, DType::F64)};
  const i64 n = x.size(1);
  if (x.numel() == 0) return result;
  dispatchFloating("rowNorm", x, [&](auto zero) {
    using T = decltype(zero);
    const T* from = in.data<T>();
    T* to = result.y.data<T>();
    double* scales = result.invstd.data<double>();
    forEachRow<T>(x, [=](i64 r) EMBER_SIMD_BODY {
      const T* a = from + r * n;
      T* b = to + r * n;
      const auto count = static_cast<double>(n);
      const double mean =
          centred ? sumOf(n, [a](i64 i) EMBER_SIMD_BODY { return static_cast<double>(a[i]); }) / count : 0;
      const double squares = sumOf(n, [a, mean](i64 i) EMBER_SIMD_BODY {
        const double apart = static_cast<double>(a[i]) - mean;
        return apart * apart;
      });
      const double root = std::sqrt(squares / count + epsilon), scale = root == 0 ? 0 : 1 / root;
      scales[r] = scale;
      EMBER_NO_ALIAS for (i64 i = 0; i < n; ++i) b[i] = static_cast<T>((static_cast<double>(a[i]) - mean) * scale);
    });
    return result.y;
  });
  return result;
}

NDArray rowNormBackward(const NDArray& dy, const NDArray& y, const NDArray& invstd, bool centred) {
  const NDArray gradient = dy.contiguous(), value = y.contiguous();
  const NDArray result = NDArray::empty(y.shape(), y.dtype());
  const i64 n = y.size(1);
  if (y.numel() == 0) return result;
  return dispatchFloating("rowNorm", y, [&](auto zero) {
    using T = decltype(zero);
    const T *dys = gradient.data<T>(), *ys = value.data<T>();
    T* to = result.data<T>();
    const double* scales = invstd.data<double>();
    forEachRow<T>(y, [=](i64 r) EMBER_SIMD_BODY {
      const T *g = dys + r * n, *v = ys + r * n;
      T* b = to + r * n;
      const auto count = static_cast<double>(n);
      const double mean =
          centred ? sumOf(n, [g](i64 i) EMBER_SIMD_BODY { return static_cast<double>(g[i]); }) / count : 0;
      const double along =
          sumOf(n, [g, v](i64 i) EMBER_SIMD_BODY { return static_cast<double>(g[i]) * static_cast<double>(v[i]); }) /
          count;
      const double scale = scales[r];
      EMBER_NO_ALIAS for (i64 i = 0; i < n; ++i) {
        b[i] = static_cast<T>(scale * (static_cast<double>(g[i]) - mean - static_cast<double>(v[i]) * along));
      }
    });
    return result;
  });
}

}  // namespace ember::core
