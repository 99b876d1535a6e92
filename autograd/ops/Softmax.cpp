#include <ember/autograd/ops/Softmax.h>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Math.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/core/kernels/Reduce.h>

namespace ember {

using namespace autograd;

Tensor softmax(const Tensor& x, int axis) {
  checkOperands("softmax", {&x});
  checkFloating("softmax", x);
  axis = normalizeAxis(axis, x.rank(), "softmax");
  return apply("softmax", {&x}, x.shape(), x.dtype(), [&] { return core::softmax(x.array(), axis); },
               [axis](const BackwardContext& c) {
                 const Tensor y = c.output(), weighted = c.grad() * y;
                 return Tensors{weighted - y * sum(weighted, {axis}, true)};
               },
               SaveOutputs::Yes);
}

Tensor logSoftmax(const Tensor& x, int axis) {
  checkOperands("logSoftmax", {&x});
  checkFloating("logSoftmax", x);
  axis = normalizeAxis(axis, x.rank(), "logSoftmax");
  return apply(
      "logSoftmax", {&x}, x.shape(), x.dtype(), [&] { return core::logSoftmax(x.array(), axis); },
      [axis](const BackwardContext& c) { return Tensors{c.grad() - exp(c.output()) * sum(c.grad(), {axis}, true)}; },
      SaveOutputs::Yes);
}

}  // namespace ember
