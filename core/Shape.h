#pragma once
#include <array>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include <ember/core/DType.h>

namespace ember {

/// Sizes (or strides) of an array: a small vector of at most 8 numbers, kept inline.
///
/// Every op handles a dozen of these, so what it does with them is inlined and copies whole arrays, not ranges.
class Dims {
 public:
  static constexpr int maxRank = 8;

  Dims() = default;
  Dims(std::initializer_list<i64> values) : rank_(checkedRank(values.size())) {
    int axis = 0;
    for (const i64 value : values) (*this)[axis++] = value;
  }
  Dims(const std::vector<i64>& values) : Dims(std::span<const i64>(values)) {}
  explicit Dims(std::span<const i64> values);  ///< throws ShapeError beyond rank 8
  static Dims filled(int rank, i64 value) {
    Dims dims;
    dims.rank_ = checkedRank(static_cast<std::size_t>(rank));
    for (int i = 0; i < maxRank; ++i) dims[i] = i < rank ? value : 0;
    return dims;
  }

  int rank() const noexcept { return rank_; }
  bool empty() const noexcept { return rank_ == 0; }
  i64 operator[](int axis) const noexcept { return values_[static_cast<std::size_t>(axis)]; }
  i64& operator[](int axis) noexcept { return values_[static_cast<std::size_t>(axis)]; }
  /// Counts from the end for a negative axis; throws ShapeError out of range.
  i64 at(int axis) const {
    const int position = axis < 0 ? axis + rank_ : axis;
    if (position < 0 || position >= rank_) refuseAxis(axis);
    return (*this)[position];
  }
  i64 back() const noexcept { return values_[static_cast<std::size_t>(rank_ - 1)]; }
  const i64* begin() const noexcept { return values_.data(); }
  const i64* end() const noexcept { return values_.data() + rank_; }
  i64* begin() noexcept { return values_.data(); }
  i64* end() noexcept { return values_.data() + rank_; }
  void push(i64 value) {
    rank_ = checkedRank(static_cast<std::size_t>(rank_) + 1);
    (*this)[rank_ - 1] = value;
  }
  void insert(int axis, i64 value);
  void erase(int axis);
  std::vector<i64> vector() const { return {begin(), end()}; }

  friend bool operator==(const Dims& a, const Dims& b) noexcept {
    if (a.rank_ != b.rank_) return false;
    for (int i = 0; i < a.rank_; ++i) {
      if (a[i] != b[i]) return false;
    }
    return true;
  }

 private:
  static int checkedRank(std::size_t rank) {
    if (rank > maxRank) refuseRank(rank);
    return static_cast<int>(rank);
  }
  [[noreturn]] static void refuseRank(std::size_t rank);
  [[noreturn]] void refuseAxis(int axis) const;

  std::array<i64, maxRank> values_{};
  int rank_ = 0;
};

using Shape = Dims;
using Strides = Dims;

/// "[64, 3, 28, 28]".
std::string toString(const Dims&);
/// Product of all sizes (1 for rank 0). Throws ShapeError on a negative size and on overflow of 63 bits.
i64 numel(const Shape&);
/// a·b and a+b on sizes; throw ShapeError on overflow instead of wrapping.
i64 checkedMul(i64 a, i64 b);
i64 checkedAdd(i64 a, i64 b);
/// Maps a negative axis to its position. `op` names the caller in the ShapeError.
int normalizeAxis(int axis, int rank, const char* op);
/// NumPy's broadcasting of two shapes; `op` names the caller in the ShapeError.
Shape broadcastShapes(const Shape& a, const Shape& b, const char* op);

}  // namespace ember
