#include <ember/core/NDArray.h>

#include <algorithm>
#include <cstring>

#include <ember/core/Error.h>
#include <ember/core/Memory.h>
#include <ember/core/Reorders.h>
#include <ember/core/TraceSpan.h>
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
    Error::Details details{{"array", toString(array.shape()) + " " + std::string(name(array.dtype()))},
                           {"in use", std::to_string(memory::stats().nowBytes) + " bytes"}};
    if (std::string op = currentOp(); !op.empty()) details.emplace_back("by", std::move(op));
    throw OutOfMemory("allocate", "no memory for " + std::to_string(array.bytes()) + " bytes", details,
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
