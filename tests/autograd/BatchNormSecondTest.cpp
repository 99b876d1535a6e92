// Second derivatives through batch norm, in every mode.

#include <doctest/doctest.h>

#include <ember/autograd/GradCheck.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/BatchNorm.h>
#include <ember/autograd/ops/Loss.h>
#include <ember/autograd/ops/MatMul.h>
#include <ember/autograd/ops/Reduction.h>

#include "autograd/BatchNormModes.h"
#include "support/Draw.h"

using namespace ember;
using namespace ember::test;
using namespace ember::test::batchnorm;

namespace {

Tensor leaf(const Tensor& t) { return t.clone().setRequiresGrad(); }

}  // namespace

TEST_CASE("second derivatives agree with differences in every mode and activation") {
  for (const Mode& mode : modes()) {
    for (const Shape& shape : {Shape{4, 2}, Shape{2, 2, 2, 1}}) {
      if (!fits(mode, shape)) continue;
      for (const Activation& activation : activations) {
        CAPTURE(mode.name);
        CAPTURE(activation.name);
        CAPTURE(toString(shape));
        const Setup s(mode, activation, shape);
        // Second derivatives reach some hundreds here: 1e-6 of them.
        const GradCheckOptions second{.step = 1e-6, .absoluteTolerance = 1e-6, .relativeTolerance = 1e-5};
        if (s.options.freeze) {
          const auto f = [&](const Tensor& x) { return s.run(x, s.gamma, s.beta); };
          CHECK_NOTHROW(gradgradcheck(f, s.x, second));
        } else {
          const auto f = [&](const Tensors& in) { return s.run(in[0], in[1], in[2]); };
          CHECK_NOTHROW(gradgradcheck(f, {s.x, s.gamma, s.beta}, second));
        }
      }
    }
  }
}

TEST_CASE("a gradient penalty through a batch-norm net trains") {
  const Tensor x = draw("points", {32, 2}).setRequiresGrad();
  const Tensor target = sum(x.detach() * x.detach(), {1}, true);
  const Tensors parameters = {leaf(draw("w1", {2, 8}, -1, 1)), leaf(draw("gamma", {8}, 0.5, 1.5)),
                              leaf(draw("beta", {8}, -1, 1)), leaf(draw("w2", {8, 1}, -1, 1))};
  const auto loss = [&] {
    const Tensor hidden = batchNorm(matmul(x, parameters[0]), parameters[1], parameters[2], {}, {},
                                    {.act = Act::LeakyReLU, .slope = 0.2});
    const Tensor f = matmul(hidden, parameters[3]);
    const Tensor slope = gradients({f.sum()}, {x}, {.createGraph = true})[0];
    const Tensor penalty = sum(slope * slope, {1}) - 1;  // |grad f|² shall be 1
    return mse(f, target) + 0.1 * mean(penalty * penalty);
  };
  const double first = loss().item();
  double last = first;
  for (int step = 0; step < 150; ++step) {
    const Tensor l = loss();
    last = l.item();
    const Tensors g = gradients({l}, parameters);
    const NoGrad guard;
    for (std::size_t i = 0; i < parameters.size(); ++i) Tensor(parameters[i]).add_(g[i] * -0.02);
  }
  MESSAGE("loss with gradient penalty: " << first << " -> " << last);
  CHECK(last < 0.5 * first);
}
