#include <ember/autograd/ops/Activation.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Comparison.h>
#include <ember/autograd/ops/Dropout.h>
#include <ember/autograd/ops/Math.h>
#include <ember/autograd/ops/Softmax.h>
#include <ember/core/Random.h>

#include "autograd/OpSampleForms.h"
#include "support/Draw.h"

// Elementwise ops, softmax and dropout.

namespace ember::test {

void addElementwiseSamples(OpRows& rows) {
  rows["add"] = binary(add);
  rows["sub"] = binary(sub);
  rows["mul"] = binary(mul);
  rows["div"] = binary(div, 0.5);
  rows["maximum"] = binary(maximum);
  rows["minimum"] = binary(minimum);
  rows["equal"] = binary(equal);
  rows["notEqual"] = binary(notEqual);
  rows["less"] = binary(less);
  rows["lessEqual"] = binary(lessEqual);
  rows["greater"] = binary(greater);
  rows["greaterEqual"] = binary(greaterEqual);
  const auto choose = [](const Tensors& in) { return where(in[0], in[1], in[2]); };
  const auto condition = [](const Shape& shape) { return integers("condition", shape, 2).to(DType::Bool); };
  rows["where"] = {{{"one shape", {condition({2, 3}), draw("a", {2, 3}), draw("b", {2, 3})}, choose, {0, 1, 2}},
                    {"broadcast", {condition({2, 1, 3}), draw("a", {3}), draw("b", {2, 2, 1})}, choose, {0, 2}}}};

  rows["neg"] = unary(neg);
  rows["exp"] = unary(exp);
  rows["log"] = unary(log, 0.2, 3);
  rows["sqrt"] = unary(sqrt, 0.2, 3);
  rows["square"] = unary(square);
  rows["sin"] = unary(sin);
  rows["cos"] = unary(cos);
  rows["erf"] = unary(erf);
  rows["abs"] = kinked(abs);
  rows["clamp"] = kinked([](const Tensor& x) { return clamp(x, -0.5, 0.7); });
  rows["pow"] = unary([](const Tensor& x) { return pow(x, 2.5); }, 0.3, 2);
  for (const double exponent : {2.0, -1.0, 0.0}) {
    rows["pow"].samples.push_back({"exponent " + std::to_string(exponent),
                                   {distinct("negative", {2, 3}, 0.4)},
                                   [exponent](const Tensors& in) { return pow(in[0], exponent); },
                                   {0}});
  }

  rows["relu"] = kinked([](const Tensor& x) { return relu(x); });
  rows["leakyRelu"] = kinked([](const Tensor& x) { return leakyRelu(x, 0.2); });
  rows["sigmoid"] = unary(sigmoid);
  rows["tanh"] = unary(tanh);
  rows["silu"] = unary(silu);
  rows["softplus"] = unary([](const Tensor& x) { return softplus(x); });
  rows["gelu"] = unary([](const Tensor& x) { return gelu(x); });
  rows["gelu"].samples.push_back(
      {"by tanh", {draw("tanh", {2, 3})}, [](const Tensors& in) { return gelu(in[0], true); }, {0}});

  rows["softmax"] = {{along("the last axis", {3, 4}, -1, softmax), along("channels", {2, 3, 2, 2}, 1, softmax)}};
  rows["logSoftmax"] = {
      {along("the last axis", {3, 4}, -1, logSoftmax), along("channels", {2, 3, 2, 2}, 1, logSoftmax)}};

  // The mask is a function of the seed and of the call's number: seeded before each call, the op is a fixed linear map.
  const auto drop = [](double p, bool training) {
    return [=](const Tensors& in) {
      seed(5);
      return dropout(in[0], p, training);
    };
  };
  rows["dropout"] = {{{"training", {draw("training", {4, 5})}, drop(0.4, true), {0}},
                      {"pictures", {draw("pictures", {2, 3, 2, 2})}, drop(0.5, true), {0}},
                      {"evaluation", {draw("evaluation", {2, 3})}, drop(0.5, false), {0}}},
                     {{Check::Golden, "PyTorch draws other masks; tests/nn holds the mean, the rate and the scale"}}};
}

}  // namespace ember::test
