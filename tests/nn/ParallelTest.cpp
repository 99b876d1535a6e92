#include <doctest/doctest.h>

#include <ember/ember.h>

#include "support/Draw.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

namespace {

nn::Parallel pair(nn::ParallelOptions options = {}) {
  return nn::Parallel(options, nn::Linear(3, 2), nn::Sequential(nn::Linear(3, 2), nn::ReLU()));
}

}  // namespace

TEST_CASE("one input goes to every branch, several go one to each") {
  seed(1);
  nn::Parallel net = pair();
  const Tensor x = Tensor::uniform({4, 3}), z = Tensor::uniform({4, 3});
  const Tensors same = net(Tensors{x}), each = net(Tensors{x, z});
  REQUIRE(same.size() == 2);
  REQUIRE(each.size() == 2);
  CHECK(sameBits(same[0], net.child(0)(x)));
  CHECK(sameBits(same[1], net.child(1)(x)));
  CHECK(sameBits(each[0], same[0]));
  CHECK(sameBits(each[1], net.child(1)(z)));
}

TEST_CASE("results are joined along an axis, added or multiplied") {
  const Tensor x = Tensor::uniform({4, 3});
  const auto joined = [&](nn::ParallelOptions options) {
    seed(1);
    nn::Parallel net = pair(options);
    return net(x);
  };
  seed(1);
  nn::Parallel list = pair();
  const Tensors parts = list(Tensors{x});
  CHECK(sameBits(joined({.join = nn::Join::Concat}), concat(parts, 1)));
  CHECK(sameBits(joined({.join = nn::Join::Concat, .axis = 0}), concat(parts, 0)));
  CHECK(sameBits(joined({.join = nn::Join::Add}), parts[0] + parts[1]));
  CHECK(sameBits(joined({.join = nn::Join::Mul}), parts[0] * parts[1]));
}

TEST_CASE("state, text and arguments are those of a container") {
  nn::Parallel net = pair({.join = nn::Join::Concat});
  net.append(nn::Identity());
  CHECK(net.namedParameters()[2].name == "1.0.weight");
  CHECK(net.toString().starts_with("Parallel(concat along axis 1)\n  0: Linear(3 -> 2)\n  1: Sequential\n"));
  const auto again = nn::build(net.architecture());
  CHECK(again->architecture() == net.architecture());
  nn::Parallel moved(std::move(net));
  CHECK(moved.childCount() == 3);
  CHECK(toString(moved(Tensor::ones({1, 3})).shape()) == "[1, 7]");
}

TEST_CASE("another number of inputs, no branches and shapes that do not join are errors") {
  const Tensor x = Tensor::ones({4, 3});
  CHECK(headlineOf<StateError>([&] { pair()(Tensors{x, x, x}); }) ==
        "[Parallel] StateError: forward takes one tensor for all branches or one for each of the 2, got 3");
  CHECK(headlineOf<StateError>([&] { nn::Parallel(nn::ParallelOptions{})(x); }) ==
        "[Parallel] StateError: there are no branches");
  CHECK_THROWS_AS(pair({.join = nn::Join::Concat})(Tensors{x, Tensor::ones({2, 3})}), ShapeError);
  CHECK(headlineOf<ValueError>([] {
          nn::Parallel::fromArgs({{"join", "max"}, {"branches", Value::array()}});
        }) == "[Parallel] ValueError: there is no join \"max\"");
}
