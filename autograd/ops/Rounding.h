#pragma once
#include <ember/autograd/ops/Arithmetic.h>

/// Rounding, signs and remainders. Their steps have the gradient 0 (as in PyTorch); integers are rounded already and
/// come back as they are.
namespace ember {

Tensor floor(const Tensor& x);  ///< the largest whole number that is not above x
Tensor ceil(const Tensor& x);   ///< the smallest whole number that is not below x
Tensor round(const Tensor& x);  ///< the nearest whole number, halves to the even one: 0.5 -> 0, 1.5 -> 2
Tensor trunc(const Tensor& x);  ///< x without its fraction
Tensor sign(const Tensor& x);   ///< -1, 0 or 1; NaN stays

/// a - b·q with broadcasting, q = a / b cut towards zero (fmod: C's, with the sign of a) or rounded down (remainder:
/// Python's %, with the sign of b). Numbers of any one type; an integer by zero is a ValueError, a float gives NaN.
/// Differentiable any number of times between the steps of q.
Tensor fmod(const Tensor& a, const Tensor& b);
Tensor remainder(const Tensor& a, const Tensor& b);
/// remainder(), as in Python, NumPy and PyTorch: for negative integers not what C++ computes.
inline Tensor operator%(const Tensor& a, const Tensor& b) { return remainder(a, b); }
template <Number N>
Tensor operator%(const Tensor& a, N b) {
  return remainder(a, autograd::beside("remainder", a, b));
}
template <Number N>
Tensor operator%(N a, const Tensor& b) {
  return remainder(autograd::beside("remainder", b, a), b);
}

}  // namespace ember
