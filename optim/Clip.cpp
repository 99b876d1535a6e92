#include <ember/optim/Clip.h>

#include <cmath>

#include <ember/core/Error.h>
#include <ember/core/kernels/Elementwise.h>
#include <ember/core/kernels/Reduce.h>

namespace ember::optim {

double gradNorm(const nn::Parameters& parameters) {
  double total = 0;
  for (const nn::Parameter& p : parameters) {
    if (const Tensor gradient = p.tensor.grad(); gradient.defined()) total += core::squaredNorm(gradient.array());
  }
  return std::sqrt(total);
}

void checkGradsFinite(const nn::Parameters& parameters, const char* op) {
  // One norm over everything tells; only a failure is worth looking at each parameter.
  if (std::isfinite(gradNorm(parameters))) return;
  for (const nn::Parameter& p : parameters) {
    if (const Tensor gradient = p.tensor.grad(); gradient.defined() && !core::allFinite(gradient.array())) {
      throw NumericError(op, "the gradient of \"" + p.name + "\" has NaN or infinity",
                         {{"parameter", toString(p.tensor.shape())}},
                         "lower the learning rate, or find the first op with AnomalyMode");
    }
  }
  throw NumericError(op, "every gradient is finite but their norm is not", {}, "lower the learning rate");
}

double clipGradNorm(const nn::Parameters& parameters, double maxNorm) {
  if (!(maxNorm > 0)) throw ValueError("clipGradNorm", "maxNorm is " + std::to_string(maxNorm) + ", expected above 0");
  checkGradsFinite(parameters, "clipGradNorm");
  const double norm = gradNorm(parameters);
  if (norm > maxNorm) {
    const NoGrad guard;
    for (const nn::Parameter& p : parameters) {
      if (Tensor gradient = p.tensor.grad(); gradient.defined()) gradient.mul_(maxNorm / norm);
    }
  }
  return norm;
}

void clipGradValue(const nn::Parameters& parameters, double limit) {
  if (!(limit > 0)) throw ValueError("clipGradValue", "limit is " + std::to_string(limit) + ", expected above 0");
  checkGradsFinite(parameters, "clipGradValue");
  const NoGrad guard;
  Tensors clipped;  // all of them first: what fails has changed none
  for (const nn::Parameter& p : parameters) {
    const Tensor gradient = p.tensor.grad();
    clipped.push_back(gradient.defined() ? Tensor(core::clamp(gradient.array(), -limit, limit)) : Tensor());
  }
  for (std::size_t i = 0; i < clipped.size(); ++i) {
    if (clipped[i].defined()) Tensor(parameters[i].tensor).setGrad(clipped[i]);
  }
}

}  // namespace ember::optim
