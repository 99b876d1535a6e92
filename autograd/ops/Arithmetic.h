#pragma once
#include <concepts>

#include <ember/autograd/Tensor.h>

/// Arithmetic with NumPy broadcasting. Operands have one dtype (DtypeError otherwise: nothing is promoted); a C++
/// number takes the tensor's dtype. Twice differentiable in both operands. ShapeError where shapes do not broadcast.
namespace ember {

Tensor add(const Tensor& a, const Tensor& b);  ///< a + b
Tensor sub(const Tensor& a, const Tensor& b);  ///< a - b
Tensor mul(const Tensor& a, const Tensor& b);  ///< a · b
/// a / b; integers truncate towards zero, and division of an integer by zero throws ValueError.
Tensor div(const Tensor& a, const Tensor& b);
Tensor neg(const Tensor& x);                   ///< -x

/// Sums the axes that broadcasting `shape` to x.shape() added or stretched (the adjoint of expand); x itself if equal.
Tensor sumTo(const Tensor& x, const Shape& shape);

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator-(const Tensor& x) { return neg(x); }

template <class T> concept Number = std::integral<T> || std::floating_point<T>;
template <Number N>
Tensor operator+(const Tensor& a, N b) {
  return add(a, Tensor::scalar(static_cast<double>(b), a.dtype()));
}
template <Number N>
Tensor operator-(const Tensor& a, N b) {
  return sub(a, Tensor::scalar(static_cast<double>(b), a.dtype()));
}
template <Number N>
Tensor operator*(const Tensor& a, N b) {
  return mul(a, Tensor::scalar(static_cast<double>(b), a.dtype()));
}
template <Number N>
Tensor operator/(const Tensor& a, N b) {
  return div(a, Tensor::scalar(static_cast<double>(b), a.dtype()));
}
template <Number N>
Tensor operator+(N a, const Tensor& b) {
  return add(Tensor::scalar(static_cast<double>(a), b.dtype()), b);
}
template <Number N>
Tensor operator-(N a, const Tensor& b) {
  return sub(Tensor::scalar(static_cast<double>(a), b.dtype()), b);
}
template <Number N>
Tensor operator*(N a, const Tensor& b) {
  return mul(Tensor::scalar(static_cast<double>(a), b.dtype()), b);
}
template <Number N>
Tensor operator/(N a, const Tensor& b) {
  return div(Tensor::scalar(static_cast<double>(a), b.dtype()), b);
}

}  // namespace ember
