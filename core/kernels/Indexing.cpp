#include <ember/core/kernels/Indexing.h>

#include <algorithm>
#include <cstring>
#include <string>

#include <ember/core/Error.h>
#include <ember/core/kernels/Elementwise.h>
#include <ember/core/kernels/Strided.h>

namespace ember::core {

Shape concatShape(const std::vector<NDArray>& parts, int axis, const char* op) {
  if (parts.empty()) throw ValueError(op, "nothing to join", {}, "give at least one tensor");
  Shape shape = parts[0].shape();
  axis = normalizeAxis(axis, shape.rank(), op);
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const Shape& other = parts[i].shape();
    bool fits = other.rank() == shape.rank();
    for (int k = 0; fits && k < shape.rank(); ++k) fits = k == axis || other[k] == shape[k];
    if (!fits) {
      throw ShapeError(op,
                       "part " + std::to_string(i) + " is " + toString(other) + ", part 0 " + toString(parts[0].shape()) +
                           ": they differ beside axis " + std::to_string(axis),
                       {}, "all sizes but that of the axis must be equal");
    }
    if (parts[i].dtype() != parts[0].dtype()) {
      const std::string type(name(parts[i].dtype())), first(name(parts[0].dtype()));
      throw DtypeError(op, "part " + std::to_string(i) + " is " + type + ", part 0 " + first, {}, "convert one with to()");
    }
    shape[axis] = checkedAdd(shape[axis], other[axis]);
  }
  return shape;
}

NDArray concat(const std::vector<NDArray>& parts, int axis) {
  const Shape shape = concatShape(parts, axis, "concat");
  axis = normalizeAxis(axis, shape.rank(), "concat");
  const bool channelsLast = std::any_of(parts.begin(), parts.end(), [](const NDArray& part) { return liesChannelsLast(part); });
  NDArray result = NDArray::empty(shape, parts[0].dtype(), channelsLast ? MemoryOrder::ChannelsLast : MemoryOrder::RowMajor);
  i64 start = 0;
  for (const NDArray& part : parts) {
    NDArray place = result.slice(axis, start, start + part.size(axis));
    copyInto(place, part, nullptr);
    start += part.size(axis);
  }
  return result;
}

NDArray pad(const NDArray& x, const std::vector<i64>& before, const std::vector<i64>& after, double value) {
  if (static_cast<int>(before.size()) != x.rank() || static_cast<int>(after.size()) != x.rank()) {
    throw ShapeError("pad",
                     std::to_string(before.size()) + " sizes before and " + std::to_string(after.size()) + " after for rank " +
                         std::to_string(x.rank()),
                     {{"x", toString(x.shape())}}, "give one of each for every axis");
  }
  Shape shape = x.shape();
  for (int i = 0; i < x.rank(); ++i) {
    const i64 low = before[static_cast<std::size_t>(i)], high = after[static_cast<std::size_t>(i)];
    if (low < 0 || high < 0) throw ValueError("pad", "negative padding on axis " + std::to_string(i), {}, "use slice() to cut");
    shape[i] = checkedAdd(shape[i], checkedAdd(low, high));
  }
  NDArray result = NDArray::full(shape, value, x.dtype(), x.order());
  NDArray place = result;
  for (int i = 0; i < x.rank(); ++i) {
    const i64 low = before[static_cast<std::size_t>(i)];
    place = place.slice(i, low, low + x.shape()[i]);
  }
  copyInto(place, x, nullptr);
  return result;
}

NDArray unslice(const NDArray& x, const Shape& shape, int axis, i64 start, i64 step) {
  NDArray result = NDArray::zeros(shape, x.dtype(), x.order());
  const i64 size = x.size(axis);
  if (size > 0) {
    NDArray place = result.slice(axis, start, start + (size - 1) * step + 1, step);
    copyInto(place, x, nullptr);
  }
  return result;
}

NDArray flip(const NDArray& x, const std::vector<int>& axes) {
  NDArray result = NDArray::emptyLike(x);
  if (x.numel() == 0) return result;
  // A view of x that runs backwards; the copy's loops take strides of either sign on the side they read.
  i64 first = x.offset();
  Strides strides = x.strides();
  for (const int axis : axes) {
    first += (x.size(axis) - 1) * strides[axis];
    strides[axis] = -strides[axis];
  }
  copyInto(result, NDArray::ofStorage(x.storage(), first, x.shape(), strides, x.dtype()), nullptr);
  return result;
}

NDArray takeRows(const NDArray& x, const std::vector<i64>& index) {
  if (x.rank() == 0) throw ShapeError("takeRows", "a scalar has no rows");
  Shape shape = x.shape();
  const i64 rows = shape[0];
  shape[0] = static_cast<i64>(index.size());
  for (std::size_t i = 0; i < index.size(); ++i) {
    if (index[i] < 0 || index[i] >= rows) {
      throw ValueError("takeRows", "index " + std::to_string(i) + " is " + std::to_string(index[i]) + ", outside the " +
                                       std::to_string(rows) + " rows");
    }
  }
  NDArray result = NDArray::empty(shape, x.dtype(), x.order());
  const NDArray source = x.isDense(x.order()) ? x : x.contiguous();
  const auto rowBytes = static_cast<std::size_t>(rows > 0 ? x.bytes() / rows : 0);
  auto* to = static_cast<std::byte*>(result.raw());
  const auto* from = static_cast<const std::byte*>(source.raw());
  for (std::size_t i = 0; i < index.size() && rowBytes > 0; ++i) {
    std::memcpy(to + i * rowBytes, from + static_cast<std::size_t>(index[i]) * rowBytes, rowBytes);
  }
  return result;
}

}  // namespace ember::core
