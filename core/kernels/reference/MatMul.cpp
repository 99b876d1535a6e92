#include <ember/core/kernels/reference/MatMul.h>

#include <algorithm>

#include <ember/core/Threads.h>

namespace ember::core::reference {
namespace {

template <class T>
void addProductOf(const MatrixView& a, const MatrixView& b, const NDArray& y) {
  const int rank = y.rank();
  const i64 rows = y.size(-2), columns = y.size(-1), inner = a.shape.back();
  const i64 stepA = a.strides.back(), stepB = b.strides[rank - 2];
  // A row is a thread's work from some ten thousand multiply-adds on.
  parallelFor(y.numel() / columns, std::max<i64>(1, 16384 / std::max<i64>(1, columns * inner)),
              [&](i64 begin, i64 end) {
                for (i64 row = begin; row < end; ++row) {
                  i64 offsetA = row % rows * a.strides[rank - 2], offsetB = 0, rest = row / rows;
                  for (int axis = rank - 3; axis >= 0; --axis) {
                    const i64 index = rest % y.size(axis);
                    rest /= y.size(axis);
                    if (a.shape[axis] > 1) offsetA += index * a.strides[axis];
                    if (b.shape[axis] > 1) offsetB += index * b.strides[axis];
                  }
                  for (i64 column = 0; column < columns; ++column) {
                    const T* left = a.array.data<T>() + offsetA;
                    const T* right = b.array.data<T>() + offsetB + column * b.strides.back();
                    T& result = y.data<T>()[row * columns + column];
                    auto sum = static_cast<double>(result);
                    for (i64 k = 0; k < inner; ++k)
                      sum += static_cast<double>(left[k * stepA]) * static_cast<double>(right[k * stepB]);
                    result = static_cast<T>(sum);
                  }
                }
              });
}

template <class T>
void addToRowsOf(const NDArray& y, const NDArray& row) {
  const i64 columns = row.numel();
  for (i64 i = 0; i < y.numel(); ++i) y.data<T>()[i] += row.data<T>()[i % columns];
}

}  // namespace

void addProduct(const MatrixView& a, const MatrixView& b, const NDArray& y) {
  if (y.dtype() == DType::F64) {
    addProductOf<double>(a, b, y);
  } else {
    addProductOf<float>(a, b, y);
  }
}

void addToRows(const NDArray& y, const NDArray& row) {
  if (y.dtype() == DType::F64) {
    addToRowsOf<double>(y, row);
  } else {
    addToRowsOf<float>(y, row);
  }
}

}  // namespace ember::core::reference
