#include <ember/nn/layers/Dropout.h>

#include <ember/autograd/ops/Dropout.h>
#include <ember/core/Error.h>

namespace ember::nn {

Dropout::Dropout(double p) : p_(p) {
  if (!(p >= 0 && p <= 1))
    throw ValueError("Dropout", "p is " + std::to_string(p), {}, "use a probability from 0 to 1");
}

Tensor Dropout::forward(const Tensor& x) { return dropout(x, p_, training()); }

}  // namespace ember::nn
