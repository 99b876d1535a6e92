#pragma once
#include <ember/autograd/Tensor.h>
#include <ember/core/kernels/Piecewise.h>

/// Activations of straight pieces (hardswish: and a parabola), elementwise on f32 and f64, with PyTorch's values,
/// defaults and derivatives at the kinks. Shape and memory order of x stay, NaN stays, infinities reach their limits.
/// Differentiable any number of times; forward and backward are one pass each. Numbers that are NaN or, unless said,
/// infinite are a ValueError.
namespace ember {

Tensor relu6(const Tensor& x);        ///< min(max(x, 0), 6); gradient 0 at 0 and 6
Tensor hardsigmoid(const Tensor& x);  ///< min(max(x/6 + 1/2, 0), 1); gradient 0 at -3 and 3
Tensor hardswish(const Tensor& x);    ///< x·min(max(x + 3, 0), 6)/6; gradient 0 at -3, 1 at 3. Howard et al. 2019
/// min(max(x, min), max); gradient 0 at the bounds (clamp: 1). ValueError unless min <= max; bounds may be infinite.
Tensor hardtanh(const Tensor& x, double min = -1, double max = 1);
/// x - lambda above lambda, x + lambda below -lambda, else 0. ValueError unless lambda >= 0.
Tensor softshrink(const Tensor& x, double lambda = 0.5);
/// x where |x| > lambda, else 0. ValueError unless lambda >= 0.
Tensor hardshrink(const Tensor& x, double lambda = 0.5);
/// x where x > threshold, else value.
Tensor threshold(const Tensor& x, double threshold, double value);

namespace autograd {

/// f(x), recorded under the name of `op`.
Tensor piecewise(const char* op, const Tensor& x, const core::Pieces& f);

}  // namespace autograd

}  // namespace ember
