#pragma once
#include <array>
#include <concepts>
#include <initializer_list>
#include <vector>

#include <ember/core/DType.h>

namespace ember {

/// One number for all spatial axes, or one for each: {.kernel = 3}, {.kernel = {3, 5}}. At most three.
class Sizes {
 public:
  Sizes() = default;
  template <std::integral I>
  Sizes(I all) : values_{static_cast<i64>(all), static_cast<i64>(all), static_cast<i64>(all)}, count_(1) {}
  Sizes(std::initializer_list<i64> each) : Sizes(std::vector<i64>(each)) {}
  Sizes(const std::vector<i64>& each);  ///< throws ValueError on none or more than three

  /// 0 if unset, 1 if the same for all axes, else how many were given.
  int count() const noexcept { return count_; }
  bool set() const noexcept { return count_ > 0; }
  /// The number for `axis` of `axes`; throws ValueError naming `what` if another number of sizes was given.
  i64 at(int axis, int axes, const char* op, const char* what) const;
  /// All `axes` of them.
  std::array<i64, 3> over(int axes, const char* op, const char* what) const;
  std::vector<i64> vector() const { return {values_.begin(), values_.begin() + count_}; }
  friend bool operator==(const Sizes& a, const Sizes& b) noexcept {
    return a.count_ == b.count_ && a.values_ == b.values_;
  }

 private:
  std::array<i64, 3> values_{0, 0, 0};
  int count_ = 0;
};

}  // namespace ember
