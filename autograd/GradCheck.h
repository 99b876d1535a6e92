#pragma once
#include <functional>

#include <ember/autograd/Tensor.h>

namespace ember {

struct GradCheckOptions {
  double step = 1e-6;  ///< distance of the central differences
  double absoluteTolerance = 1e-5;
  double relativeTolerance = 1e-3;
};

/// Compares the gradients that backward gives for `fn` with central differences, element by element.
///
///   (f(x + h·e_j) - f(x - h·e_j)) / 2h   against   df/dx_j,     f(x) = sum_i r_i · fn(x)_i
///
/// fn  differentiable near the inputs, deterministic; its result may have any shape (r is random, but always the same)
/// x   f64: those that require a gradient, or all floating ones if none does; they themselves stay as they are
/// -> the worst |difference| / (absoluteTolerance + relativeTolerance·|numeric|), at most 1
///
/// Throws NumericError that names input, element, gradient and difference quotient if one is worse; DtypeError unless
/// inputs and result are f64; ValueError if two calls of fn disagree or options are out of range.
double gradcheck(const std::function<Tensor(const Tensor&)>& fn, const Tensor& x, const GradCheckOptions& = {});
double gradcheck(const std::function<Tensor(const Tensors&)>& fn, const Tensors& inputs, const GradCheckOptions& = {});

/// The same for second derivatives: gradcheck of the gradients that createGraph gives, as functions of inputs and
/// incoming gradient. These gradients are also compared with those of a plain backward, which may run other kernels.
double gradgradcheck(const std::function<Tensor(const Tensor&)>& fn, const Tensor& x, const GradCheckOptions& = {});
double gradgradcheck(const std::function<Tensor(const Tensors&)>& fn, const Tensors& inputs,
                     const GradCheckOptions& = {});

}  // namespace ember
