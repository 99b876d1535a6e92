// What batch norm does not overwrite: errors that name who needs the memory.
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ember/autograd/ops/Activation.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/BatchNorm.h>
#include <ember/autograd/ops/Math.h>
#include <ember/autograd/ops/Pool.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/autograd/ops/Softmax.h>
#include <ember/core/Error.h>

#include "support/Draw.h"
#include "support/Headline.h"
#include "support/Near.h"

using namespace ember;
using namespace ember::test;

namespace {

Tensor leaf(const Tensor& t) { return t.clone().setRequiresGrad(); }

}  // namespace

TEST_CASE("in place refuses activations and types from which the input could not be rebuilt, with the reason") {
  const Tensor w = leaf(draw("w", {3}, 0.5, 1.5));
  const auto with = [&](Act act, double slope) {
    return [=] { batchNorm(draw("x", {4, 3}) + 0.0, w, {}, {}, {}, {.inplace = true, .act = act, .slope = slope}); };
  };
  CHECK_THROWS_WITH_AS(with(Act::ReLU, 0.01)(), doctest::Contains("ReLU loses what it cuts"), ValueError);
  CHECK_THROWS_WITH_AS(with(Act::LeakyReLU, 0)(), doctest::Contains("LeakyReLU with a positive slope"), ValueError);
  CHECK_THROWS_AS(with(Act::LeakyReLU, -0.2)(), ValueError);
  CHECK_NOTHROW(with(Act::LeakyReLU, 0.2)());
  const Tensor single = leaf(w.to(DType::F32));
  CHECK_THROWS_WITH_AS(batchNorm(draw("x", {4, 3}).to(DType::BF16), single, {}, {}, {}, {.inplace = true}),
                       doctest::Contains("bf16 is too coarse"), ValueError);
  const NoGrad guard;
  CHECK_NOTHROW(with(Act::ReLU, 0.01)());
}

TEST_CASE("leaves, views and memory of others are refused") {
  const BatchNormOptions inplace{.inplace = true};
  const auto refusal = [&](const Tensor& x) {
    return headlineOf<StateError>([&] { batchNorm(x, {}, {}, {}, {}, inplace); });
  };
  const std::string start = "[batchNorm] StateError: inplace cannot overwrite its input: ";
  const Tensor x = draw("x", {4, 3, 2, 2});
  CHECK(refusal(x) == start + "it is a leaf, not the result of an operation");
  CHECK(refusal(leaf(x)) == start + "it is a leaf, not the result of an operation");
  CHECK(refusal((x * 2).detach()).find(start) == 0);
  Values memory(48, 1.5);
  CHECK(refusal(Tensor::fromBlob(memory.data(), {4, 3, 2, 2})) ==
        start + "it lies in the program's own memory (fromBlob)");
  const Tensor whole = x + 0.0;
  CHECK(refusal(slice(whole, 0, 0, 2)).find("share its memory") != std::string::npos);
  CHECK(refusal(reshape(whole, {4, 3, 4})).find("share its memory") != std::string::npos);
  CHECK(refusal(expand(Tensor::ones({1, 3}) + 0.0, {4, 3})).find("view with gaps or repeats") != std::string::npos);
  const Tensor view = reshape(whole, {4, 12});
  CHECK(refusal(whole).find("share its memory") != std::string::npos);
}

TEST_CASE("producers that need their output are refused by name, others are not") {
  const Tensor x = leaf(draw("x", {4, 3, 4, 4}, 0.1, 2));
  const BatchNormOptions inplace{.inplace = true};
  struct Producer {
    std::string name;
    std::function<Tensor()> make;
  };
  const std::vector<Producer> producers = {
      {"relu", [&] { return relu(x); }},
      {"sigmoid", [&] { return sigmoid(x); }},
      {"tanh", [&] { return tanh(x); }},
      {"softmax", [&] { return softmax(x, 1); }},
      {"exp", [&] { return exp(x); }},
      {"sqrt", [&] { return sqrt(x); }},
      {"batchNorm", [&] { return batchNorm(x * 2, {}, {}, {}, {}, inplace).y; }},
  };
  for (const Producer& p : producers) {
    CAPTURE(p.name);
    CHECK(headlineOf<StateError>([&] { batchNorm(p.make(), {}, {}, {}, {}, inplace); }) ==
          "[batchNorm] StateError: inplace cannot overwrite its input: " + p.name +
              ", which made it, needs it in its own backward");
    const NoGrad guard;  // no backward, no need
    if (p.name != "batchNorm") CHECK_NOTHROW(batchNorm(p.make(), {}, {}, {}, {}, inplace));
  }
  // Pooling remembers places, an out-of-place batch norm its input: their outputs are free.
  for (const auto& make : {std::function<Tensor()>([&] { return maxPool2d(x); }),
                           std::function<Tensor()>([&] { return batchNorm(x).y; })}) {
    Tensor g[2];
    for (const bool in : {false, true})
      g[in] =
          gradients({(batchNorm(make(), {}, {}, {}, {}, {.inplace = in}).y * draw("r", make().shape())).sum()}, {x})[0];
    CHECK(relativeError(g[1], g[0], 1) < 1e-13);
  }
}

TEST_CASE("consumers that read the old value are told, by an error that names both") {
  const Tensor x = leaf(draw("x", {4, 3, 2, 2}));
  const Tensor c = x * 2;
  const Tensor y = batchNorm(c, {}, {}, {}, {}, {.inplace = true});
  // The pre-activation residual block written wrongly: c is gone.
  CHECK_THROWS_WITH_AS(y + c, doctest::Contains("[add] StateError: operand 1 was overwritten in place by batchNorm"),
                       StateError);
  const Tensor d = x * 2;
  const Tensor square = d * d;  // mul keeps d for its backward
  const Tensor z = batchNorm(d, {}, {}, {}, {}, {.inplace = true});
  CHECK_THROWS_WITH_AS(
      (square.sum() + z.sum()).backward(),
      doctest::Contains("[mul] StateError: an operand that its gradient needs was overwritten by batchNorm"),
      StateError);
  // The output is what backward needs: whoever overwrites it is named too.
  const Tensor e = batchNorm(x * 2, {}, {}, {}, {}, {.inplace = true});
  Tensor alias = e.detach();
  alias.mul_(2);
  CHECK_THROWS_WITH_AS(e.sum().backward(), doctest::Contains("overwritten"), StateError);
  CHECK_THROWS_WITH_AS(gradients({batchNorm(e)}, {x}), doctest::Contains("overwritten in place by mul_"), StateError);
}
