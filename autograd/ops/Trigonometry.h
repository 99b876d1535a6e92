#pragma once
#include <ember/autograd/Tensor.h>

/// Circular and hyperbolic functions and their inverses beside those in Math.h and Activation.h (sin, cos, tanh), on
/// f32 and f64, in radians. NaN outside the domain. Differentiable any number of times where the function is.
namespace ember {

Tensor tan(const Tensor& x);
Tensor asin(const Tensor& x);  ///< x in [-1, 1]; the derivative is infinite at the ends
Tensor acos(const Tensor& x);  ///< as asin
Tensor atan(const Tensor& x);
Tensor sinh(const Tensor& x);
Tensor cosh(const Tensor& x);
Tensor asinh(const Tensor& x);
Tensor acosh(const Tensor& x);  ///< x >= 1; the derivative is infinite at 1
Tensor atanh(const Tensor& x);  ///< x in [-1, 1], infinite at the ends

}  // namespace ember
