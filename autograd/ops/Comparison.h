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

inline Tensor operator<(const Tensor& a, const Tensor& b) { return less(a, b); }
inline Tensor operator<=(const Tensor& a, const Tensor& b) { return lessEqual(a, b); }
inline Tensor operator>(const Tensor& a, const Tensor& b) { return greater(a, b); }
inline Tensor operator>=(const Tensor& a, const Tensor& b) { return greaterEqual(a, b); }
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

/// condition (bool) ? a : b, elementwise; all three broadcast. Differentiable any number of times in a and b.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
/// The larger / smaller of two, elementwise; where equal, each gets half the gradient. NaN wins.
Tensor maximum(const Tensor& a, const Tensor& b);
Tensor minimum(const Tensor& a, const Tensor& b);

}  // namespace ember
