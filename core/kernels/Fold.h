#pragma once
#include <limits>
#include <type_traits>

#include <ember/core/DType.h>
#include <ember/core/kernels/SimdRun.h>

/// What a reduction does with each element, and the loops that do it over a run of memory.
namespace ember::core {

/// Sums of floats run in f64, of integers in 64 bits that wrap.
template <class T> struct SumFold {
  using Acc = std::conditional_t<std::is_floating_point_v<T>, double, u64>;
  static constexpr Acc identity = 0;
  static EMBER_INLINE Acc step(Acc a, T v) { return a + static_cast<Acc>(v); }
  static EMBER_INLINE Acc join(Acc a, Acc b) { return a + b; }
};
template <class T> struct SquaresFold : SumFold<T> {
  using Acc = double;
  static EMBER_INLINE Acc step(Acc a, T v) { return a + static_cast<Acc>(v) * static_cast<Acc>(v); }
};
template <class T> struct ProdFold {
  using Acc = std::conditional_t<std::is_floating_point_v<T>, double, u64>;
  static constexpr Acc identity = 1;
  static EMBER_INLINE Acc step(Acc a, T v) { return a * static_cast<Acc>(v); }
  static EMBER_INLINE Acc join(Acc a, Acc b) { return a * b; }
};
/// NaN wins. The bitwise | keeps branches out of the loops.
template <class T> struct MaxFold {
  using Acc = T;
  static constexpr Acc identity =
      std::is_floating_point_v<T> ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();
  static EMBER_INLINE Acc step(Acc a, T v) { return ((a > v) | (a != a)) ? a : v; }
  static EMBER_INLINE Acc join(Acc a, Acc b) { return step(a, b); }
};
template <class T> struct MinFold {
  using Acc = T;
  static constexpr Acc identity =
      std::is_floating_point_v<T> ? std::numeric_limits<T>::infinity() : std::numeric_limits<T>::max();
  static EMBER_INLINE Acc step(Acc a, T v) { return ((a < v) | (a != a)) ? a : v; }
  static EMBER_INLINE Acc join(Acc a, Acc b) { return step(a, b); }
};

/// One value from `count` elements. Sixteen chains side by side: floats may not be reordered by the compiler, so the
/// independent chains are what it can vectorise.
template <class Fold, class T> EMBER_INLINE typename Fold::Acc foldRun(const T* x, i64 count, i64 stride) {
  using Acc = typename Fold::Acc;
  constexpr int lanes = 16;
  Acc result = Fold::identity;
  i64 i = 0;
  if (stride == 1 && count >= lanes) {
    Acc part[lanes];
    for (int k = 0; k < lanes; ++k) part[k] = Fold::identity;
    for (; i + lanes <= count; i += lanes) {
      for (int k = 0; k < lanes; ++k) part[k] = Fold::step(part[k], x[i + k]);
    }
    for (int width = lanes / 2; width > 0; width /= 2) {
      for (int k = 0; k < width; ++k) part[k] = Fold::join(part[k], part[k + width]);
    }
    result = part[0];
  }
  for (; i < count; ++i) result = Fold::step(result, x[i * stride]);
  return result;
}

/// acc[c] from `rows` rows of `columns` elements each. Four rows a pass save three of four loads and stores of acc.
template <class Fold, class T>
EMBER_INLINE void foldRows(typename Fold::Acc* acc, const T* x, i64 rows, i64 rowStride, i64 columns, i64 step) {
  using Acc = typename Fold::Acc;
  i64 r = 0;
  for (; r + 4 <= rows; r += 4) {
    const T *a = x + r * rowStride, *b = a + rowStride, *c = b + rowStride, *d = c + rowStride;
    if (step == 1) {
      EMBER_NO_ALIAS for (i64 i = 0; i < columns; ++i) {
        const Acc first = Fold::step(Fold::step(Fold::identity, a[i]), b[i]);
        const Acc second = Fold::step(Fold::step(Fold::identity, c[i]), d[i]);
        acc[i] = Fold::join(acc[i], Fold::join(first, second));
      }
    } else {
      for (i64 i = 0; i < columns; ++i) {
        const Acc first = Fold::step(Fold::step(Fold::identity, a[i * step]), b[i * step]);
        const Acc second = Fold::step(Fold::step(Fold::identity, c[i * step]), d[i * step]);
        acc[i] = Fold::join(acc[i], Fold::join(first, second));
      }
    }
  }
  for (; r < rows; ++r) {
    for (i64 i = 0; i < columns; ++i) acc[i] = Fold::step(acc[i], x[r * rowStride + i * step]);
  }
}

}  // namespace ember::core
