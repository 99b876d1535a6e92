#include <ember/autograd/ops/LibraryFunction.h>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/core/kernels/Elementwise.h>

namespace ember::autograd {

Tensor libraryFunction(const char* op, float (*f)(float), double (*g)(double), const Tensor& x, Derivative derivative) {
  checkOperands(op, {&x});
  checkFloating(op, x);
  return apply(
      op, {&x}, x.shape(), x.dtype(), [&] { return core::eachElement(x.array(), f, g, op); },
      [x = Saved(x), derivative](const BackwardContext& c) { return Tensors{derivative(c.grad(), x.get(c))}; });
}

Tensor stepFunction(const char* op, float (*f)(float), double (*g)(double), const Tensor& x) {
  checkOperands(op, {&x});
  if (!isFloating(x.dtype())) return x;
  return apply(
      op, {&x}, x.shape(), x.dtype(), [&] { return core::eachElement(x.array(), f, g, op); },
      [](const BackwardContext& c) { return Tensors{c.grad() * 0}; });
}

}  // namespace ember::autograd
