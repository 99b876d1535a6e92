#pragma once
#include <ember/autograd/Tensor.h>

/// Smooth activations, elementwise on f32 and f64, with PyTorch's values and defaults. Shape and memory order of x
/// stay; NaN stays, no finite x overflows on the way, and infinities reach the limits of values and gradients.
/// Differentiable any number of times where the function is. Numbers that are NaN or infinite are a ValueError.
namespace ember {

/// x > 0 ? x : alpha·(exp(x) - 1). Clevert et al. 2016.
Tensor elu(const Tensor& x, double alpha = 1);
/// scale·elu(x, alpha) with the fixed numbers that keep mean 0 and variance 1. Klambauer et al. 2017.
Tensor selu(const Tensor& x);
/// x > 0 ? x : alpha·(exp(x/alpha) - 1). ValueError if alpha is 0. Barron 2017.
Tensor celu(const Tensor& x, double alpha = 1);
Tensor mish(const Tensor& x);  ///< x·tanh(softplus(x)). Misra 2019
/// log(1 + exp(beta·x)) / beta, and x itself where beta·x > threshold. ValueError if beta is 0; the threshold may be
/// infinite, as in softplus(x).
Tensor softplus(const Tensor& x, double beta, double threshold = 20);
Tensor softsign(const Tensor& x);    ///< x / (1 + |x|)
Tensor logSigmoid(const Tensor& x);  ///< log(sigmoid(x)) = -softplus(-x)
Tensor tanhshrink(const Tensor& x);  ///< x - tanh(x)

}  // namespace ember
