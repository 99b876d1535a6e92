#include <ember/nn/layers/Activations.h>

#include <ember/autograd/ops/Activation.h>
#include <ember/autograd/ops/ActivationChecks.h>
#include <ember/autograd/ops/Math.h>
#include <ember/autograd/ops/Piecewise.h>
#include <ember/autograd/ops/Smooth.h>
#include <ember/autograd/ops/Softmax.h>
#include <ember/core/Error.h>
#include <ember/nn/Init.h>

namespace ember::nn {
namespace {

/// The function's own checks of the numbers it was given, for a constructor: nothing is computed.
template <class Layer>
void checkNumbers(Layer& layer) {
  (void)layer.forward(Tensor::shapeOnly({0}));
}

}  // namespace

Tensor ReLU::forward(const Tensor& x) { return relu(x); }
Tensor Sigmoid::forward(const Tensor& x) { return sigmoid(x); }
Tensor Tanh::forward(const Tensor& x) { return tanh(x); }
Tensor SiLU::forward(const Tensor& x) { return silu(x); }
Tensor ReLU6::forward(const Tensor& x) { return relu6(x); }
Tensor SELU::forward(const Tensor& x) { return selu(x); }
Tensor Mish::forward(const Tensor& x) { return mish(x); }
Tensor Softsign::forward(const Tensor& x) { return softsign(x); }
Tensor Hardsigmoid::forward(const Tensor& x) { return hardsigmoid(x); }
Tensor Hardswish::forward(const Tensor& x) { return hardswish(x); }
Tensor LogSigmoid::forward(const Tensor& x) { return logSigmoid(x); }
Tensor Tanhshrink::forward(const Tensor& x) { return tanhshrink(x); }

Tensor GELU::forward(const Tensor& x) { return gelu(x, tanhForm_); }
Tensor Softmax::forward(const Tensor& x) { return softmax(x, axis_); }
Tensor LogSoftmax::forward(const Tensor& x) { return logSoftmax(x, axis_); }
Tensor GLU::forward(const Tensor& x) { return glu(x, axis_); }

#define EMBER_ACTIVATION(Type, function, number)                         \
  Type::Type(double number) : number##_(number) { checkNumbers(*this); } \
  Tensor Type::forward(const Tensor& x) { return function(x, number##_); }
EMBER_ACTIVATION(LeakyReLU, leakyRelu, slope)
EMBER_ACTIVATION(ELU, elu, alpha)
EMBER_ACTIVATION(CELU, celu, alpha)
EMBER_ACTIVATION(Softshrink, softshrink, lambda)
EMBER_ACTIVATION(Hardshrink, hardshrink, lambda)
#undef EMBER_ACTIVATION

#define EMBER_ACTIVATION(Type, function, one, two)                                       \
  Type::Type(double one, double two) : one##_(one), two##_(two) { checkNumbers(*this); } \
  Tensor Type::forward(const Tensor& x) { return function(x, one##_, two##_); }
EMBER_ACTIVATION(Softplus, softplus, beta, threshold)
EMBER_ACTIVATION(Hardtanh, hardtanh, min, max)
EMBER_ACTIVATION(Clip, clamp, low, high)
EMBER_ACTIVATION(Threshold, ember::threshold, threshold, value)
#undef EMBER_ACTIVATION

PReLU::PReLU(i64 channels, double start) : channels_(channels), start_(start) {
  if (channels < 1) {
    throw ValueError("PReLU", std::to_string(channels) + " channels", {},
                     "use 1 for a common slope, or the number of channels");
  }
  autograd::checkFinite("PReLU", "start", start);
  weight = addParameter("weight", init::filled({channels}, start));
}

Tensor PReLU::forward(const Tensor& x) { return prelu(x, weight); }

}  // namespace ember::nn
