#pragma once
#include <utility>
#include <vector>

#include <ember/autograd/Tensor.h>

/// Ops that cut, repeat, turn and mask elements, of any type. All are linear and differentiable any number of times.
/// Semantics as the functions of the same names in PyTorch.
namespace ember {

/// Pieces of `size` along `axis` (the last one may be smaller) / of the given sizes, whose sum must be that of the axis
/// (ShapeError). Views.
Tensors split(const Tensor& x, i64 size, int axis = 0);
Tensors split(const Tensor& x, const std::vector<i64>& sizes, int axis = 0);
/// At most `count` pieces of one size along `axis`, the last one smaller; fewer where that size is reached sooner.
/// Views.
Tensors chunk(const Tensor& x, i64 count, int axis = 0);

/// Elements in reverse order along `axes` (empty: all). A copy.
Tensor flip(const Tensor& x, const std::vector<int>& axes = {});
/// Element i of an axis goes to i + shift, those beyond the end to the front. A shift for each of `axes`; without axes
/// one shift of all elements in row-major order. A copy.
Tensor roll(const Tensor& x, const std::vector<i64>& shifts, const std::vector<int>& axes = {});
/// The whole x counts[i] times along axis i, as numpy.tile: counts of more axes than x has add axes in front, fewer is
/// a ShapeError. A copy.
Tensor repeat(const Tensor& x, const std::vector<i64>& counts);
/// Each element `count` times in a row along `axis`, as numpy.repeat. A copy.
Tensor repeatInterleave(const Tensor& x, i64 count, int axis);

/// The diagonal `offset` (above the main one if positive) of the matrices in axes a and b, which give way to one axis
/// at the end. The result may be empty.
Tensor diagonal(const Tensor& x, i64 offset = 0, int a = 0, int b = 1);
/// Sum of the main diagonal of a matrix.
Tensor trace(const Tensor& x);
/// The matrices in the last two axes with 0 below / above diagonal `offset`.
Tensor triu(const Tensor& x, i64 offset = 0);
Tensor tril(const Tensor& x, i64 offset = 0);

/// Differences of neighbours along `axis`, `times` times over.
Tensor diff(const Tensor& x, int axis = -1, int times = 1);
/// a_i · b_j for two vectors.
Tensor outer(const Tensor& a, const Tensor& b);
/// One tensor for each of these vectors, in which it varies along the axis of its number ("ij"). With `xy` the first
/// two axes change places. Views.
Tensors meshgrid(const Tensors& vectors, bool xy = false);

}  // namespace ember
