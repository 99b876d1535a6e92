#pragma once
#include <functional>

#include <ember/autograd/Tensor.h>

/// Derivatives of functions as functions: products of the Jacobian J (outputs by inputs) and the Hessian H with
/// vectors, exact, without making the matrices. `fn` is called once on copies of the inputs that require gradients;
/// inputs, their graphs and their gradients stay as they are. Inputs are f32 or f64.
///
/// All throw StateError for undefined tensors, DtypeError for inputs of other types, ValueError for another number of
/// vectors than of what they belong to, ShapeError and DtypeError where one differs from it in shape or type.
namespace ember {

/// Outputs of a function, and their derivative.
struct Derivative {
  Tensors outputs, products;
};

/// v·J, the gradients of sum outputs·v with respect to the inputs (reverse mode; 0 where nothing depends on one). One
/// vector for each output; may be left out for outputs that are scalars.
Derivative vjp(const std::function<Tensors(const Tensors&)>& fn, const Tensors& inputs, const Tensors& v = {});

/// J·v, the change of the outputs along `v`, one vector for each input. By two reverse passes: v·J is linear in v, and
/// its own transpose is J·v. fn must be twice differentiable in ember's sense (its backward may be differentiated).
Derivative jvp(const std::function<Tensors(const Tensors&)>& fn, const Tensors& inputs, const Tensors& v);
/// The same for one input and one output.
struct SingleDerivative {
  Tensor output, product;
};
SingleDerivative jvp(const std::function<Tensor(const Tensor&)>& fn, const Tensor& input, const Tensor& v);

/// H·v for a function with a scalar output, one vector for each input: the gradient of (gradient·v) (Pearlmutter 1994).
Derivative hvp(const std::function<Tensor(const Tensors&)>& fn, const Tensors& inputs, const Tensors& v);
SingleDerivative hvp(const std::function<Tensor(const Tensor&)>& fn, const Tensor& input, const Tensor& v);

}  // namespace ember
