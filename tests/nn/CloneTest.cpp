#include <doctest/doctest.h>

#include <ember/ember.h>

#include "nn/SmallNets.h"
#include "support/Draw.h"
#include "support/Headline.h"
#include "support/State.h"

using namespace ember;
using namespace ember::test;

namespace {

/// Not registered.
struct Holder : nn::Module {};

}  // namespace

TEST_CASE("a clone of library modules has the same values, modes, settings and streams, and is independent") {
  seed(5);
  nn::Sequential net = smallNet();
  const Tensor x = Tensor::uniform({4, 1, 4, 4});
  for (int i = 0; i < 3; ++i) net(x).sum().backward();  // running statistics and the dropout's stream move
  net.child("1").eval();
  net.freeze("0.bias");
  net.parameterSettings("4.weight") = {.lrMultiplier = 2, .weightDecayMultiplier = 0, .averaged = false};
  int calls = 0;
  net.registerForwardHook([&](nn::Module&, const Tensors&, const Tensors&) { ++calls; });

  const std::unique_ptr<nn::Module> copy = net.clone();
  CHECK(dynamic_cast<nn::Sequential*>(copy.get()) != nullptr);
  CHECK(stateDifference(net, *copy) == "");
  CHECK(copy->architecture() == net.architecture());
  CHECK(copy->streams() == net.streams());
  CHECK(copy->streams() == std::vector<std::pair<std::string, i64>>{{"2", 3}});
  const auto here = net.namedModules(), there = copy->namedModules();
  for (std::size_t i = 0; i < here.size(); ++i) CHECK(here[i].second->training() == there[i].second->training());
  const nn::Parameters a = net.namedParameters(), b = copy->namedParameters();
  for (std::size_t i = 0; i < a.size(); ++i) {
    CHECK(a[i].tensor.requiresGrad() == b[i].tensor.requiresGrad());
    CHECK(a[i].settings.lrMultiplier == b[i].settings.lrMultiplier);
    CHECK(a[i].settings.weightDecayMultiplier == b[i].settings.weightDecayMultiplier);
    CHECK(a[i].settings.averaged == b[i].settings.averaged);
    CHECK(!b[i].tensor.grad().defined());
  }
  // The same masks too: both are roots, so the dropout's path is the same.
  CHECK(sameBits((*copy)(x), net(x)));
  CHECK(calls == 1);

  copy->train();
  (*copy)(x).sum().backward();
  CHECK(net.namedBuffers()[2].tensor.item() == 3);
  CHECK(copy->namedBuffers()[2].tensor.item() == 4);
  {
    const NoGrad guard;
    copy->namedParameters()[0].tensor.fill_(7);
  }
  CHECK(!sameBits(copy->namedParameters()[0].tensor, net.namedParameters()[0].tensor));
  CHECK(!net.child("1").training());
}

TEST_CASE("a clone keeps the type of its tensors and draws no random numbers") {
  seed(5);
  nn::Sequential net = smallNet();
  net.to(DType::F64);
  const Tensor next = nn::Linear(2, 2).weight;
  seed(5);
  nn::Sequential again = smallNet();
  again.to(DType::F64);
  const auto copy = again.clone();
  CHECK(stateDifference(net, *copy) == "");
  CHECK(sameBits(nn::Linear(2, 2).weight, next));
}

TEST_CASE("a type that is not registered does not clone, and the error says what to do") {
  nn::Sequential net(nn::Linear(2, 2), Scaled(2));
  const std::string message = messageOf([&] { net.clone(); });
  CHECK(contains(message, "[clone] StateError: Sequential cannot be rebuilt"));
  CHECK(contains(message, "unknown module type \"Scaled\""));
  CHECK(contains(message, "nn::registerModule"));
  CHECK(headlineOf<StateError>([] { Holder().clone(); }) == "[clone] StateError: Holder cannot be rebuilt");
}

TEST_CASE("a factory that makes another net than args() describes is an error in clone") {
  struct Growing : nn::Module {
    explicit Growing(int layers) {
      for (int i = 0; i < layers; ++i) add("layer" + std::to_string(i), nn::Linear(2, 2));
    }
    nn::Args args() const override { return {{"layers", static_cast<i64>(childCount())}}; }
  };
  struct Renamed : nn::Module {
    explicit Renamed(const char* name) { addParameter(name, Tensor::ones({2})); }
  };
  nn::registerModule("Growing", [](const nn::Args& a) { return Growing(a.get<int>("layers") + 1); });
  nn::registerModule("Renamed", [](const nn::Args&) { return Renamed("b"); });
  CHECK(headlineOf<StateError>([] { Growing(1).clone(); }) ==
        "[clone] StateError: Growing has 2 modules, its rebuilt copy 3");
  CHECK(headlineOf<StateError>([] { Renamed("a").clone(); }) ==
        "[clone] StateError: the rebuilt copy has b where a was expected");
  nn::registerModule("Growing", [](const nn::Args& a) { return Growing(a.get<int>("layers")); });
  CHECK(Growing(3).clone()->childCount() == 3);
}
