#include <doctest/doctest.h>

#include <ember/ember.h>

#include "nn/SmallNets.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

TEST_CASE("freeze and unfreeze take a pattern, drop gradients and say how many") {
  seed(1);
  nn::Sequential net = smallNet();
  const Tensor x = Tensor::uniform({2, 1, 4, 4});
  net(x).sum().backward();
  CHECK(net.freeze("0.*") == 2);
  CHECK(net.freeze("*.bias") == 3);
  std::string trainable;
  for (const nn::Parameter& p : net.namedParameters()) {
    if (p.tensor.requiresGrad()) trainable += p.name + " ";
    CHECK(p.tensor.grad().defined() == p.tensor.requiresGrad());
  }
  CHECK(trainable == "1.weight 4.weight ");
  net.zeroGrad();
  net(x).sum().backward();
  for (const nn::Parameter& p : net.namedParameters()) CHECK(p.tensor.grad().defined() == p.tensor.requiresGrad());
  CHECK(net.unfreeze() == 6);
  CHECK(net.freeze() == 6);
  CHECK(headlineOf<StateError>([&] { net(x).sum().backward(); }) ==
        "[backward] StateError: the tensor depends on nothing that requires a gradient");
}

TEST_CASE("a freeze pattern that matches nothing is an error naming the nearest parameter") {
  nn::Sequential net(Scaled(2));
  const std::string message = messageOf([&] { net.freeze("0.conv.wieght"); });
  CHECK(contains(message, "[freeze] ValueError: no parameter matches \"0.conv.wieght\""));
  CHECK(contains(message, "did you mean \"0.conv.weight\"?"));
  CHECK(headlineOf<ValueError>([&] { net.unfreeze("head.*"); }) ==
        "[unfreeze] ValueError: no parameter matches \"head.*\"");
  CHECK(contains(messageOf([&] { nn::ReLU().freeze(); }), "there is none to choose from"));
}
