#pragma once
#include <ember/autograd/ops/Arithmetic.h>

/// Comparisons with NumPy broadcasting: bool tensors, never differentiable. Operands of one dtype; NaN equals nothing.
namespace ember {

Tensor equal(const Tensor& a, const Tensor& b);
Tensor notEqual(const Tensor& a, const Tensor& b);
Tensor less(const Tensor& a, const Tensor& b);
Tensor lessEqual(const Tensor& a, const Tensor& b);
Tensor greater(const Tensor& a, const Tensor& b);
Tensor greaterEqual(const Tensor& a, const Tensor& b);

/// Elementwise: of two tensors, == is a tensor too. all(a == b).item() says whether all are equal.
inline Tensor operator==(const Tensor& a, const Tensor& b) { return equal(a, b); }
inline Tensor operator!=(const Tensor& a, const Tensor& b) { return notEqual(a, b); }
inline Tensor operator<(const Tensor& a, const Tensor& b) { return less(a, b); }
inline Tensor operator<=(const Tensor& a, const Tensor& b) { return lessEqual(a, b); }
inline Tensor operator>(const Tensor& a, const Tensor& b) { return greater(a, b); }
inline Tensor operator>=(const Tensor& a, const Tensor& b) { return greaterEqual(a, b); }
template <Number N>
Tensor operator==(const Tensor& a, N b) {
  return equal(a, autograd::beside("equal", a, b));
}
template <Number N>
Tensor operator!=(const Tensor& a, N b) {
  return notEqual(a, autograd::beside("notEqual", a, b));
}
template <Number N>
Tensor operator<(const Tensor& a, N b) {
  return less(a, autograd::beside("less", a, b));
}
template <Number N>
Tensor operator<=(const Tensor& a, N b) {
  return lessEqual(a, autograd::beside("lessEqual", a, b));
}
template <Number N>
Tensor operator>(const Tensor& a, N b) {
  return greater(a, autograd::beside("greater", a, b));
}
template <Number N>
Tensor operator>=(const Tensor& a, N b) {
  return greaterEqual(a, autograd::beside("greaterEqual", a, b));
}
template <Number N>
Tensor operator==(N a, const Tensor& b) {
  return equal(autograd::beside("equal", b, a), b);
}
template <Number N>
Tensor operator!=(N a, const Tensor& b) {
  return notEqual(autograd::beside("notEqual", b, a), b);
}
template <Number N>
Tensor operator<(N a, const Tensor& b) {
  return less(autograd::beside("less", b, a), b);
}
template <Number N>
Tensor operator<=(N a, const Tensor& b) {
  return lessEqual(autograd::beside("lessEqual", b, a), b);
}
template <Number N>
Tensor operator>(N a, const Tensor& b) {
  return greater(autograd::beside("greater", b, a), b);
}
template <Number N>
Tensor operator>=(N a, const Tensor& b) {
  return greaterEqual(autograd::beside("greaterEqual", b, a), b);
}

/// condition (bool) ? a : b, elementwise; all three broadcast. Differentiable any number of times in a and b.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
template <Number N>
Tensor where(const Tensor& condition, const Tensor& a, N b) {
  return where(condition, a, autograd::beside("where", a, b));
}
template <Number N>
Tensor where(const Tensor& condition, N a, const Tensor& b) {
  return where(condition, autograd::beside("where", b, a), b);
}
/// The larger / smaller of two, elementwise; where equal, each gets half the gradient. NaN wins.
Tensor maximum(const Tensor& a, const Tensor& b);
Tensor minimum(const Tensor& a, const Tensor& b);

}  // namespace ember
