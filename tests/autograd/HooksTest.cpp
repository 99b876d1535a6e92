#include <vector>

#include <doctest/doctest.h>

#include <ember/ember.h>

#include "autograd/Leaf.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

TEST_CASE("hooks see complete gradients of leaves and of results, and may replace them") {
  const Tensor x = leaf({1, 2});
  const Tensor y = x * 2;
  std::vector<Values> seen;
  y.registerHook([&](const Tensor& g) {
    seen.push_back(valuesOf(g));
    return g * 10;
  });
  x.registerHook([&](const Tensor& g) {
    seen.push_back(valuesOf(g));
    return Tensor();
  });
  x.registerHook([&](const Tensor& g) { return g + 1; });
  sum(y + y * y).backward();  // d/dy = 1 + 2y
  REQUIRE(seen.size() == 2);
  CHECK(seen[0] == Values{5, 9});
  CHECK(seen[1] == Values{100, 180});
  CHECK(valuesOf(x.grad()) == Values{101, 181});
}

TEST_CASE("a hook may register another hook while it runs") {
  const Tensor x = leaf({1});
  int calls = 0;
  x.registerHook([&](const Tensor&) {
    ++calls;
    x.registerHook([&](const Tensor&) {
      ++calls;
      return Tensor();
    });
    return Tensor();
  });
  sum(x * 2).backward();
  CHECK(calls == 1);
  CHECK(x.grad().item() == 2);
}

TEST_CASE("a hook that returns another shape or type is an error that names the op") {
  const Tensor x = leaf({1, 2});
  const Tensor y = x * x;
  y.registerHook([](const Tensor&) { return Tensor::ones({3}, DType::F64); });
  CHECK(headlineOf<ShapeError>([&] { sum(y).backward(); }) ==
        "[mul] ShapeError: a gradient hook returned [3] for a gradient of [2]");
  const Tensor z = leaf({1, 2});
  z.registerHook([](const Tensor&) { return Tensor::ones({2}); });
  CHECK(headlineOf<DtypeError>([&] { sum(z).backward(); }) ==
        "[leaf] DtypeError: a gradient hook returned f32 for a gradient of f64");
  CHECK(headlineOf<StateError>([&] { z.detach().registerHook([](const Tensor& g) { return g; }); }) ==
        "[registerHook] StateError: the tensor requires no gradient, so the hook would never run");
}
