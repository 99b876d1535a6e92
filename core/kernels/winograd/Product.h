#pragma once
#include <algorithm>

#include <ember/core/Simd.h>
#include <ember/core/kernels/winograd/Isa.h>

/// The matrix products of the frequencies.
namespace ember::core::winograd {

/// result[row][column] = sum over steps of left(row, step) · right(step, column), for `columns` = two vectors or one.
struct Product {
  const float* left;
  i64 leftRow, leftStep;  ///< element (row, step) lies at row · leftRow + step · leftStep
  const float* right;
  i64 rightStep;
  float* result;
  i64 resultRow;
  i64 rows, steps, columns;
  bool add;  ///< to the result, instead of writing it
};

/// Memory that is wanted after the products: fetched a little at a time while they keep the processor busy, for its
/// own foresight does not reach across the short rows of a patch.
struct Ahead {
  const char *first, *firstEnd;    ///< to be read
  const char *second, *secondEnd;  ///< to be written if `writes`, else read
  bool writes;
  i64 atATime;  ///< cache lines of each

  /// Spreads the fetching over that many blocks of rows.
  void spread(i64 blocks) {
    atATime = std::max(firstEnd - first, secondEnd - second) / 64 / std::max<i64>(1, blocks) + 1;
  }
  EMBER_INLINE void fetch() {
    for (i64 i = 0; i < atATime && first < firstEnd; ++i, first += 64) __builtin_prefetch(first, 0, 3);
    if (writes) {
      for (i64 i = 0; i < atATime && second < secondEnd; ++i, second += 64) __builtin_prefetch(second, 1, 3);
    } else {
      for (i64 i = 0; i < atATime && second < secondEnd; ++i, second += 64) __builtin_prefetch(second, 0, 3);
    }
  }
};

void multiply(const Product&, Ahead&, simd::Level);

}  // namespace ember::core::winograd
