#include <vector>

#include <doctest/doctest.h>

#include <ember/ember.h>

#include "autograd/Leaf.h"
#include "support/Headline.h"
#include "support/Repeats.h"

using namespace ember;
using namespace ember::test;

TEST_CASE("gradients() leaves grad() alone and gives undefined where there is no dependence") {
  const Tensor x = leaf({2}), other = leaf({5});
  const Tensor middle = x * x, y = middle * 3;
  const Tensors g = gradients({y}, {x, middle, other, x});
  CHECK(g[0].item() == 12);
  CHECK(g[1].item() == 3);
  CHECK_FALSE(g[2].defined());
  CHECK(g[3].item() == 12);
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("gradients() walks only what leads to the wanted tensors") {
  const Tensor x = leaf({2}), w = leaf({3});
  int calls = 0;
  const auto watched = [&](const Tensor& t) {
    return custom(
        "watched", {t}, [](FunctionContext&, const Tensors& in) { return Tensors{in[0] * 1}; },
        [&](const FunctionContext&, const Tensors& dy) {
          ++calls;
          return dy;
        });
  };
  const Tensor middle = watched(x) * 2, y = middle * watched(w);
  CHECK(gradients({y}, {w}, {.retainGraph = true})[0].item() == 4);
  CHECK(calls == 1);
  CHECK(gradients({y}, {middle}, {.retainGraph = true})[0].item() == 3);
  CHECK(calls == 1);
  CHECK(gradients({y}, {x, w})[0].item() == 6);
  CHECK(calls == 3);
}

TEST_CASE("gradients() asks an op only for what is wanted of it") {
  const Tensor x = leaf({2}), w = leaf({3});
  const auto product = custom(
      "product", {x, w}, [](FunctionContext&, const Tensors& in) { return Tensors{in[0] * in[1]}; },
      [](const FunctionContext& c, const Tensors& dy) {
        CHECK(c.needs(0));
        CHECK_FALSE(c.needs(1));
        return Tensors{dy[0] * 3, Tensor()};
      });
  CHECK(gradients({product}, {x})[0].item() == 3);
}

TEST_CASE("gradients() finds its way through a graph of a million nodes") {
  const Tensor x = leaf({1});
  Tensor y = x;
  for (int i = 0, nodes = repeats(1'000'000); i < nodes; ++i) y = neg(y);
  CHECK(gradients({y}, {x})[0].item() == 1);
}

TEST_CASE("gradients() of several results add up, weighted by the given gradients") {
  const Tensor x = leaf({2});
  const Tensors ys{x * x, x * 3};
  const Tensors weights{Tensor::of({10}, DType::F64), Tensor::of({100}, DType::F64)};
  CHECK(gradients(ys, {x}, {}, weights)[0].item() == 340);
  CHECK(headlineOf<ValueError>([&] { gradients({x * x}, {x}, {}, weights); }) ==
        "[gradients] ValueError: 2 gradients for 1 outputs");
  CHECK(headlineOf<StateError>([&] { gradients({x * x}, {Tensor::of({1})}); }) ==
        "[gradients] StateError: input 0 requires no gradient");
}
