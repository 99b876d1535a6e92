#pragma once
#include <concepts>
#include <optional>
#include <variant>
#include <vector>

#include <ember/autograd/Tensor.h>

/// Indexing as in NumPy: index(x, {0, Range{1, 5}, ellipsis, newAxis, Range{.step = -1}}).
namespace ember {

/// start, start+step, ... before stop: Python's start:stop:step. Negative ends count from the end, those out of range
/// are clamped, absent ones are the ends of the axis; the step may be negative, not 0 (ValueError).
struct Range {
  std::optional<i64> start = {};
  std::optional<i64> stop = {};
  i64 step = 1;
};

struct Ellipsis {};
struct NewAxis {};
inline constexpr Ellipsis ellipsis;  ///< as many whole axes as are left over; at most once
inline constexpr NewAxis newAxis;    ///< a new axis of size 1

/// What is done to one axis (or, by an ellipsis, a mask or a new axis, to several or none).
class Index {
 public:
  template <std::integral I>
  requires(!std::same_as<I, bool>) Index(I position) : value_(static_cast<i64>(position)) {}
  Index(const Range& slice) : value_(slice) {}
  Index(Ellipsis) : value_(ellipsis) {}
  Index(NewAxis) : value_(newAxis) {}
  /// i64: positions along the axis, as indexSelect. bool: the places where it is true, over as many axes as it has.
  Index(const Tensor& chosen) : value_(chosen) {}
  const std::variant<i64, Range, Ellipsis, NewAxis, Tensor>& value() const noexcept { return value_; }

 private:
  std::variant<i64, Range, Ellipsis, NewAxis, Tensor> value_;
};

/// x at the given places; axes that are not named stay whole. A position drops its axis (from the end if negative;
/// ShapeError out of range). A view, but for negative steps and tensors, which copy. Differentiable any number of
/// times. ShapeError for more places than axes; of the tensors only one may choose (ValueError), since several would be
/// paired.
Tensor index(const Tensor& x, const std::vector<Index>& at);

}  // namespace ember
