#pragma once
#include <ember/autograd/Tensor.h>
#include <ember/core/kernels/FusedAct.h>

/// Activations, elementwise on f32 and f64; the shape and memory order of x stay. Differentiable any number of times
/// where the function is; the derivative at a kink is that of the left side (0 for relu at 0).
namespace ember {

Tensor relu(const Tensor& x);                           ///< max(x, 0); NaN stays
Tensor leakyRelu(const Tensor& x, double slope = 0.01); ///< x > 0 ? x : slope·x
Tensor sigmoid(const Tensor& x);                        ///< 1 / (1 + exp(-x)), without overflow
Tensor tanh(const Tensor& x);
/// x·Phi(x), Phi the normal distribution function; tanhForm: x/2·(1 + tanh(sqrt(2/pi)·(x + 0.044715·x³))). Hendrycks &
/// Gimpel 2016.
Tensor gelu(const Tensor& x, bool tanhForm = false);
Tensor silu(const Tensor& x);                           ///< x·sigmoid(x)
Tensor softplus(const Tensor& x);                       ///< log(1 + exp(x)), without overflow

/// x > 0 ? x : weight·x with a slope that is learned: weight [1], or [C] for x [N, C, ...]. Differentiable in both;
/// ShapeError for another weight. He et al. 2015.
Tensor prelu(const Tensor& x, const Tensor& weight);
/// Gated linear unit: the first half of x along `axis` times the sigmoid of the second. ShapeError if that axis is odd.
/// Dauphin et al. 2017.
Tensor glu(const Tensor& x, int axis = -1);

/// The same on a temporary, whose memory the result takes where nothing else reads it (autograd/Fusion.h).
Tensor relu(Tensor&& x);
Tensor leakyRelu(Tensor&& x, double slope = 0.01);

namespace autograd {

class BackwardContext;

/// c.grad()·act'(v) for an op that saved its output y = act(v); differentiable. A leaky slope must be 0 or more.
Tensor activationBackward(const BackwardContext& c, const core::FusedAct& act);

}  // namespace autograd

}  // namespace ember
