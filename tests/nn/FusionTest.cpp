#include <ember/nn/Fusion.h>

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ember/autograd/Graph.h>
#include <ember/ember.h>

#include "support/Draw.h"
#include "support/Headline.h"
#include "support/Residual.h"

using namespace ember;
using namespace ember::test;

namespace {

nn::Sequential pairs() {
  seed(3);
  return nn::Sequential(nn::Conv2D(2, 4, {.kernel = 3, .padding = 1}), nn::ReLU(), nn::BatchNorm2D(4),
                        nn::LeakyReLU(0.2), nn::Conv2D(4, 4, {.kernel = 3, .bias = false}), nn::LeakyReLU(0.1),
                        nn::BatchNorm2D(4), nn::ReLU(), nn::Flatten(), nn::Linear(4 * 4 * 4, 6), nn::ReLU(),
                        nn::Dropout(0.5), nn::Linear(6, 2), nn::LeakyReLU(-0.3));
}

Tensor images() { return draw("images", {4, 2, 6, 6}).to(DType::F32); }

/// Output, gradients and buffers of one training step.
std::vector<Tensor> step(nn::Module& net) {
  net.train();
  net.zeroGrad();
  const Tensor y = net(images());
  sum(y * y).backward();
  std::vector<Tensor> all{y.detach()};
  for (const auto& p : net.namedParameters()) all.push_back(p.tensor.grad());
  for (const auto& b : net.namedBuffers()) all.push_back(b.tensor.clone());
  return all;
}

/// A layer that only looks like one of ember's.
struct Doubled : nn::ReLU {
  using Module::forward;
  Tensor forward(const Tensor& x) override { return x * 2; }
};

}  // namespace

TEST_CASE("fused pairs in a Sequential train, draw and keep statistics as single layers do, bit for bit") {
  nn::Sequential fused = pairs(), single = pairs();
  for (int i = 0; i < 3; ++i) {
    const auto with = step(fused);
    const NoFusion off;
    const auto without = step(single);
    REQUIRE(with.size() == without.size());
    for (std::size_t k = 0; k < with.size(); ++k) {
      CAPTURE(k);
      CHECK(sameBits(with[k], without[k]));
    }
    CHECK(fused.streams() == single.streams());
  }
  fused.eval();
  single.eval();
  for (const bool grad : {true, false}) {
    const auto run = [&](nn::Module& net) {
      if (grad) return net(images());
      const NoGrad guard;
      return net(images());
    };
    const Tensor with = run(fused);
    const NoFusion off;
    CHECK(sameBits(with, run(single)));
  }
}

TEST_CASE("which modules run as one") {
  nn::Sequential net = pairs();
  const auto counts = [&] {
    std::vector<std::size_t> list;
    for (std::size_t i = 0; i < net.childCount(); ++i) list.push_back(nn::fusedModules(net, i));
    return list;
  };
  CHECK(counts() == std::vector<std::size_t>{2, 1, 2, 1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1});
  {
    const NoFusion off;
    CHECK(counts() == std::vector<std::size_t>(14, 1));
  }
  {
    const AnomalyMode anomaly;
    CHECK(counts() == std::vector<std::size_t>(14, 1));
  }
  nn::Sequential others(nn::Conv2D(1, 1), nn::Sigmoid(), nn::Conv2D(1, 1), Doubled(), nn::Conv2D(1, 1),
                        nn::Sequential(nn::ReLU()), nn::BatchNorm2D(1, {.act = nn::Act::ReLU}), nn::ReLU(),
                        nn::BatchNorm2D(1, {.inplace = true}), nn::ReLU());
  for (std::size_t i = 0; i < others.childCount(); ++i) CHECK(nn::fusedModules(others, i) == 1);
  const Tensor x = Tensor::full({1, 1, 2, 2}, 3);
  nn::Sequential doubled(nn::Conv2D(1, 1, {.bias = false}), Doubled());
  CHECK(sameBits(doubled(x), doubled.child(0)(x) * 2));
}

TEST_CASE("a forward hook sees the values of its own layer") {
  for (const std::size_t hooked : {0u, 1u}) {
    seed(4);
    nn::Sequential net(nn::Conv2D(2, 3, {.kernel = 3}), nn::ReLU());
    net.eval();
    Tensor seenIn, seenOut;
    net.child(hooked).registerForwardHook([&](nn::Module&, const Tensors& in, const Tensors& out) {
      seenIn = in[0];
      seenOut = out[0];
    });
    CHECK(nn::fusedModules(net, 0) == 1);
    const Tensor y = net(images());
    const auto& conv = static_cast<const nn::Conv2D&>(net.child(0));
    const Tensor between = conv2d(images(), conv.weight, conv.bias);
    CHECK(sameBits(seenOut, hooked == 0 ? between : y));
    CHECK(sameBits(seenIn, hooked == 0 ? images() : between));
    CHECK(sameBits(y, relu(between)));
  }
}

TEST_CASE("summaries list every layer, and errors name the layer that refused") {
  nn::Sequential net = pairs();
  CHECK(net.summary({1, 2, 6, 6}).rows.size() == 15);
  const std::string message = messageOf([&] { net(Tensor::ones({1, 3, 6, 6})); });
  CHECK(message.find("input has 3 channels, filters expect 2") != std::string::npos);
  CHECK(message.find("0 (Conv2D") != std::string::npos);
  nn::Sequential tail(nn::Flatten(), nn::Linear(8, 2), nn::ReLU());
  CHECK(messageOf([&] { tail(Tensor::ones({1, 9})); }).find("1 (Linear") != std::string::npos);
}

TEST_CASE("a module of the user's own runs fused in eval and gives the same") {
  seed(5);
  Residual block(4);
  const Tensor x = draw("features", {2, 4, 6, 6}).to(DType::F32);
  block(x);  // statistics
  block.eval();
  const NoGrad guard;
  const Tensor fused = block(x), again = block(x);
  CHECK(sameBits(fused, again));
  {
    const NoFusion off;
    CHECK(sameBits(fused, block(x)));
  }
  CHECK_FALSE(fused.impl()->waiting.load());
}

namespace {

/// A block as it stands when its norms are folded.
struct Plain : nn::Module {
  using Module::forward;
  nn::Conv2D& conv1 = add("conv1", nn::Conv2D(4, 4, {.kernel = 3, .padding = 1}));
  nn::Conv2D& conv2 = add("conv2", nn::Conv2D(4, 4, {.kernel = 3, .padding = 1}));
  nn::Identity& norm = add("norm", nn::Identity());
  nn::Sequential& shortcut = add("shortcut", nn::Sequential());
  std::vector<Tensor> kept;
  Tensor forward(const Tensor& x) override {
    Tensor h = relu(conv1(x));
    Tensor y = conv2(h);
    kept.push_back(y);
    return relu(norm(conv2(h)) + shortcut(x));
  }
};

}  // namespace

TEST_CASE("what a block keeps is computed when its outermost call returns") {
  seed(6);
  nn::Sequential net{Plain(), Plain()};
  net.eval();
  const NoGrad guard;
  const Tensor x = draw("features", {2, 4, 6, 6}).to(DType::F32);
  const Tensor y = net(x);
  auto& block = static_cast<Plain&>(net.child(0));
  CHECK_FALSE(y.impl()->waiting.load());
  for (const Tensor& t : block.kept) CHECK_FALSE(t.impl()->waiting.load());
  const NoFusion off;
  const Tensor single = net(x);
  // Some kernels begin their sums with the residual.
  const auto fused = y.toVector<double>(), expected = single.toVector<double>();
  for (std::size_t i = 0; i < fused.size(); ++i) CHECK(fused[i] == doctest::Approx(expected[i]).epsilon(1e-5));
  CHECK(sameBits(block.kept[0], block.kept[1]));
}

TEST_CASE("the input of a net is never overwritten") {
  seed(7);
  nn::Sequential net{Plain(), nn::ReLU(), Plain()};
  net.eval();
  const NoGrad guard;
  const Tensor x = draw("features", {2, 4, 6, 6}).to(DType::F32) + 0.0;  // a result that somebody holds
  const Tensor before = x.clone();
  net(x);
  CHECK(sameBits(x, before));
}
