#include <ember/autograd/ops/Shape.h>

#include <algorithm>
#include <string>

#include <ember/autograd/Graph.h>
#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/core/Error.h>
#include <ember/core/kernels/Indexing.h>

namespace ember {

using namespace autograd;

namespace {

// An op whose result is some view (or copy) of x: the shape comes from doing the same to a shape-only array.
template <class View, class Backward> Tensor viewed(const char* op, const Tensor& x, View&& view, Backward&& backward) {
  checkOperands(op, {&x});
  if (x.isShapeOnly()) return Tensor(view(x.impl()->array));
  core::NDArray result = view(x.array());
  const Shape shape = result.shape();
  Tensor y = apply(op, {&x}, shape, x.dtype(), [&] { return std::move(result); }, std::forward<Backward>(backward));
  if (y.isLeaf() && y.impl()->array.storage() == x.impl()->array.storage()) markView(*y.impl(), x.impl());
  return y;
}

std::vector<int> inverse(const std::vector<int>& axes, int rank) {
  std::vector<int> back(axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i)
    back[static_cast<std::size_t>(normalizeAxis(axes[i], rank, "permute"))] = static_cast<int>(i);
  return back;
}

// The adjoint of slice: zeros with x in the slice. Its own adjoint is slice again.
Tensor unslice(const Tensor& x, const Shape& shape, int axis, i64 start, i64 step) {
  return apply("unslice", {&x}, shape, x.dtype(), [&] { return core::unslice(x.array(), shape, axis, start, step); },
               [=, size = x.size(axis)](const BackwardContext& c) {
                 return Tensors{slice(c.grad(), axis, start, size == 0 ? start : start + (size - 1) * step + 1, step)};
               });
}

}  // namespace

Tensor reshape(const Tensor& x, const Shape& shape) {
  return viewed(
      "reshape", x, [&](const core::NDArray& a) { return a.reshape(shape); },
      [before = x.defined() ? x.shape() : Shape()](const BackwardContext& c) {
        return Tensors{reshape(c.grad(), before)};
      });
}

Tensor flatten(const Tensor& x, int first, int last) {
  checkOperands("flatten", {&x});
  if (x.rank() == 0) return reshape(x, {1});
  first = normalizeAxis(first, x.rank(), "flatten");
  last = normalizeAxis(last, x.rank(), "flatten");
  if (first > last)
    throw ShapeError("flatten",
                     "the first axis " + std::to_string(first) + " lies behind the last, " + std::to_string(last));
  Shape shape;
  i64 joined = 1;
  for (int i = 0; i < x.rank(); ++i) {
    if (i >= first && i <= last) joined = checkedMul(joined, x.shape()[i]);
    if (i < first || i > last) shape.push(x.shape()[i]);
    if (i == last) shape.push(joined);
  }
  return reshape(x, shape);
}

Tensor permute(const Tensor& x, const std::vector<int>& axes) {
  return viewed(
      "permute", x, [&](const core::NDArray& a) { return a.permute(axes); },
      [axes](const BackwardContext& c) { return Tensors{permute(c.grad(), inverse(axes, c.grad().rank()))}; });
}

Tensor transpose(const Tensor& x, int a, int b) {
  return viewed("transpose", x, [&](const core::NDArray& array) { return array.transpose(a, b); },
                [a, b](const BackwardContext& c) { return Tensors{transpose(c.grad(), a, b)}; });
}

Tensor slice(const Tensor& x, int axis, i64 start, i64 stop, i64 step) {
  checkOperands("slice", {&x});
  axis = normalizeAxis(axis, x.rank(), "slice");
  const i64 size = x.shape()[axis], first = std::clamp<i64>(start < 0 ? start + size : start, 0, size);
  return viewed(
      "slice", x, [&](const core::NDArray& a) { return a.slice(axis, start, stop, step); },
      [=, shape = x.shape()](const BackwardContext& c) {
        return Tensors{unslice(c.grad(), shape, axis, first, step)};
      });
}

Tensor select(const Tensor& x, int axis, i64 index) {
  checkOperands("select", {&x});
  axis = normalizeAxis(axis, x.rank(), "select");
  return viewed("select", x, [&](const core::NDArray& a) { return a.select(axis, index); },
                [=, shape = x.shape()](const BackwardContext& c) {
                  const i64 position = index < 0 ? index + shape[axis] : index;
                  return Tensors{unslice(unsqueeze(c.grad(), axis), shape, axis, position, 1)};
                });
}

Tensor expand(const Tensor& x, const Shape& shape) {
  return viewed(
      "expand", x, [&](const core::NDArray& a) { return a.expand(shape); },
      [before = x.defined() ? x.shape() : Shape()](const BackwardContext& c) {
        return Tensors{sumTo(c.grad(), before)};
      });
}

Tensor unsqueeze(const Tensor& x, int axis) {
  return viewed(
      "unsqueeze", x, [&](const core::NDArray& a) { return a.unsqueeze(axis); },
      [before = x.defined() ? x.shape() : Shape()](const BackwardContext& c) {
        return Tensors{reshape(c.grad(), before)};
      });
}

Tensor squeeze(const Tensor& x, int axis) {
  return viewed(
      "squeeze", x, [&](const core::NDArray& a) { return a.squeeze(axis); },
      [before = x.defined() ? x.shape() : Shape()](const BackwardContext& c) {
        return Tensors{reshape(c.grad(), before)};
      });
}

namespace {

Tensor join(const char* op, const Tensors& parts, int axis) {
  std::vector<const Tensor*> operands;
  std::vector<core::NDArray> arrays;
  for (const Tensor& part : parts) operands.push_back(&part);
  checkOperands(op, operands);
  for (const Tensor& part : parts) arrays.push_back(part.impl()->array);
  const Shape shape = core::concatShape(arrays, axis, op);
  axis = normalizeAxis(axis, shape.rank(), op);
  std::vector<i64> sizes;
  for (const Tensor& part : parts) sizes.push_back(part.size(axis));
  return apply(op, operands, shape, parts[0].dtype(), [&] { return core::concat(arrays, axis); },
               [sizes, axis](const BackwardContext& c) {
                 Tensors gradients;
                 i64 start = 0;
                 for (std::size_t i = 0; i < sizes.size(); ++i) {
                   gradients.push_back(c.needs(static_cast<int>(i)) ? slice(c.grad(), axis, start, start + sizes[i])
                                                                    : Tensor());
                   start += sizes[i];
                 }
                 return gradients;
               });
}

}  // namespace

Tensor concat(const Tensors& parts, int axis) { return join("concat", parts, axis); }

Tensor stack(const Tensors& parts, int axis) {
  Tensors raised;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    checkOperands("stack", {&parts[i]});
    if (parts[i].shape() != parts[0].shape()) {
      throw ShapeError("stack", "part " + std::to_string(i) + " is " + toString(parts[i].shape()) + ", part 0 " +
                                    toString(parts[0].shape()),
                       {}, "parts of one shape make a stack; concat() joins along an axis that they have");
    }
    axis = normalizeAxis(axis, parts[i].rank() + 1, "stack");
    raised.push_back(unsqueeze(parts[i], axis));
  }
  return join("stack", raised, axis);
}

Shape paddedShape(const Shape& x, const std::vector<i64>& before, const std::vector<i64>& after) {
  if (static_cast<int>(before.size()) != x.rank() || static_cast<int>(after.size()) != x.rank()) {
    throw ShapeError("pad",
                     std::to_string(before.size()) + " and " + std::to_string(after.size()) + " sizes for rank " +
                         std::to_string(x.rank()),
                     {}, "give one size before and one after for each axis");
  }
  Shape shape = x;
  for (int i = 0; i < x.rank(); ++i) {
    const i64 low = before[static_cast<std::size_t>(i)], high = after[static_cast<std::size_t>(i)];
    if (low < 0 || high < 0)
      throw ValueError("pad", "negative padding on axis " + std::to_string(i), {}, "use slice() to cut");
    shape[i] = checkedAdd(shape[i], checkedAdd(low, high));
  }
  numel(shape);  // throws if it overflows
  return shape;
}

Tensor pad(const Tensor& x, const std::vector<i64>& before, const std::vector<i64>& after, double value) {
  checkOperands("pad", {&x});
  const Shape shape = paddedShape(x.shape(), before, after);
  checkFits("pad", value, x.dtype());
  return apply("pad", {&x}, shape, x.dtype(), [&] { return core::pad(x.array(), before, after, value); },
               [before, inner = x.shape()](const BackwardContext& c) {
                 Tensor gradient = c.grad();
                 for (int i = 0; i < inner.rank(); ++i) {
                   const i64 low = before[static_cast<std::size_t>(i)];
                   gradient = slice(gradient, i, low, low + inner[i]);
                 }
                 return Tensors{gradient};
               });
}

Tensor contiguous(const Tensor& x, MemoryOrder order) {
  return viewed(
      "contiguous", x, [&](const core::NDArray& a) { return a.contiguous(order); },
      [](const BackwardContext& c) { return Tensors{c.grad()}; });
}

Tensor cast(const Tensor& x, DType dtype) {
  checkOperands("cast", {&x});
  if (x.dtype() == dtype) return x;
  const DType before = x.dtype();
  // Only floating types carry gradients.
  if (!isFloating(before) || !isFloating(dtype))
    return apply(
        "cast", {&x}, x.shape(), dtype, [&] { return x.array().to(dtype); }, nullptr);
  return apply("cast", {&x}, x.shape(), dtype, [&] { return x.array().to(dtype); },
               [before](const BackwardContext& c) { return Tensors{cast(c.grad(), before)}; });
}

}  // namespace ember
