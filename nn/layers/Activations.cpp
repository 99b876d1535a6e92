#include <ember/nn/layers/Activations.h>

#include <ember/autograd/ops/Activation.h>
#include <ember/autograd/ops/Softmax.h>

namespace ember::nn {

Tensor ReLU::forward(const Tensor& x) { return relu(x); }
Tensor Sigmoid::forward(const Tensor& x) { return sigmoid(x); }
Tensor Tanh::forward(const Tensor& x) { return tanh(x); }
Tensor SiLU::forward(const Tensor& x) { return silu(x); }
Tensor LeakyReLU::forward(const Tensor& x) { return leakyRelu(x, slope_); }
Tensor GELU::forward(const Tensor& x) { return gelu(x, tanhForm_); }
Tensor Softmax::forward(const Tensor& x) { return softmax(x, axis_); }
Tensor LogSoftmax::forward(const Tensor& x) { return logSoftmax(x, axis_); }

}  // namespace ember::nn
