#pragma once
#include <ember/autograd/ops/Arithmetic.h>

/// Elements chosen by tensors: by positions (i64, from 0; ValueError with place and value where one is out of range)
/// and by masks (bool). Any type; differentiable any number of times in the values. Semantics as the functions of these
/// names in PyTorch, where not said otherwise.
namespace ember {

/// y[.., j, ..] = x[.., index[.., j, ..], ..] along `axis`. The index has the rank of x and beside the axis no larger
/// sizes; y has its shape.
Tensor gather(const Tensor& x, int axis, const Tensor& index);

/// x with y[.., index[.., j, ..], ..] = source[.., j, ..]. The source broadcasts to the shape of the index. Where an
/// index repeats, the last source in row-major order wins, and it alone gets the gradient.
Tensor scatter(const Tensor& x, int axis, const Tensor& index, const Tensor& source);
template <Number N>
Tensor scatter(const Tensor& x, int axis, const Tensor& index, N value) {
  return scatter(x, axis, index, autograd::beside("scatter", x, value));
}
/// x with sources added instead; all that meet in a place, always in the same order.
Tensor scatterAdd(const Tensor& x, int axis, const Tensor& index, const Tensor& source);

/// x at the positions `index` of `axis`. The axes of the index, any number, stand in its place (as numpy.take).
Tensor indexSelect(const Tensor& x, int axis, const Tensor& index);

/// `value` where the mask, which broadcasts to x, is true, else x.
Tensor maskedFill(const Tensor& x, const Tensor& mask, double value);
/// The elements where mask and x, broadcast together, say so, in row-major order: [number of them].
Tensor maskedSelect(const Tensor& x, const Tensor& mask);
/// Positions of the elements that are not 0, in row-major order: i64 [number of them, rank]. Not differentiable.
Tensor nonZero(const Tensor& x);

/// 1 at the position that each element of the index (i64) names, else 0: index.shape() + [classes].
Tensor oneHot(const Tensor& index, i64 classes, DType dtype = DType::I64);

}  // namespace ember
