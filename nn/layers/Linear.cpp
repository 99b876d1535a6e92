#include <ember/nn/layers/Linear.h>

#include <ember/autograd/ops/MatMul.h>
#include <ember/core/Error.h>
#include <ember/nn/Fusion.h>
#include <ember/nn/Init.h>

namespace ember::nn {

Linear::Linear(i64 in, i64 out, LinearOptions options) : AffineLayer(options), in_(in), out_(out) {
  if (in < 1 || out < 1) {
    throw ValueError("Linear", std::to_string(in) + " inputs and " + std::to_string(out) + " outputs", {},
                     "both must be 1 or more");
  }
  weight = addParameter("weight", init::blank({out, in}));
  if (options.bias) bias = addParameter("bias", init::blank({out}));
  init::uniformByInputs_(weight, bias, in);
}

Tensor Linear::forward(const Tensor& x, Act act, double slope) { return linear(x, weight, bias, act, slope); }

Args Linear::args() const {
  Args a{{"in", in_}, {"out", out_}, {"bias", options_.bias}};
  putActivation(a, options_.act, options_.slope);
  return a;
}

Linear Linear::fromArgs(const Args& a) {
  return Linear(a.get<i64>("in"), a.get<i64>("out"),
                {.bias = a.get<bool>("bias"), .act = activationOf(a), .slope = a.get<double>("slope", 0.01)});
}

std::string Linear::details() const {
  return std::to_string(in_) + " -> " + std::to_string(out_) + (options_.bias ? "" : ", no bias") +
         describeActivation(options_.act, options_.slope);
}

}  // namespace ember::nn
