#pragma once
#include <ember/autograd/Tensor.h>

/// Elementwise mathematics on f32 and f64. The shape and memory order of x stay; differentiable any number of times
/// where the function is.
namespace ember {

Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);     ///< natural; -inf at 0, NaN below
Tensor sqrt(const Tensor& x);    ///< NaN below 0
Tensor square(const Tensor& x);  ///< x²; also integers
Tensor abs(const Tensor& x);     ///< gradient 0 at 0; also integers
Tensor sin(const Tensor& x);
Tensor cos(const Tensor& x);
Tensor erf(const Tensor& x);     ///< 2/sqrt(pi)·∫ exp(-t²) dt from 0 to x
/// x^exponent; NaN for a negative x and a fractional exponent.
Tensor pow(const Tensor& x, double exponent);
/// min(max(x, low), high): gradient 1 inside [low, high], 0 outside. ValueError unless low <= high. NaN stays.
Tensor clamp(const Tensor& x, double low, double high);

}  // namespace ember
