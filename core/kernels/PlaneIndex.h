#pragma once
#include <array>

#include <ember/core/NDArray.h>

/// Elements of spatial planes by their place: a plane is all spatial axes of one image and channel, counted row-major,
/// so an index means the same whatever lies how in memory. Data f32 or f64 [N, C, ...], indices i64.
namespace ember::core {

/// y[n,c,j] = x[n, c, index[n,c,j]], shape of `index`; 0 where the index is -1. Others outside the plane: ValueError.
NDArray planeGather(const NDArray& x, const NDArray& index, const char* op);
/// The adjoint: zeros of `shape` [N, C, ...] with x added at its indices, in their order.
NDArray planeScatter(const NDArray& x, const NDArray& index, const Shape& shape, const char* op);
/// `index` with -1 wherever a later element of the same plane stands at the same place of `shape`, so that writing and
/// adding are the same. Throws ValueError on an index outside the plane.
NDArray lastAtEachPlace(const NDArray& index, const Shape& shape, const char* op);
/// The place of the greatest element (the first of equal ones; NaN wins) in each of size[0] x ... bins per plane; bin p
/// of axis a of n elements is [floor(p·n/size[a]), ceil((p + 1)·n/size[a])).
NDArray binMaxIndices(const NDArray& x, const std::array<i64, 3>& size);

}  // namespace ember::core
