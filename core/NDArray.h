#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include <ember/core/Shape.h>
#include <ember/core/Storage.h>

namespace ember {

/// Order of the elements in memory. ChannelsLast: axis 1 varies fastest ([N, C, H, W] lies as N, H, W, C).
/// For ranks below 3 the two are the same.
enum class MemoryOrder : u8 { RowMajor, ChannelsLast };

}  // namespace ember

namespace ember::core {

/// A strided array: a value that shares its storage. It knows no gradients.
///
/// An array may have a shape and a type but no storage ("shape-only"): such arrays run through every op's shape
/// function and never touch data. Views (reshape of a viewable array, transpose, permute, slice, select, expand) copy
/// nothing. Copying an NDArray copies the handle. Reading from several threads is safe; writing needs the caller's
/// care.
class NDArray {
 public:
  NDArray() = default;

  // ---- making ----
  static NDArray empty(const Shape&, DType = DType::F32, MemoryOrder = MemoryOrder::RowMajor);
  static NDArray shapeOnly(const Shape&, DType = DType::F32, MemoryOrder = MemoryOrder::RowMajor);
  static NDArray zeros(const Shape&, DType = DType::F32, MemoryOrder = MemoryOrder::RowMajor);
  /// ValueError if the type cannot hold the value (checkFits).
  static NDArray full(const Shape&, double value, DType = DType::F32, MemoryOrder = MemoryOrder::RowMajor);
  /// Converts as to() does.
  static NDArray scalar(double value, DType = DType::F32);
  /// Uninitialised, with the shape, type and (if dense) the memory order of x; otherwise row-major.
  static NDArray emptyLike(const NDArray& x);
  static NDArray emptyLike(const NDArray& x, DType);
  /// Copies `values` (row-major). Throws ShapeError if their number is not numel(shape).
  template <class T> static NDArray from(const std::vector<T>& values, const Shape&);
  /// The user's memory, no copy, row-major; `deleter` runs when the last view goes.
  static NDArray fromBlob(void* data, const Shape&, DType, std::function<void(void*)> deleter = {});
  /// A view of existing storage. Throws ShapeError if it would reach outside.
  static NDArray ofStorage(std::shared_ptr<Storage>, i64 offset, const Shape&, const Strides&, DType);

  // ---- asking ----
  bool defined() const noexcept { return defined_; }
  bool hasStorage() const noexcept { return storage_ != nullptr; }
  const Shape& shape() const noexcept { return shape_; }
  const Strides& strides() const noexcept { return strides_; }
  i64 size(int axis) const { return shape_.at(axis); }
  int rank() const noexcept { return shape_.rank(); }
  i64 numel() const noexcept { return numel_; }
  DType dtype() const noexcept { return dtype_; }
  i64 bytes() const noexcept { return numel_ * static_cast<i64>(itemSize(dtype_)); }
  /// Dense in that order: no gaps, no overlap; strides of axes of size 1 don't count.
  bool isDense(MemoryOrder = MemoryOrder::RowMajor) const noexcept;
  /// ChannelsLast if dense so and not row-major, else RowMajor.
  MemoryOrder order() const noexcept;

  /// First element. T must match dtype() (checked). The caller who writes through a shared array reports it with
  /// written().
  template <class T> T* data() const;
  void* raw() const noexcept;
  /// The single element, as double. Throws ShapeError unless numel() == 1.
  double item() const;
  /// Logical order (row-major), converted to T.
  template <class T> std::vector<T> toVector() const;

  const std::shared_ptr<Storage>& storage() const noexcept { return storage_; }
  i64 offset() const noexcept { return offset_; }
  /// Puts the memory of an array of the same shape, type and order behind this one, which has had none.
  void takeStorage(const NDArray& from) noexcept {
    offset_ = from.offset_;
    storage_ = from.storage_;
  }
  u64 version() const noexcept { return storage_ ? storage_->version() : 0; }

  // ---- views: no copy ----
  /// One size may be -1. A copy only where the strides do not allow a view.
  NDArray reshape(const Shape&) const;
  /// As reshape, but nothing if it would have to copy.
  std::optional<NDArray> viewAs(const Shape&) const;
  NDArray permute(const std::vector<int>& axes) const;
  NDArray transpose(int a, int b) const;
  /// Elements start, start+step, ... below stop along `axis`; start and stop count from the end if negative and are
  /// clamped. step >= 1.
  NDArray slice(int axis, i64 start, i64 stop, i64 step = 1) const;
  /// Drops `axis` at `index` (negative from the end; out of range throws).
  NDArray select(int axis, i64 index) const;
  /// Repeats axes of size 1 (and new leading axes) with stride 0.
  NDArray expand(const Shape&) const;
  NDArray unsqueeze(int axis) const;
  NDArray squeeze(int axis) const;

  // ---- copies ----
  /// *this if already dense in that order, else a copy.
  NDArray contiguous(MemoryOrder = MemoryOrder::RowMajor) const;
  /// A copy in own storage, same order if dense.
  NDArray copy() const;
  /// *this if the type is the same, else converted: floats lose their fraction on the way to an integer, and what lies
  /// outside its range goes to its nearest end (NaN to 0); to bool as != 0; to floats rounding to nearest even.
  NDArray to(DType) const;

 private:
  std::shared_ptr<Storage> storage_;
  i64 offset_ = 0;  // in elements
  Shape shape_;
  Strides strides_;
  i64 numel_ = 0;
  DType dtype_ = DType::F32;
  bool defined_ = false;
};

/// Strides of a dense array in that order.
Strides denseStrides(const Shape&, MemoryOrder);
/// "x [64, 3, 28, 28] f32", for error details.
std::string describe(const char* name, const NDArray&);

}  // namespace ember::core
