#include <utility>

#include <doctest/doctest.h>

#include <ember/autograd/Checkpointing.h>
#include <ember/autograd/ops/Ops.h>
#include <ember/nn/layers/Layers.h>

#include "oom/Run.h"
#include "support/Draw.h"

using namespace ember;
using namespace ember::test;

namespace {

std::string bytesOfGradients(const nn::Module& net) {
  std::string bytes;
  for (const nn::Parameter& p : net.namedParameters()) {
    const Tensor gradient = p.tensor.grad();
    if (!gradient.defined()) continue;
    const core::NDArray dense = gradient.array().contiguous();
    bytes.append(static_cast<const char*>(dense.raw()), static_cast<std::size_t>(dense.bytes()));
  }
  return bytes;
}

// No dropout: a forward that is done again must be the same one.
struct Net : nn::Module {
  using Module::forward;
  nn::Conv2D& conv = add("conv", nn::Conv2D(1, 4, {.kernel = 3, .padding = 1}));
  nn::BatchNorm2D& norm = add("norm", nn::BatchNorm2D(4, {.act = nn::Act::ReLU}));
  nn::Linear& linear = add("linear", nn::Linear(144, 3));
  bool again = false;  // computes the middle a second time in the backward
  Tensor forward(const Tensor& x) override {
    const auto middle = [this](const Tensor& y) { return norm(conv(y)); };
    const Tensor y = again ? checkpoint(middle, x) : middle(x);
    return linear(y.reshape({x.size(0), -1}));
  }
};

// The net of one side, and the graph that waits for its backward.
struct Side {
  Net net;
  Tensor loss;
  void forward() { loss = crossEntropy(net(draw("x", {2, 1, 6, 6}).to(DType::F32)), integers("labels", {2}, 3)); }
  void backward() {
    if (!loss.defined()) forward();
    std::exchange(loss, Tensor()).backward();
  }
};

void refuseBackwards(const std::string& what, bool again, bool accumulate) {
  ember::seed(1);
  Side side;
  ember::seed(1);
  Side reference;
  side.net.again = reference.net.again = again;
  for (Side* s : {&side, &reference}) {
    for (int i = 0; i < 3; ++i) s->backward();
  }
  refuseEach(what, {.prepare =
                        [&] {
                          side.loss = Tensor();
                          if (!accumulate) side.net.zeroGrad();
                          side.forward();
                        },
                    .call = [&] { side.backward(); },
                    .state = [&] { return bytesOfGradients(side.net); },
                    .expected =
                        [&] {
                          if (!accumulate) reference.net.zeroGrad();
                          reference.backward();
                          return bytesOfGradients(reference.net);
                        }});
}

}  // namespace

TEST_CASE("(P12) a backward that fails stores no gradient, or all") { refuseBackwards("backward", false, false); }

TEST_CASE("(P12) a backward that fails adds to no gradient, or to all") {
  refuseBackwards("backward that accumulates", false, true);
}

TEST_CASE("(P12) a backward that computes its activations again fails as cleanly") {
  refuseBackwards("backward of a checkpoint", true, false);
}

TEST_CASE("(P12) gradients of gradients fail as cleanly") {
  ember::seed(1);
  nn::Sequential net(nn::Linear(4, 5), nn::Tanh(), nn::Linear(5, 1));
  Tensor x = draw("x", {3, 4}).to(DType::F32);
  x.setRequiresGrad();
  const auto penalty = [&] {
    const Tensors slopes = gradients({net(x).sum()}, {x}, {.createGraph = true});
    square(slopes[0]).sum().backward();
  };
  penalty();
  const std::string expected = bytesOfGradients(net);
  refuseEach("gradient of a gradient", {.prepare =
                                            [&] {
                                              net.zeroGrad();
                                              x.zeroGrad();
                                            },
                                        .call = penalty,
                                        .state = [&] { return bytesOfGradients(net); },
                                        .expected = [&] { return expected; }});
}
