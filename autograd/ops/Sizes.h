#pragma once
#include <array>
#include <concepts>
#include <initializer_list>
#include <string>

#include <ember/core/Shape.h>

namespace ember {

/// One number for every spatial axis, or one for each: `.kernel = 3`, `.kernel = {3, 5}`. Empty means "not given".
class Sizes {
 public:
  Sizes() = default;
  template <std::integral T> Sizes(T all) : values_{static_cast<i64>(all)} {}
  Sizes(std::initializer_list<i64> each) : values_(each) {}
  Sizes(const Dims& each) : values_(each) {}

  bool empty() const noexcept { return values_.empty(); }
  /// The numbers as given: one, or one an axis.
  const Dims& values() const noexcept { return values_; }
  /// The number of each of `spatial` axes (entries beyond are 1). Throws ValueError, naming `op` and `what`, if there are
  /// neither one nor `spatial` numbers.
  std::array<i64, 3> over(int spatial, const char* op, const char* what) const;
  /// "3" if all are equal, else "3x5".
  std::string text() const;
  friend bool operator==(const Sizes& a, const Sizes& b) noexcept { return a.values_ == b.values_; }

 private:
  Dims values_;
};

}  // namespace ember
