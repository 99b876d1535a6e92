#include <ember/core/NDArray.h>

#include <algorithm>
#include <cstring>

#include <ember/core/Error.h>
#include <ember/core/Memory.h>
#include <ember/core/Reorders.h>
#include <ember/core/kernels/Convert.h>
#include <ember/core/kernels/Elementwise.h>

namespace ember::core {
namespace {

/// Calls f(axis, stride) for the strides of a dense array, from the fastest axis on.
template <class F>
void forDenseStrides(const Shape& shape, MemoryOrder order, F&& f) {
  const bool channelsLast = order == MemoryOrder::ChannelsLast && shape.rank() >= 3;
  i64 step = 1;
  const auto visit = [&](int axis) {
    f(axis, step);
    // Beside an axis of none the others may be as large as they like: no element has an address, any stride will do.
    if (__builtin_mul_overflow(step, std::max<i64>(shape[axis], 1), &step)) step = 1;
  };
  if (channelsLast) visit(1);
  for (int i = shape.rank() - 1; i >= 0; --i) {
    if (!channelsLast || i != 1) visit(i);
  }
}

bool denseIn(const Shape& shape, const Strides& strides, MemoryOrder order) {
  bool dense = true, empty = false;
  forDenseStrides(shape, order, [&](int axis, i64 stride) {
    empty = empty || shape[axis] == 0;
    dense = dense && (shape[axis] == 1 || strides[axis] == stride);
  });
  return dense || empty;
}

}  // namespace

Strides denseStrides(const Shape& shape, MemoryOrder order) {
  Strides strides = Strides::filled(shape.rank(), 1);
  forDenseStrides(shape, order, [&](int axis, i64 stride) { strides[axis] = stride; });
  return strides;
}

// ---- making ----

namespace {

[[noreturn]] void refuse(const NDArray& array) {
  try {
    throw OutOfMemory("allocate", "no memory for " + std::to_string(array.bytes()) + " bytes",
                      {{"array", toString(array.shape()) + " " + std::string(name(array.dtype()))},
                       {"in use", std::to_string(memory::stats().nowBytes) + " bytes"}},
                      "use a smaller batch, or free tensors that are no longer needed");
  } catch (const std::bad_alloc&) {  // not even for the message
    throw OutOfMemory(static_cast<std::size_t>(array.bytes()));
  }
}

}  // namespace

NDArray NDArray::shapeOnly(const Shape& shape, DType dtype, MemoryOrder order) {
  NDArray array;
  array.numel_ = ember::numel(shape);
  checkedMul(array.numel_, static_cast<i64>(itemSize(dtype)));  // the bytes must fit, too
  array.shape_ = shape;
  array.strides_ = denseStrides(shape, order);
  array.dtype_ = dtype;
  array.defined_ = true;
  return array;
}

NDArray NDArray::empty(const Shape& shape, DType dtype, MemoryOrder order) {
  NDArray array = shapeOnly(shape, dtype, order);
  try {
    array.storage_ = std::make_shared<Storage>(static_cast<std::size_t>(array.bytes()));
  } catch (const OutOfMemory&) {
    refuse(array);
  } catch (const std::bad_alloc&) {
    refuse(array);
  }
  return array;
}

NDArray NDArray::zeros(const Shape& shape, DType dtype, MemoryOrder order) {
  NDArray array = empty(shape, dtype, order);
  std::memset(array.raw(), 0, static_cast<std::size_t>(array.bytes()));
  return array;
}

NDArray NDArray::full(const Shape& shape, double value, DType dtype, MemoryOrder order) {
  checkFits("full", value, dtype);
  NDArray array = empty(shape, dtype, order);
  fill(array, value, nullptr);
  return array;
}

NDArray NDArray::scalar(double value, DType dtype) {
  NDArray array = empty({}, dtype);
  dispatch(dtype, [&](auto zero) {
    using T = decltype(zero);
    *array.data<T>() = convert<T>(value);
  });
  return array;
}

NDArray NDArray::emptyLike(const NDArray& x) { return emptyLike(x, x.dtype_); }

NDArray NDArray::emptyLike(const NDArray& x, DType dtype) {
  return x.hasStorage() ? empty(x.shape_, dtype, x.order()) : shapeOnly(x.shape_, dtype, x.order());
}

template <class T> NDArray NDArray::from(const std::vector<T>& values, const Shape& shape) {
  NDArray array = empty(shape, DTypeOf<T>::value);
  if (static_cast<i64>(values.size()) != array.numel_) {
    throw ShapeError("from", std::to_string(values.size()) + " values do not fill shape " + toString(shape));
  }
  std::copy(values.begin(), values.end(), array.data<T>());
  return array;
}

NDArray NDArray::fromBlob(void* data, const Shape& shape, DType dtype, std::function<void(void*)> deleter) {
  NDArray array = shapeOnly(shape, dtype);
  if (!data && array.numel_ > 0) throw ValueError("fromBlob", "the pointer is null, the shape " + toString(shape));
  if (reinterpret_cast<std::uintptr_t>(data) % itemSize(dtype) != 0) {
    throw ValueError("fromBlob", "the pointer is not aligned to " + std::to_string(itemSize(dtype)) + " bytes");
  }
  array.storage_ = std::make_shared<Storage>(data, static_cast<std::size_t>(array.bytes()), std::move(deleter));
  return array;
}

NDArray NDArray::ofStorage(std::shared_ptr<Storage> storage, i64 offset, const Shape& shape, const Strides& strides,
                           DType dtype) {
  NDArray array = shapeOnly(shape, dtype);
  i64 first = offset, last = offset;
  for (int i = 0; i < shape.rank(); ++i) {
    const i64 reach = checkedMul(strides[i], std::max<i64>(shape[i] - 1, 0));
    (reach < 0 ? first : last) = checkedAdd(reach < 0 ? first : last, reach);
  }
  const i64 available = static_cast<i64>(storage->bytes() / itemSize(dtype));
  if (array.numel_ > 0 && (first < 0 || last >= available)) {
    throw ShapeError("view", "shape " + toString(shape) + " with strides " + toString(strides) + " reaches outside " +
                                 std::to_string(available) + " stored elements");
  }
  array.storage_ = std::move(storage);
  array.offset_ = offset;
  array.strides_ = strides;
  return array;
}

// ---- asking ----

bool NDArray::isDense(MemoryOrder order) const noexcept { return denseIn(shape_, strides_, order); }

MemoryOrder NDArray::order() const noexcept {
  return !isDense(MemoryOrder::RowMajor) && isDense(MemoryOrder::ChannelsLast) ? MemoryOrder::ChannelsLast
                                                                               : MemoryOrder::RowMajor;
}

void* NDArray::raw() const noexcept {
  return storage_ ? static_cast<std::byte*>(storage_->data()) + offset_ * static_cast<i64>(itemSize(dtype_)) : nullptr;
}

template <class T> T* NDArray::data() const {
  if (!storage_) {
    throw StateError(
        "data", defined_ ? "the array " + toString(shape_) + " has a shape but no storage" : "the array is undefined");
  }
  if (dtype_ != DTypeOf<T>::value) {
    throw DtypeError(
        "data", "the array is " + std::string(name(dtype_)) + ", asked for as " + std::string(name(DTypeOf<T>::value)),
        {}, "convert it first with to()");
  }
  return static_cast<T*>(raw());
}

double NDArray::item() const {
  if (numel_ != 1)
    throw ShapeError("item", "the array has " + std::to_string(numel_) + " elements, not one",
                     {{"array", toString(shape_)}});
  return dispatch(dtype_, [&](auto zero) -> double {
    using T = decltype(zero);
    if constexpr (std::is_same_v<T, bf16>) {
      return static_cast<double>(static_cast<float>(*data<T>()));
    } else {
      return static_cast<double>(*data<T>());
    }
  });
}

template <class T> std::vector<T> NDArray::toVector() const {
  const NDArray dense = contiguous().to(DTypeOf<T>::value);
  const T* first = dense.data<T>();
  return std::vector<T>(first, first + dense.numel());
}

// ---- views ----

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

// ---- copies ----

NDArray NDArray::contiguous(MemoryOrder order) const {
  if (isDense(order)) return *this;
  if (!storage_) return shapeOnly(shape_, dtype_, order);
  NDArray result = empty(shape_, dtype_, order);
  copyInto(result, *this, nullptr);
  bool expanded = false;  // then its elements are written out, for they lay in no order
  for (int i = 0; i < rank(); ++i) expanded = expanded || (strides_[i] == 0 && shape_[i] > 1);
  if (!expanded) countReorder();
  return result;
}

NDArray NDArray::copy() const {
  NDArray result = emptyLike(*this);
  if (storage_) copyInto(result, *this, nullptr);
  return result;
}

NDArray NDArray::to(DType dtype) const {
  if (dtype == dtype_) return *this;
  NDArray result = emptyLike(*this, dtype);
  if (storage_) copyInto(result, *this, nullptr);
  return result;
}

std::string describe(const char* label, const NDArray& x) {
  if (!x.defined()) return std::string(label) + " undefined";
  return std::string(label) + " " + toString(x.shape()) + " " + std::string(name(x.dtype()));
}

#define EMBER_INSTANTIATE(T)                                                       \
  template NDArray NDArray::from<T>(const std::vector<T>&, const Shape&);          \
  template T* NDArray::data<T>() const;                                            \
  template std::vector<T> NDArray::toVector<T>() const;
EMBER_INSTANTIATE(float)
EMBER_INSTANTIATE(double)
EMBER_INSTANTIATE(bf16)
EMBER_INSTANTIATE(i64)
EMBER_INSTANTIATE(i32)
EMBER_INSTANTIATE(i8)
EMBER_INSTANTIATE(u8)
#undef EMBER_INSTANTIATE
// vector<bool> has no data(), but copies element by element all the same.
template NDArray NDArray::from<bool>(const std::vector<bool>&, const Shape&);
template bool* NDArray::data<bool>() const;
template std::vector<bool> NDArray::toVector<bool>() const;

}  // namespace ember::core
