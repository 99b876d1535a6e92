#pragma once
#include <vector>

#include <ember/autograd/Tensor.h>

/// Ops that move, view and join elements. All are linear and differentiable any number of times. Views share memory
/// (and its version) with x; nothing is copied unless said.
namespace ember {

/// One size may be -1. A view where the strides allow it, else a row-major copy: [N, C, H, W] always flattens in the
/// order C, H, W.
Tensor reshape(const Tensor& x, const Shape& shape);
/// Joins axes first..last (inclusive, negatives from the end) into one.
Tensor flatten(const Tensor& x, int first = 0, int last = -1);
/// Reorders axes: result axis i is x axis axes[i]. A view.
Tensor permute(const Tensor& x, const std::vector<int>& axes);
Tensor transpose(const Tensor& x, int a, int b);
inline Tensor swapAxes(const Tensor& x, int a, int b) { return transpose(x, a, b); }  ///< as NumPy users type it
/// Elements start, start+step, ... below stop along `axis`; negatives count from the end, out of range is clamped. A
/// view.
Tensor slice(const Tensor& x, int axis, i64 start, i64 stop, i64 step = 1);
/// x at `index` of `axis`, which disappears. A view. ShapeError out of range.
Tensor select(const Tensor& x, int axis, i64 index);
/// Repeats axes of size 1 and new leading axes. A view with stride 0.
Tensor expand(const Tensor& x, const Shape& shape);
Tensor unsqueeze(const Tensor& x, int axis);
Tensor squeeze(const Tensor& x, int axis);
/// Joins along an existing axis / along a new one. Copies.
Tensor concat(const Tensors& parts, int axis);
inline Tensor cat(const Tensors& parts, int axis = 0) { return concat(parts, axis); }  ///< as PyTorch users type it
Tensor stack(const Tensors& parts, int axis = 0);
/// before[i] and after[i] elements of `value` around each axis. Copies.
Tensor pad(const Tensor& x, const std::vector<i64>& before, const std::vector<i64>& after, double value = 0);
/// The shape of pad(); throws ShapeError on numbers of sizes that differ from the rank, ValueError on negative ones.
Shape paddedShape(const Shape& x, const std::vector<i64>& before, const std::vector<i64>& after);
/// x itself if dense in that order, else a copy.
Tensor contiguous(const Tensor& x, MemoryOrder = MemoryOrder::RowMajor);
/// x converted (x itself if the type is the same). Differentiable between floating types.
Tensor cast(const Tensor& x, DType dtype);

}  // namespace ember
