#include <ember/core/kernels/winograd/Product.h>

namespace ember::core::winograd {
namespace {

/// Sums of outer products, a left element times vectors of the right operand, stay in registers over all steps.
template <class Isa, int rows, int vectors>
EMBER_INLINE void multiplyRows(const Product& p, const float* left, float* result) {
  constexpr int lanes = Isa::lanes;
  using V = Vec<lanes>;
  constexpr int bases = (rows + 2) / 3;  // addresses are base, base + leftRow and base + 2 leftRow
  V sum[rows][vectors];
  unrolled<rows>([&](auto i) EMBER_SIMD_BODY { unrolled<vectors>([&](auto j) EMBER_SIMD_BODY { sum[i][j] = V{}; }); });
  const float* base[bases];
  const float* right = p.right;
  const i64 leftRow = p.leftRow, leftStep = p.leftStep, rightStep = p.rightStep;
  unrolled<bases>([&](auto i) EMBER_SIMD_BODY { base[i] = left + 3 * i * leftRow; });
  for (i64 step = 0; step < p.steps; ++step) {
    V r[vectors];
    unrolled<vectors>([&](auto j) EMBER_SIMD_BODY { r[j] = load<lanes>(right + j * lanes); });
    unrolled<rows>([&](auto i) EMBER_SIMD_BODY {
      const float l = base[i / 3][i % 3 * leftRow];
      unrolled<vectors>([&](auto j) EMBER_SIMD_BODY { sum[i][j] += l * r[j]; });
    });
    right += rightStep;
    unrolled<bases>([&](auto i) EMBER_SIMD_BODY { base[i] += leftStep; });
  }
  unrolled<rows>([&](auto i) EMBER_SIMD_BODY {
    unrolled<vectors>([&](auto j) EMBER_SIMD_BODY {
      float* to = result + i * p.resultRow + j * lanes;
      if (p.add) sum[i][j] += load<lanes>(to);
      store<lanes>(to, sum[i][j]);
    });
  });
}

template <class Isa, int vectors>
EMBER_INLINE void multiplyColumns(const Product& p, Ahead& ahead) {
  const float* left = p.left;
  float* result = p.result;
  i64 rows = p.rows;
  const auto take = [&](auto count) EMBER_SIMD_BODY {
    multiplyRows<Isa, count, vectors>(p, left, result);
    left += count * p.leftRow;
    result += count * p.resultRow;
    rows -= count;
    ahead.fetch();
  };
  while (rows >= Isa::rows) take(std::integral_constant<int, Isa::rows>{});
  if constexpr (Isa::rows > 8) {
    if (rows >= 8) take(std::integral_constant<int, 8>{});
  }
  if constexpr (Isa::rows > 4) {
    if (rows >= 4) take(std::integral_constant<int, 4>{});
  }
  if (rows >= 2) take(std::integral_constant<int, 2>{});
  if (rows >= 1) take(std::integral_constant<int, 1>{});
}

}  // namespace

void multiply(const Product& p, Ahead& ahead, simd::Level level) {
  withIsa(level, [&](auto isa) EMBER_SIMD_BODY {
    using Isa = decltype(isa);
    if (p.columns > Isa::lanes) {
      multiplyColumns<Isa, 2>(p, ahead);
    } else {
      multiplyColumns<Isa, 1>(p, ahead);
    }
  });
}

}  // namespace ember::core::winograd
