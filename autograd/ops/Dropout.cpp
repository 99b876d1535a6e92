#include <ember/autograd/ops/Dropout.h>

#include <memory>
#include <string>

#include <ember/autograd/Op.h>
#include <ember/core/Error.h>
#include <ember/core/kernels/Dropout.h>

namespace ember {

using namespace autograd;

namespace {

// Linear in x, so its gradient is the same map.
Tensor maskScale(const Tensor& x, const core::NDArray& mask, double scale) {
  return apply(
      "dropoutBackward", {&x}, x.shape(), x.dtype(), [&] { return core::maskScale(x.array(), mask, scale); },
      [mask, scale](const BackwardContext& c) { return Tensors{maskScale(c.grad(), mask, scale)}; });
}

}  // namespace

Tensor dropout(const Tensor& x, double p, bool training) {
  constexpr const char* op = "dropout";
  if (!(p >= 0 && p <= 1)) {
    throw ValueError(op, "p is " + std::to_string(p) + ", must be in [0, 1]", {},
                     "p is the probability that an element becomes zero");
  }
  checkOperands(op, {&x});
  checkFloating(op, x);
  if (!training || p == 0) return x;
  const double scale = p == 1 ? 0 : 1 / (1 - p);
  const auto mask = std::make_shared<core::NDArray>();
  return apply(
      op, {&x}, x.shape(), x.dtype(),
      [&] {
        *mask = core::dropoutMask(x.shape(), p, random::nextCallKey(), x.array().order());
        return core::maskScale(x.array(), *mask, scale);
      },
      [mask, scale](const BackwardContext& c) { return Tensors{maskScale(c.grad(), *mask, scale)}; });
}

}  // namespace ember
