#include <ember/autograd/ops/Rearrange.h>

#include <algorithm>
#include <numeric>
#include <string>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Comparison.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/Error.h>
#include <ember/core/kernels/Indexing.h>

namespace ember {

using namespace autograd;

namespace {

// axis `axis` as [before, size, behind] for a function that repeats, whatever the rank.
struct AroundAxis {
  i64 before = 1, behind = 1;
  AroundAxis(const Shape& shape, int axis) {
    for (int i = 0; i < shape.rank(); ++i) {
      if (i != axis) (i < axis ? before : behind) *= shape[i];
    }
  }
};

Tensor rolled(const Tensor& x, i64 shift, int axis) {
  const i64 size = x.size(axis);
  if (size == 0) return x;
  const i64 cut = (size - shift % size) % size;
  return concat({slice(x, axis, cut, size), slice(x, axis, 0, cut)}, axis);
}

// x where column - row >= offset (or < offset), else 0.
Tensor triangle(const char* op, const Tensor& x, i64 offset, bool upper) {
  checkOperands(op, {&x});
  if (x.rank() < 2)
    throw ShapeError(op, "x has rank " + std::to_string(x.rank()) + ", expected a matrix or more of them");
  const i64 rows = x.size(-2), columns = x.size(-1);
  offset = std::clamp(offset, -rows - 1, columns + 1);  // beyond that nothing changes, and nothing can overflow
  const auto count = [](i64 n) { return Tensor::arange(0, static_cast<double>(n), 1, DType::I64); };
  const Tensor distance = count(columns) - unsqueeze(count(rows), 1);
  return where(upper ? distance >= offset : distance <= offset, x, Tensor::zeros({}, x.dtype()));
}

}  // namespace

Tensors split(const Tensor& x, const std::vector<i64>& sizes, int axis) {
  checkOperands("split", {&x});
  axis = normalizeAxis(axis, x.rank(), "split");
  i64 total = 0;
  for (const i64 size : sizes) {
    if (size < 0) throw ValueError("split", "a size is " + std::to_string(size), {}, "sizes are 0 or more");
    total = checkedAdd(total, size);
  }
  if (total != x.size(axis)) {
    throw ShapeError("split",
                     "the sizes add up to " + std::to_string(total) + ", axis " + std::to_string(axis) + " has " +
                         std::to_string(x.size(axis)) + " elements",
                     {{"x", toString(x.shape())}}, "every element belongs to one piece");
  }
  Tensors pieces;
  i64 start = 0;
  for (const i64 size : sizes) {
    pieces.push_back(slice(x, axis, start, start + size));
    start += size;
  }
  return pieces;
}

Tensors split(const Tensor& x, i64 size, int axis) {
  checkOperands("split", {&x});
  if (size < 1) throw ValueError("split", "the size of a piece is " + std::to_string(size), {}, "use 1 or more");
  std::vector<i64> sizes;
  for (i64 left = x.size(normalizeAxis(axis, x.rank(), "split")); left > 0 || sizes.empty(); left -= sizes.back()) {
    sizes.push_back(std::min(left, size));
  }
  return split(x, sizes, axis);
}

Tensors chunk(const Tensor& x, i64 count, int axis) {
  checkOperands("chunk", {&x});
  if (count < 1) throw ValueError("chunk", "the number of pieces is " + std::to_string(count), {}, "use 1 or more");
  const i64 size = x.size(normalizeAxis(axis, x.rank(), "chunk"));
  return split(x, std::max<i64>(1, size / count + (size % count != 0)), axis);
}

Tensor flip(const Tensor& x, const std::vector<int>& axes) {
  checkOperands("flip", {&x});
  std::vector<int> all = axes;
  if (axes.empty()) {
    all.resize(static_cast<std::size_t>(x.rank()));
    std::iota(all.begin(), all.end(), 0);
  }
  std::vector<bool> seen(static_cast<std::size_t>(x.rank()), false);
  for (int& axis : all) {
    axis = normalizeAxis(axis, x.rank(), "flip");
    if (seen[static_cast<std::size_t>(axis)])
      throw ShapeError("flip", "axis " + std::to_string(axis) + " is given twice");
    seen[static_cast<std::size_t>(axis)] = true;
  }
  return apply(
      "flip", {&x}, x.shape(), x.dtype(), [&] { return core::flip(x.array(), all); },
      [all](const BackwardContext& c) { return Tensors{all.empty() ? c.grad() : flip(c.grad(), all)}; });
}

Tensor roll(const Tensor& x, const std::vector<i64>& shifts, const std::vector<int>& axes) {
  checkOperands("roll", {&x});
  if (axes.empty() && shifts.size() == 1) return reshape(rolled(reshape(x, {-1}), shifts[0], 0), x.shape());
  if (axes.size() != shifts.size()) {
    throw ValueError("roll", std::to_string(shifts.size()) + " shifts for " + std::to_string(axes.size()) + " axes", {},
                     "give one shift for each axis");
  }
  Tensor y = x;
  for (std::size_t i = 0; i < axes.size(); ++i) y = rolled(y, shifts[i], normalizeAxis(axes[i], x.rank(), "roll"));
  return y;
}

Tensor repeat(const Tensor& x, const std::vector<i64>& counts) {
  checkOperands("repeat", {&x});
  if (static_cast<int>(counts.size()) < x.rank()) {
    throw ShapeError("repeat", std::to_string(counts.size()) + " counts for rank " + std::to_string(x.rank()),
                     {{"x", toString(x.shape())}}, "give a count for every axis; 1 leaves it as it is");
  }
  Shape raised = Shape::filled(static_cast<int>(counts.size()), 1);
  for (int i = 0; i < x.rank(); ++i) raised[raised.rank() - x.rank() + i] = x.shape()[i];
  Tensor y = reshape(x, raised);
  for (int i = 0; i < raised.rank(); ++i) {
    const i64 count = counts[static_cast<std::size_t>(i)], size = raised[i];
    if (count < 0) throw ValueError("repeat", "a count is " + std::to_string(count), {}, "counts are 0 or more");
    if (count == 1) continue;
    const AroundAxis around(y.shape(), i);
    Shape shape = y.shape();
    shape[i] = checkedMul(size, count);
    const Tensor lines = reshape(y, {around.before, 1, size, around.behind});
    y = reshape(expand(lines, {around.before, count, size, around.behind}), shape);
  }
  return y;
}

Tensor repeatInterleave(const Tensor& x, i64 count, int axis) {
  checkOperands("repeatInterleave", {&x});
  axis = normalizeAxis(axis, x.rank(), "repeatInterleave");
  if (count < 0) throw ValueError("repeatInterleave", "the count is " + std::to_string(count), {}, "use 0 or more");
  const AroundAxis around(x.shape(), axis);
  const i64 size = x.size(axis);
  Shape shape = x.shape();
  shape[axis] = checkedMul(size, count);
  const Tensor lines = reshape(x, {around.before, size, 1, around.behind});
  return reshape(expand(lines, {around.before, size, count, around.behind}), shape);
}

Tensor diagonal(const Tensor& x, i64 offset, int a, int b) {
  checkOperands("diagonal", {&x});
  a = normalizeAxis(a, x.rank(), "diagonal");
  b = normalizeAxis(b, x.rank(), "diagonal");
  if (a == b) throw ShapeError("diagonal", "both axes are " + std::to_string(a), {}, "give two axes");
  std::vector<int> order;
  for (int i = 0; i < x.rank(); ++i) {
    if (i != a && i != b) order.push_back(i);
  }
  order.insert(order.end(), {a, b});
  const i64 rows = x.size(a), columns = x.size(b);
  offset = std::clamp(offset, -rows, columns);
  const i64 count = std::max<i64>(0, offset >= 0 ? std::min(rows, columns - offset) : std::min(rows + offset, columns));
  Tensor y = permute(x, order);
  Shape flat = y.shape();
  flat.erase(flat.rank() - 1);
  flat[flat.rank() - 1] = checkedMul(rows, columns);
  // In the flat matrix the elements of a diagonal lie columns + 1 apart.
  const i64 first = offset >= 0 ? offset : -offset * columns;
  return slice(reshape(y, flat), -1, first, count == 0 ? first : first + (count - 1) * (columns + 1) + 1, columns + 1);
}

Tensor trace(const Tensor& x) {
  checkOperands("trace", {&x});
  if (x.rank() != 2) throw ShapeError("trace", "x has rank " + std::to_string(x.rank()) + ", expected a matrix");
  return sum(diagonal(x));
}

Tensor triu(const Tensor& x, i64 offset) { return triangle("triu", x, offset, true); }
Tensor tril(const Tensor& x, i64 offset) { return triangle("tril", x, offset, false); }

Tensor diff(const Tensor& x, int axis, int times) {
  checkOperands("diff", {&x});
  axis = normalizeAxis(axis, x.rank(), "diff");
  if (times < 0) throw ValueError("diff", "times is " + std::to_string(times), {}, "use 0 or more");
  Tensor y = x;
  for (int i = 0; i < times && y.size(axis) > 0; ++i) {
    y = slice(y, axis, 1, y.size(axis)) - slice(y, axis, 0, y.size(axis) - 1);
  }
  return y;
}

Tensor outer(const Tensor& a, const Tensor& b) {
  checkOperands("outer", {&a, &b});
  if (a.rank() != 1 || b.rank() != 1) {
    throw ShapeError("outer", "expected two vectors", {{"a", toString(a.shape())}, {"b", toString(b.shape())}},
                     "join axes with flatten()");
  }
  checkSameDtype("outer", a, b);
  return unsqueeze(a, 1) * b;
}

Tensors meshgrid(const Tensors& vectors, bool xy) {
  Shape shape;
  for (const Tensor& v : vectors) {
    checkOperands("meshgrid", {&v});
    if (v.rank() != 1) throw ShapeError("meshgrid", "a tensor is " + toString(v.shape()) + ", expected vectors");
    shape.push(v.size(0));
  }
  const bool swaps = xy && shape.rank() >= 2;
  Tensors grids;
  for (int i = 0; i < shape.rank(); ++i) {
    Shape line = Shape::filled(shape.rank(), 1);
    line[i] = shape[i];
    const Tensor grid = expand(reshape(vectors[static_cast<std::size_t>(i)], line), shape);
    grids.push_back(swaps ? transpose(grid, 0, 1) : grid);
  }
  return grids;
}

}  // namespace ember
