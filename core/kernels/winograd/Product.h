#pragma once
#include <algorithm>

#include <ember/core/kernels/winograd/Isa.h>

/// The matrix products of the frequencies: sums of outer products, a left operand's element times vectors of the right
/// operand, held in registers over all steps.
namespace ember::core::winograd {

/// Columns of the right operand that the kernel takes at a time.
template <class Isa>
inline constexpr i64 panel = 2 * Isa::lanes;

/// left: element (row, step) at row · leftRow + step · leftStep; right: row `step` at step · rightStep, result: [rows]
/// [resultRow].
struct Product {
  const float* left;
  i64 leftRow, leftStep;
  const float* right;
  i64 rightStep;
  i64 steps;
  float* result;
  i64 resultRow;
};

/// Memory that is wanted after the products: fetched a little at a time while they keep the processor busy, for its
/// own foresight does not reach across the short rows of a patch.
struct Ahead {
  const char *first, *firstEnd;    ///< to be read
  const char *second, *secondEnd;  ///< to be written if `writes`, else read
  bool writes;
  i64 atATime;  ///< cache lines of each

  EMBER_INLINE void fetch() {
    for (i64 i = 0; i < atATime && first < firstEnd; ++i, first += 64) __builtin_prefetch(first, 0, 3);
    for (i64 i = 0; i < atATime && second < secondEnd; ++i, second += 64) {
      if (writes)
        __builtin_prefetch(second, 1, 3);
      else
        __builtin_prefetch(second, 0, 3);
    }
  }
  /// Spreads the fetching over that many products.
  void spread(i64 products) {
    atATime = std::max(firstEnd - first, secondEnd - second) / 64 / std::max<i64>(1, products) + 1;
  }
};

template <class Isa, int rows, int vectors, bool add>
EMBER_INLINE void multiplyBlock(const Product& p, const float* left, const float* right, i64 rightStep, float* result) {
  constexpr int lanes = Isa::lanes;
  using V = Vec<lanes>;
  constexpr int bases = (rows + 2) / 3;  // addresses are base, base + leftRow and base + 2 leftRow
  V sum[rows][vectors];
  unrolled<rows>([&](auto i) EMBER_SIMD_BODY { unrolled<vectors>([&](auto j) EMBER_SIMD_BODY { sum[i][j] = V{}; }); });
  const float* base[bases];
  const i64 leftRow = p.leftRow, leftStep = p.leftStep;
  unrolled<bases>([&](auto i) EMBER_SIMD_BODY { base[i] = left + 3 * i * leftRow; });
  for (i64 step = 0; step < p.steps; ++step) {
    V r[vectors];
    unrolled<vectors>([&](auto j) EMBER_SIMD_BODY { r[j] = load<lanes>(right + j * lanes); });
    unrolled<rows>([&](auto i) EMBER_SIMD_BODY {
      const V l = broadcast<lanes>(base[i / 3][i % 3 * leftRow]);
      unrolled<vectors>([&](auto j) EMBER_SIMD_BODY { sum[i][j] += l * r[j]; });
    });
    right += rightStep;
    unrolled<bases>([&](auto i) EMBER_SIMD_BODY { base[i] += leftStep; });
  }
  unrolled<rows>([&](auto i) EMBER_SIMD_BODY {
    unrolled<vectors>([&](auto j) EMBER_SIMD_BODY {
      float* to = result + i * p.resultRow + j * lanes;
      if constexpr (add) sum[i][j] += load<lanes>(to);
      store<lanes>(to, sum[i][j]);
    });
  });
}

/// All rows of one panel.
template <class Isa, int vectors, bool add>
EMBER_INLINE void multiplyPanel(const Product& p, i64 rows, const float* right, i64 rightStep, float* result,
                                Ahead& ahead) {
  const float* left = p.left;
  const auto block = [&](auto count) EMBER_SIMD_BODY {
    multiplyBlock<Isa, count, vectors, add>(p, left, right, rightStep, result);
    left += count * p.leftRow;
    result += count * p.resultRow;
    rows -= count;
    ahead.fetch();
  };
  while (rows >= Isa::rows) block(std::integral_constant<int, Isa::rows>{});
  if constexpr (Isa::rows > 8) {
    if (rows >= 8) block(std::integral_constant<int, 8>{});
  }
  if constexpr (Isa::rows > 4) {
    if (rows >= 4) block(std::integral_constant<int, 4>{});
  }
  if (rows >= 2) block(std::integral_constant<int, 2>{});
  if (rows >= 1) block(std::integral_constant<int, 1>{});
}

}  // namespace ember::core::winograd
