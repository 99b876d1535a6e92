#pragma once
#include <array>
#include <concepts>
#include <initializer_list>
#include <string>
#include <vector>

#include <ember/core/Sizes.h>

namespace ember {

/// Padding of spatial axes: {.padding = 1} on both sides of all, {.padding = {1, 2}} of each,
/// {.padding = Padding::sides({0, 1}, {1, 1})} with other numbers behind than before, {.padding = Padding::Same} so
/// much that the result has ceil(size / stride) elements.
///
/// Same pads total = max((ceil(size / stride) - 1)·stride + dilation·(kernel - 1) + 1 - size, 0), half of it before,
/// rounded down: at stride 1 as PyTorch's 'same', above as TensorFlow's, which is ONNX's SAME_UPPER.
class Padding {
 public:
  struct SameTag {};
  static constexpr SameTag Same{};

  Padding() : Padding(0) {}
  template <std::integral I>
  Padding(I all) : before_(all), after_(all) {}
  Padding(std::initializer_list<i64> each) : before_(each), after_(each) {}
  Padding(const std::vector<i64>& each) : before_(each), after_(each) {}  ///< throws ValueError as Sizes does
  Padding(const Sizes& each) : before_(each), after_(each) {}
  Padding(SameTag) : Padding(0) { same_ = true; }
  static Padding sides(const Sizes& before, const Sizes& after);

  bool same() const noexcept { return same_; }
  bool symmetric() const noexcept { return !same_ && before_ == after_; }
  const Sizes& before() const noexcept { return before_; }
  const Sizes& after() const noexcept { return after_; }
  /// Throws ValueError on a number below 0 or another number of sizes than `axes`.
  void check(int axes, const char* op) const;

  struct Sides {
    std::array<i64, 3> before{0, 0, 0}, after{0, 0, 0};
  };
  /// The numbers for `axes` axes of these sizes, kernel, stride and dilation; Same is nothing where one of them is
  /// below 1, which the caller refuses. Throws ValueError if another number of sizes was given.
  Sides over(int axes, const i64* sizes, const i64* kernel, const std::array<i64, 3>& stride,
             const std::array<i64, 3>& dilation, const char* op) const;

  friend bool operator==(const Padding& a, const Padding& b) noexcept {
    return a.same_ == b.same_ && a.before_ == b.before_ && a.after_ == b.after_;
  }

 private:
  Sizes before_, after_;
  bool same_ = false;
};

}  // namespace ember
