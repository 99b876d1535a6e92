#pragma once
#include <vector>

#include <ember/core/NDArray.h>

/// Kernels that move elements: joins, pads, rows.
namespace ember::core {

/// Joins along `axis`; other sizes and dtypes must agree (ShapeError, DtypeError).
NDArray concat(const std::vector<NDArray>& parts, int axis);
Shape concatShape(const std::vector<NDArray>& parts, int axis, const char* op);

/// Constant padding: `before[i]`/`after[i]` elements of `value` on each axis (negative: ValueError).
NDArray pad(const NDArray& x, const std::vector<i64>& before, const std::vector<i64>& after, double value);

/// Adjoint of NDArray::slice: zeros of `shape` with x written into the slice.
NDArray unslice(const NDArray& x, const Shape& shape, int axis, i64 start, i64 step);

/// The elements in reverse order along each of `axes` (positions, none twice).
NDArray flip(const NDArray& x, const std::vector<int>& axes);

/// Rows x[index[i]] along axis 0, index i64 [n]; out of range throws ValueError with position and value.
NDArray takeRows(const NDArray& x, const std::vector<i64>& index);

}  // namespace ember::core
