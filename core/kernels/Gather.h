#pragma once
#include <ember/core/NDArray.h>

/// Elements at places that an i64 array names. An index beside `axis` may be smaller than the array it points into, not
/// larger (ShapeError); its values lie in [0, size of the axis), or ValueError with the first bad one and its position.
namespace ember::core {

/// y[.., j, ..] = x[.., index[.., j, ..], ..] along `axis`; y has the shape of the index. Any type.
NDArray gather(const NDArray& x, int axis, const NDArray& index, const char* op = "gather");
/// A copy of x with y[.., index[.., j, ..], ..] = source[.., j, ..]; of several sources for one place the last in
/// row-major order wins. The source has the shape of the index and the type of x, which may be any.
NDArray scatter(const NDArray& x, int axis, const NDArray& index, const NDArray& source, const char* op = "scatter");
/// Adjoint of gather: zeros of `shape` with y[.., index[.., j, ..], ..] += x[.., j, ..], added in row-major order.
/// Numbers.
NDArray scatterAdd(const NDArray& x, int axis, const NDArray& index, const Shape& shape, const char* op = "scatterAdd");

/// Positions of the elements that are not 0, in row-major order: i64 [number of them, rank].
NDArray nonZero(const NDArray& x);

}  // namespace ember::core
