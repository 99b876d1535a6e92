#include <set>

#include <doctest/doctest.h>
#include <ember/ember.h>

#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

namespace {

std::set<std::string> namesOf(const std::vector<optim::Group>& groups) {
  std::set<std::string> names;
  for (const optim::Group& group : groups) {
    CHECK(group.weightDecay == 0.0);
    CHECK(!group.lr);
    names.insert(group.pattern);
  }
  return names;
}

}  // namespace

TEST_CASE("no weight decay on norms and biases is one line") {
  nn::Sequential net(nn::Conv2D(1, 2, {.kernel = 3}), nn::BatchNorm2D(2), nn::Flatten(), nn::Linear(8, 3));
  CHECK(namesOf(optim::noDecay(net)) == std::set<std::string>{"0.bias", "1.weight", "1.bias", "3.bias"});

  optim::SGD sgd(net.namedParameters(), {.lr = 0.5, .weightDecay = 0.1, .groups = optim::noDecay(net)});
  nn::Parameters parameters = net.namedParameters();
  std::vector<Tensor> start;
  for (nn::Parameter& p : parameters) {
    start.push_back(p.tensor.clone());
    p.tensor.setGrad(Tensor::zeros(p.tensor.shape()));
  }
  sgd.step();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    CAPTURE(parameters[i].name);
    const bool decays = parameters[i].name == "0.weight" || parameters[i].name == "3.weight";
    CHECK((parameters[i].tensor.toVector<float>() == start[i].toVector<float>()) == !decays);
  }
}

TEST_CASE("patterns, a layer alone and a net without parameters") {
  CHECK(namesOf(optim::noDecay({"*.bias", "*norm*"})) == std::set<std::string>{"*.bias", "*norm*"});
  CHECK(namesOf(optim::noDecay(nn::Linear(2, 3))) == std::set<std::string>{"bias"});
  CHECK(optim::noDecay(nn::ReLU()).empty());
  nn::Linear plain(2, 3);
  CHECK(headlineOf<ValueError>([&] { optim::SGD(plain.namedParameters(), {.groups = optim::noDecay({"*norm*"})}); }) ==
        "[optimizer] ValueError: no parameter falls to the group \"*norm*\"");
}

TEST_CASE("a layer under weight norm keeps its decay, apart from its lengths and its bias") {
  const nn::Sequential net{nn::WeightNorm(nn::Conv2D(1, 2))};
  const std::set<std::string> names = namesOf(optim::noDecay(net));
  CHECK(names == std::set<std::string>{"0.bias", "0.weight_g"});
}
