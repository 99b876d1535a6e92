#include <ember/core/kernels/MatrixView.h>

namespace ember::core {
namespace {

/// Whether each axis steps over all of the axes with smaller strides.
bool nested(const Shape& shape, const Strides& strides) {
  for (int outer = 0; outer < shape.rank(); ++outer) {
    for (int inner = 0; inner < shape.rank(); ++inner) {
      if (outer == inner || shape[outer] == 1 || shape[inner] == 1 || strides[inner] > strides[outer]) continue;
      if (strides[inner] == strides[outer] || strides[outer] / strides[inner] < shape[inner]) return false;
    }
  }
  return true;
}

/// Strides that fit, given that axes of size 1 may take any; empty if there are none.
Strides fittingStrides(const Shape& shape, Strides strides) {
  const int row = shape.rank() - 2, column = shape.rank() - 1;
  for (int i = 0; i < row; ++i) {
    if (shape[i] > 1 && strides[i] <= 0) return {};
    if (shape[i] == 1) strides[i] = 0;
  }
  const i64 rows = shape[row], columns = shape[column];
  if (columns == 1 || strides[column] == 1) {
    strides[column] = 1;
    if (rows == 1) strides[row] = columns;
    if (strides[row] >= columns && nested(shape, strides)) return strides;
  }
  if (rows == 1 || strides[row] == 1) {
    strides[row] = 1;
    if (strides[column] >= rows && nested(shape, strides)) return strides;
  }
  return {};
}

}  // namespace

MatrixView::MatrixView(const NDArray& x) : array(x), shape(x.shape()), strides(fittingStrides(x.shape(), x.strides())) {
  if (!strides.empty()) return;
  array = x.contiguous();
  strides = fittingStrides(shape, array.strides());
}

}  // namespace ember::core
