#pragma once
#include <ember/core/NDArray.h>

namespace ember::core {

/// A batch of matrices [..., rows, columns] as BLAS and oneDNN want them: one of the last two strides is 1 and the
/// other at least as large as that axis, and no two axes reach into each other, which oneDNN refuses even where they
/// don't meet (every second row of 5: a matrix takes 6 rows, the next begins after 5). `array` keeps the memory; sizes and strides may differ from its own for axes
/// of size 1.
struct MatrixView {
  NDArray array;
  Shape shape;
  Strides strides;

  /// Copies only if the strides of x don't allow it.
  explicit MatrixView(const NDArray& x);
  bool transposed() const noexcept { return strides.back() != 1; }
  /// Distance of rows, or of columns if transposed.
  i64 leading() const noexcept { return transposed() ? strides.back() : strides[strides.rank() - 2]; }
};

}  // namespace ember::core
