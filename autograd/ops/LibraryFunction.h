#pragma once
#include <ember/autograd/Tensor.h>

/// For ops that are a function of the C library on each element. Programs need none of this.
namespace ember::autograd {

/// The gradient of x from that of the result: g·f'(x), in differentiable ops.
using Derivative = Tensor (*)(const Tensor& g, const Tensor& x);

/// f (f32) or g (f64) of every element. DtypeError for other types.
Tensor libraryFunction(const char* op, float (*f)(float), double (*g)(double), const Tensor& x, Derivative derivative);

/// The same for functions that are constant between their steps: the gradient is 0. Integers stay as they are.
Tensor stepFunction(const char* op, float (*f)(float), double (*g)(double), const Tensor& x);

}  // namespace ember::autograd
