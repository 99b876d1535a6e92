// Weight norm: names of the state, training, release, and what it refuses; the rest is LayerTableTest's.
#include <functional>

#include <doctest/doctest.h>
#include <ember/autograd/ops/Ops.h>
#include <ember/core/Error.h>
#include <ember/core/Random.h>
#include <ember/nn/layers/Layers.h>

#include "support/Draw.h"
#include "support/Golden.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

TEST_CASE("a net with weight norm has PyTorch's state, starts as the plain one and comes back to it") {
  seed(1);
  nn::Linear plain(3, 2);
  const Tensor x = draw("x", {4, 3}).to(DType::F32), expected = plain(x).detach();
  nn::Sequential net(nn::weightNorm(std::move(plain)), nn::ReLU());
  std::vector<std::string> names;
  for (const nn::Parameter& p : net.namedParameters()) names.push_back(p.name);
  CHECK(names == std::vector<std::string>{"0.bias", "0.weight_g", "0.weight_v"});
  auto& normed = dynamic_cast<nn::WeightNorm&>(net.child("0"));
  CHECK_CLOSE(normed(x), expected, toleranceF32, "output");

  // Of length g whatever the length of v.
  const Tensor before = normed(x).detach();
  {
    const NoGrad guard;
    normed.v.mul_(5);
    CHECK_CLOSE(normed(x), before, toleranceF32, "a longer v");
    normed.g.mul_(2);
  }
  const Tensor after = normed(x).detach();
  const auto layer = normed.release();
  CHECK(layer->typeName() == "Linear");
  CHECK_CLOSE((*layer)(x), after, toleranceF32, "released");
  REQUIRE(layer->namedParameters()[0].name == "weight");
  CHECK(layer->namedParameters()[0].tensor.isLeaf());
  CHECK(headlineOf([&] { normed(x); }) == "[weightNorm] StateError: the layer was released");
}

TEST_CASE("length and direction train: steps down the gradient lower the loss, and frozen ones stay") {
  seed(2);
  nn::WeightNorm net{nn::Linear(3, 2)};
  const Tensor x = draw("x", {8, 3}).to(DType::F32), target = draw("target", {8, 2}).to(DType::F32);
  const auto step = [&] {
    const Tensor loss = mse(net(x), target);
    net.zeroGrad();
    loss.backward();
    const NoGrad guard;
    for (nn::Parameter& p : net.namedParameters()) {
      if (p.tensor.requiresGrad()) p.tensor.add_(p.tensor.grad() * -0.1);
    }
    return loss.item();
  };
  const double first = step();
  double last = first;
  for (int i = 0; i < 20; ++i) last = step();
  CHECK(last < 0.9 * first);
  net.freeze("weight_*");
  const Tensor frozen = net.v.clone();
  step();
  step();  // the graph of the first is gone
  CHECK(sameBits(net.v, frozen));
}

TEST_CASE("a weight of zeros gives zeros and finite gradients") {
  nn::Linear plain(3, 2);
  {
    const NoGrad guard;
    plain.weight.fill_(0);
  }
  nn::WeightNorm net(std::move(plain));
  net(Tensor::ones({1, 3})).sum().backward();
  for (const nn::Parameter& p : net.namedParameters()) {
    for (const double d : p.tensor.grad().toVector<double>()) CHECK(d == d);
  }
}

TEST_CASE("two forwards before a backward each have their own weight in the graph") {
  nn::WeightNorm net(nn::Linear(3, 2));
  const Tensor x = draw("x", {4, 3}).to(DType::F32), other = draw("other", {4, 3}).to(DType::F32);
  sum(net(x)).backward();
  sum(net(other)).backward();
  const Tensor apart = net.v.grad().clone();
  net.zeroGrad();
  (sum(net(x)) + sum(net(other))).backward();
  CHECK_CLOSE(net.v.grad(), apart, toleranceF32, "gradient of v");
}

TEST_CASE("weight norm refuses layers without a weight of their own, and axes that are not there") {
  CHECK(headlineOf([] { nn::WeightNorm net{nn::ReLU()}; }) == "[weightNorm] ValueError: ReLU has no weight to be normed");
  CHECK(headlineOf([] { nn::WeightNorm net{nn::Sequential(nn::Linear(3, 2))}; }) ==
        "[weightNorm] ValueError: Sequential has no weight to be normed");
  CHECK(headlineOf([] { nn::WeightNorm net(nn::Linear(3, 2), 2); }).starts_with("[weightNorm] ShapeError: "));
  CHECK(headlineOf([] { nn::WeightNorm net(std::unique_ptr<nn::Module>{}); }) ==
        "[weightNorm] ValueError: the layer is null");
}
