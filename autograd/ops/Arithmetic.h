#pragma once
#include <concepts>
#include <utility>

#include <ember/autograd/Tensor.h>

/// Arithmetic with NumPy broadcasting. Operands have one dtype (DtypeError otherwise: nothing is promoted); a C++
/// number takes the tensor's dtype (ValueError if that cannot hold it). Twice differentiable in both operands.
/// ShapeError where shapes do not broadcast.
namespace ember {

Tensor add(const Tensor& a, const Tensor& b);  ///< a + b
Tensor sub(const Tensor& a, const Tensor& b);  ///< a - b
Tensor mul(const Tensor& a, const Tensor& b);  ///< a · b
/// a / b; integers truncate towards zero, and division of an integer by zero throws ValueError.
Tensor div(const Tensor& a, const Tensor& b);
Tensor neg(const Tensor& x);                   ///< -x

/// Sums the axes that broadcasting `shape` to x.shape() added or stretched (the adjoint of expand); x itself if equal.
Tensor sumTo(const Tensor& x, const Shape& shape);

/// add(), in the memory of a temporary that nothing else reads (autograd/Fusion.h).
Tensor operator+(Tensor a, Tensor b);
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator-(const Tensor& x) { return neg(x); }

template <class T>
concept Number = std::integral<T> || std::floating_point<T>;

namespace autograd {

/// A C++ number as the operand of `op` beside x, in the dtype of x. Throws StateError if x is undefined, ValueError if
/// that type cannot hold the number.
Tensor beside(const char* op, const Tensor& x, double number);
Tensor beside(const char* op, const Tensor& x, i64 number);
template <Number N>
Tensor beside(const char* op, const Tensor& x, N number) {
  if constexpr (std::integral<N>) {
    // All but the upper half of u64, which is too large for every integer type of a tensor.
    if (static_cast<i64>(number) >= 0 || std::signed_integral<N>) return beside(op, x, static_cast<i64>(number));
  }
  return beside(op, x, static_cast<double>(number));
}

}  // namespace autograd

template <Number N>
Tensor operator+(const Tensor& a, N b) {
  return add(a, autograd::beside("add", a, b));
}
template <Number N>
Tensor operator-(const Tensor& a, N b) {
  return sub(a, autograd::beside("sub", a, b));
}
template <Number N>
Tensor operator*(const Tensor& a, N b) {
  return mul(a, autograd::beside("mul", a, b));
}
template <Number N>
Tensor operator/(const Tensor& a, N b) {
  return div(a, autograd::beside("div", a, b));
}
template <Number N>
Tensor operator+(N a, const Tensor& b) {
  return add(autograd::beside("add", b, a), b);
}
template <Number N>
Tensor operator-(N a, const Tensor& b) {
  return sub(autograd::beside("sub", b, a), b);
}
template <Number N>
Tensor operator*(N a, const Tensor& b) {
  return mul(autograd::beside("mul", b, a), b);
}
template <Number N>
Tensor operator/(N a, const Tensor& b) {
  return div(autograd::beside("div", b, a), b);
}

/// x += y is x = x + y: the handle gets the new value, with its gradient, and other handles keep the old one. In place, in
/// everyone's memory and outside the graph, write add_() and mul_().
inline Tensor& operator+=(Tensor& a, Tensor b) { return a = std::move(a) + std::move(b); }
inline Tensor& operator-=(Tensor& a, const Tensor& b) { return a = a - b; }
inline Tensor& operator*=(Tensor& a, const Tensor& b) { return a = a * b; }
inline Tensor& operator/=(Tensor& a, const Tensor& b) { return a = a / b; }
template <Number N>
Tensor& operator+=(Tensor& a, N b) {
  return a = a + b;
}
template <Number N>
Tensor& operator-=(Tensor& a, N b) {
  return a = a - b;
}
template <Number N>
Tensor& operator*=(Tensor& a, N b) {
  return a = a * b;
}
template <Number N>
Tensor& operator/=(Tensor& a, N b) {
  return a = a / b;
}

}  // namespace ember
