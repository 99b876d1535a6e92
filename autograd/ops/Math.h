#pragma once
#include <ember/autograd/Tensor.h>

/// Elementwise mathematics on f32 and f64. The shape and memory order of x stay; differentiable any number of times
/// where the function is.
namespace ember {

Tensor exp(const Tensor& x);
Tensor expm1(const Tensor& x);   ///< exp(x) - 1, exact near 0
Tensor log(const Tensor& x);     ///< natural; -inf at 0, NaN below
Tensor log1p(const Tensor& x);   ///< log(1 + x), exact near 0
Tensor log2(const Tensor& x);
Tensor sqrt(const Tensor& x);    ///< NaN below 0
Tensor rsqrt(const Tensor& x);   ///< 1/sqrt(x)
Tensor square(const Tensor& x);  ///< x²; also integers
Tensor reciprocal(const Tensor& x);
Tensor abs(const Tensor& x);     ///< gradient 0 at 0; also integers
Tensor sin(const Tensor& x);
Tensor cos(const Tensor& x);
Tensor erf(const Tensor& x);     ///< 2/sqrt(pi)·∫ exp(-t²) dt from 0 to x
/// x^exponent; NaN for a negative x and a fractional exponent.
Tensor pow(const Tensor& x, double exponent);
/// base^exponent with broadcasting, differentiable in both (in the exponent: 0 where base is 0 and exponent is not
/// negative). Also integers, whose negative exponents are a ValueError.
Tensor pow(const Tensor& base, const Tensor& exponent);
Tensor pow(double base, const Tensor& exponent);
/// min(max(x, low), high): gradient 1 inside [low, high], 0 outside. ValueError unless low <= high. NaN stays. Also
/// integers, whose type must hold a bound that is finite.
Tensor clamp(const Tensor& x, double low, double high);

}  // namespace ember
