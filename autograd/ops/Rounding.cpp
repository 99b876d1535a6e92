#include <ember/autograd/ops/Rounding.h>

#include <cmath>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/LibraryFunction.h>
#include <ember/core/kernels/Elementwise.h>

namespace ember {

using namespace autograd;

namespace {

Tensor remaining(const char* op, core::Quotient kind, const Tensor& a, const Tensor& b) {
  checkOperands(op, {&a, &b});
  checkSameDtype(op, a, b);
  return apply(
      op, {&a, &b}, broadcastShapes(a.shape(), b.shape(), op), a.dtype(),
      [&] { return core::remainder(kind, a.array(), b.array(), op); },
      [kind, a = Saved(a), b = Saved(b)](const BackwardContext& c) {
        const Tensor x = a.get(c).detach(), y = b.get(c).detach();
        const Tensor quotient = kind == core::Quotient::Floored ? floor(x / y) : trunc(x / y);
        return Tensors{c.needs(0) ? sumTo(c.grad(), x.shape()) : Tensor(),
                       c.needs(1) ? sumTo(-c.grad() * quotient, y.shape()) : Tensor()};
      });
}

}  // namespace

Tensor floor(const Tensor& x) { return stepFunction("floor", std::floor, std::floor, x); }
Tensor ceil(const Tensor& x) { return stepFunction("ceil", std::ceil, std::ceil, x); }
Tensor round(const Tensor& x) { return stepFunction("round", std::nearbyint, std::nearbyint, x); }
Tensor trunc(const Tensor& x) { return stepFunction("trunc", std::trunc, std::trunc, x); }

Tensor sign(const Tensor& x) {
  checkOperands("sign", {&x});
  return apply(
      "sign", {&x}, x.shape(), x.dtype(), [&] { return core::unary(core::Unary::Sign, x.array(), "sign"); },
      [](const BackwardContext& c) { return Tensors{c.grad() * 0}; });
}

Tensor fmod(const Tensor& a, const Tensor& b) { return remaining("fmod", core::Quotient::Truncated, a, b); }
Tensor remainder(const Tensor& a, const Tensor& b) { return remaining("remainder", core::Quotient::Floored, a, b); }

}  // namespace ember
