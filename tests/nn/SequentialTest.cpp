#include <concepts>

#include <doctest/doctest.h>

#include <ember/ember.h>

#include "support/Draw.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

TEST_CASE("modules are named by their position, and run in that order") {
  seed(1);
  nn::Sequential net(nn::Linear(3, 4), nn::Tanh(), nn::Linear(4, 2));
  const Tensor x = Tensor::uniform({5, 3});
  const auto p = net.namedParameters();
  CHECK(p[0].name == "0.weight");
  CHECK(p[3].name == "2.bias");
  CHECK(sameBits(net(x), linear(tanh(linear(x, p[0].tensor, p[1].tensor)), p[2].tensor, p[3].tensor)));
}

TEST_CASE("a Sequential of one Sequential is that one moved; with more it nests") {
  nn::Sequential inner(nn::Linear(2, 2), nn::ReLU());
  nn::Sequential moved(std::move(inner));
  CHECK(moved.childCount() == 2);
  nn::Sequential nested(std::move(moved), nn::ReLU());
  CHECK(nested.childCount() == 2);
  CHECK(nested.namedParameters()[0].name == "0.0.weight");
  nn::Sequential assigned;
  assigned = std::move(nested);
  CHECK(assigned.childCount() == 2);
  static_assert(std::is_nothrow_destructible_v<nn::Sequential> && std::movable<nn::Sequential>);
  static_assert(!std::copy_constructible<nn::Sequential>);
}

TEST_CASE("an empty one gives back what it gets") {
  nn::Sequential net;
  const Tensor x = Tensor::ones({2});
  CHECK(sameBits(net(x), x));
  CHECK(net(Tensors{x, x}).size() == 2);
  CHECK(net.parameterCount() == 0);
  CHECK(net.toString() == "Sequential\n");
}

TEST_CASE("append returns the module in its place; names of one's own go between") {
  nn::Sequential net;
  nn::Linear& first = net.append(nn::Linear(2, 3));
  net.add("act", nn::ReLU());
  nn::Linear& last = net.append(nn::Linear(3, 1));
  CHECK(&net.child("0") == &first);
  CHECK(&net.child("2") == &last);
  CHECK(net.child(1).name() == "act");
  CHECK(toString(net(Tensor::ones({1, 2})).shape()) == "[1, 1]");
}

TEST_CASE("it is rebuilt from its arguments, names and nesting included") {
  seed(2);
  nn::Sequential net(nn::Conv2D(1, 2, {.kernel = 3}), nn::Sequential(nn::ReLU(), nn::Sequential()));
  net.add("head", nn::Flatten());
  const auto again = nn::build(net.architecture());
  CHECK(again->architecture() == net.architecture());
  CHECK(again->toString() == net.toString());
  CHECK(again->child(2).name() == "head");
}

TEST_CASE("one error in the middle names the place, at any depth") {
  nn::Sequential net(nn::Sequential(nn::Linear(2, 3), nn::ReLU()), nn::Linear(4, 1));
  const std::string message = messageOf([&] { net(Tensor::ones({1, 2})); });
  CHECK(message.find("1 (Linear 4 -> 1)") != std::string::npos);
}
