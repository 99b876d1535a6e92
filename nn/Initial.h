#pragma once
#include <concepts>
#include <functional>
#include <utility>
#include <variant>

#include <ember/autograd/Tensor.h>
#include <ember/core/io/Value.h>

namespace ember::nn {

/// What a parameter or buffer starts as: a number, a tensor of its shape, or a function that fills it.
///
///   .scaleInit = 1.0        .biasInit = Tensor::of({0.1, 0.2})        .meanInit = [](Tensor& t) { init::normal_(t); }
///
/// A net's architecture holds numbers and tensors. Of a function it holds only that there was one: a net rebuilt from a
/// file has its values, and refuses (StateError) to draw them anew.
class Initial {
 public:
  using Fill = std::function<void(Tensor&)>;

  Initial() = default;  ///< nothing given: the owner's default
  template <class T>
  requires std::is_arithmetic_v<T> Initial(T value) : start_(static_cast<double>(value)) {}
  Initial(Tensor values) : start_(std::move(values)) {}
  template <class F>
  requires(std::invocable<F&, Tensor&> && !std::same_as<std::decay_t<F>, Initial>) Initial(F fill)
      : start_(Fill(std::move(fill))) {}

  bool given() const noexcept { return start_.index() != 0; }
  /// Whether it is a function, which no file can hold.
  bool isFunction() const noexcept { return std::holds_alternative<Fill>(start_); }
  /// Overwrites `target`. Throws ShapeError if a tensor was given of another shape; `owner` and `field` name who asks.
  void fill(Tensor& target, const char* owner, const char* field) const;

  /// As it stands in module arguments, and back.
  Value toValue() const;
  static Initial of(const Value& value);

 private:
  std::variant<std::monostate, double, Tensor, Fill> start_;
};

}  // namespace ember::nn
