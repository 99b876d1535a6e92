#include <ember/nn/layers/Flatten.h>

#include <ember/autograd/ops/Shape.h>

namespace ember::nn {

Tensor Flatten::forward(const Tensor& x) { return flatten(x, first_, last_); }

}  // namespace ember::nn
