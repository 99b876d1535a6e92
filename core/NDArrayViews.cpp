// Arrays that look at the memory of another: reshape, permute, slice, expand and what is made of them.
#include <ember/core/NDArray.h>

#include <algorithm>

#include <ember/core/Error.h>

namespace ember::core {

std::optional<NDArray> NDArray::viewAs(const Shape& shape) const {
  NDArray view = *this;
  view.shape_ = shape;
  view.strides_ = denseStrides(shape, MemoryOrder::RowMajor);
  if (numel_ == 0 || isDense(MemoryOrder::RowMajor)) return view;
  // Walk both shapes from the front; a group of old axes that lies evenly spaced can be split into a group of new axes.
  int oldAxis = 0, newAxis = 0;
  const Shape& old = shape_;
  while (newAxis < shape.rank()) {
    if (shape[newAxis] == 1) {
      view.strides_[newAxis++] = 1;
      continue;
    }
    while (oldAxis < old.rank() && old[oldAxis] == 1) ++oldAxis;
    int oldEnd = oldAxis, newEnd = newAxis;
    i64 oldSize = old[oldEnd++], newSize = shape[newEnd++];
    while (oldSize != newSize) {
      if (oldSize < newSize) {
        oldSize *= old[oldEnd++];
      } else {
        newSize *= shape[newEnd++];
      }
    }
    i64 stride = 0;
    bool first = true;
    i64 expected = 0;
    for (int i = oldEnd - 1; i >= oldAxis; --i) {
      if (old[i] == 1) continue;
      if (first) {
        stride = strides_[i];
        first = false;
      } else if (strides_[i] != expected) {
        return std::nullopt;
      }
      expected = strides_[i] * old[i];
    }
    for (int i = newEnd - 1; i >= newAxis; --i) {
      view.strides_[i] = stride;
      stride *= shape[i];
    }
    oldAxis = oldEnd;
    newAxis = newEnd;
  }
  return view;
}

NDArray NDArray::reshape(const Shape& wanted) const {
  Shape shape = wanted;
  int unknown = -1;
  i64 known = 1;
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] == -1) {
      if (unknown >= 0) throw ShapeError("reshape", "more than one size is -1 in " + toString(wanted));
      unknown = i;
    } else if (shape[i] < 0) {
      throw ShapeError("reshape", "negative size " + std::to_string(shape[i]) + " in " + toString(wanted));
    } else {
      known = checkedMul(known, shape[i]);
    }
  }
  if (unknown >= 0) {
    if (known == 0)
      throw ShapeError("reshape", "the size -1 in " + toString(wanted) + " cannot be told from 0 elements");
    shape[unknown] = numel_ / known;
  }
  if (ember::numel(shape) != numel_) {
    throw ShapeError("reshape", toString(shape_) + " has " + std::to_string(numel_) + " elements, " + toString(wanted) +
                                    " cannot hold them");
  }
  if (!storage_) return shapeOnly(shape, dtype_);
  if (auto view = viewAs(shape)) return *view;
  NDArray copied = contiguous();
  return *copied.viewAs(shape);
}

NDArray NDArray::permute(const std::vector<int>& axes) const {
  if (static_cast<int>(axes.size()) != rank()) {
    throw ShapeError("permute", std::to_string(axes.size()) + " axes for an array of rank " + std::to_string(rank()));
  }
  NDArray view = *this;
  std::vector<bool> seen(axes.size(), false);
  for (int i = 0; i < rank(); ++i) {
    const int axis = normalizeAxis(axes[static_cast<std::size_t>(i)], rank(), "permute");
    if (seen[static_cast<std::size_t>(axis)])
      throw ShapeError("permute", "axis " + std::to_string(axis) + " appears twice");
    seen[static_cast<std::size_t>(axis)] = true;
    view.shape_[i] = shape_[axis];
    view.strides_[i] = strides_[axis];
  }
  return view;
}

NDArray NDArray::transpose(int a, int b) const {
  a = normalizeAxis(a, rank(), "transpose");
  b = normalizeAxis(b, rank(), "transpose");
  NDArray view = *this;
  std::swap(view.shape_[a], view.shape_[b]);
  std::swap(view.strides_[a], view.strides_[b]);
  return view;
}

NDArray NDArray::slice(int axis, i64 start, i64 stop, i64 step) const {
  axis = normalizeAxis(axis, rank(), "slice");
  if (step < 1) throw ValueError("slice", "step is " + std::to_string(step), {}, "use a step of 1 or more");
  const i64 size = shape_[axis];
  const auto place = [&](i64 index) { return std::clamp<i64>(index < 0 ? index + size : index, 0, size); };
  const i64 first = place(start), last = std::max(first, place(stop));
  NDArray view = *this;
  const i64 count = last == first ? 0 : (last - first - 1) / step + 1;  // last - first + step could overflow
  view.shape_[axis] = count;
  view.offset_ += first * strides_[axis];
  if (count > 1) view.strides_[axis] = strides_[axis] * step;  // so step < size; else the stride is never used
  view.numel_ = ember::numel(view.shape_);
  return view;
}

NDArray NDArray::select(int axis, i64 index) const {
  axis = normalizeAxis(axis, rank(), "select");
  const i64 size = shape_[axis], position = index < 0 ? index + size : index;
  if (position < 0 || position >= size) {
    throw ShapeError("select", "index " + std::to_string(index) + " is outside size " + std::to_string(size) +
                                   " of axis " + std::to_string(axis));
  }
  NDArray view = slice(axis, position, position + 1);
  view.shape_.erase(axis);
  view.strides_.erase(axis);
  return view;
}

NDArray NDArray::expand(const Shape& shape) const {
  if (shape.rank() < rank() || broadcastShapes(shape_, shape, "expand") != shape) {
    throw ShapeError("expand", toString(shape_) + " cannot be expanded to " + toString(shape));
  }
  NDArray view = *this;
  view.shape_ = shape;
  view.strides_ = Strides::filled(shape.rank(), 0);
  const int added = shape.rank() - rank();
  for (int i = 0; i < rank(); ++i) {
    if (shape_[i] == shape[added + i]) view.strides_[added + i] = strides_[i];
  }
  view.numel_ = ember::numel(shape);
  return view;
}

NDArray NDArray::unsqueeze(int axis) const {
  axis = normalizeAxis(axis, rank() + 1, "unsqueeze");
  NDArray view = *this;
  view.shape_.insert(axis, 1);
  view.strides_.insert(axis, axis < rank() ? shape_[axis] * strides_[axis] : 1);
  return view;
}

NDArray NDArray::squeeze(int axis) const {
  axis = normalizeAxis(axis, rank(), "squeeze");
  if (shape_[axis] != 1)
    throw ShapeError("squeeze",
                     "axis " + std::to_string(axis) + " has size " + std::to_string(shape_[axis]) + ", not 1");
  NDArray view = *this;
  view.shape_.erase(axis);
  view.strides_.erase(axis);
  return view;
}

}  // namespace ember::core
