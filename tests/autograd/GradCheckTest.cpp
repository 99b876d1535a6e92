#include <ember/autograd/GradCheck.h>

#include <doctest/doctest.h>
#include <ember/autograd/Function.h>
#include <ember/autograd/Graph.h>
#include <ember/autograd/ops/Activation.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Math.h>
#include <ember/autograd/ops/Reduction.h>

#include "support/Draw.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

namespace {

/// x² whose gradient is `factor` times as large as it should be.
Tensor squareWithGradient(const Tensor& x, double factor) {
  return custom(
      "wrong", {x},
      [](FunctionContext& c, const Tensors& in) {
        c.save(in[0]);
        return Tensors{in[0] * in[0]};
      },
      [factor](const FunctionContext& c, const Tensors& dy) { return Tensors{dy[0] * c.saved() * (2 * factor)}; },
      {.differentiableBackward = true});
}

}  // namespace

TEST_CASE("correct gradients pass, for results of any shape and inputs of any number") {
  const Tensor x = draw("x", {2, 3}), y = draw("y", {3}, 0.5, 2);
  CHECK(gradcheck([](const Tensor& t) { return exp(t); }, x) <= 1);
  CHECK(gradcheck([](const Tensor& t) { return sum(t * t); }, x) <= 1);
  CHECK(gradcheck([](const Tensors& in) { return in[0] / in[1]; }, Tensors{x, y}) <= 1);
  CHECK(gradgradcheck([](const Tensors& in) { return in[0] / in[1]; }, Tensors{x, y}) <= 1);
}

TEST_CASE("the worst error is returned in units of the tolerance") {
  const Tensor x = Tensor::of({1, 2}, DType::F64);
  const auto off = [](const Tensor& t) { return squareWithGradient(t, 1.0005); };
  const double worst = gradcheck(off, x);  // relative error 5e-4, half of what is allowed
  CHECK(worst > 0.4);
  CHECK(worst < 0.6);
}

TEST_CASE("a wrong gradient is found and named with input, element and both values") {
  const Tensor x = Tensor::of<double>({0, 3}, {1, 2});
  const auto call = [&] {
    gradcheck([](const Tensors& in) { return in[0] + squareWithGradient(in[1], 2); },
              Tensors{Tensor::zeros({1, 2}, DType::F64), x});
  };
  const std::string headline = headlineOf<NumericError>(call);
  CHECK(headline.find("[gradcheck] NumericError: input 1, element [0, 1]: the gradient is ") == 0);
  CHECK(headline.find(", differences say ") != std::string::npos);
  // "at" is where a module stands; the element's own value has another label.
  CHECK(messageOf(call).find("\n    value   3") != std::string::npos);
  CHECK(messageOf(call).find("\n    at ") == std::string::npos);
}

TEST_CASE("a missing gradient is found") {
  CHECK_THROWS_AS(gradcheck([](const Tensor& t) { return (t * t).detach(); }, draw("x", {2})), NumericError);
  CHECK_THROWS_AS(
      gradcheck([](const Tensors& in) { return in[0] * in[1].detach(); }, Tensors{draw("x", {2}), draw("y", {2})}),
      NumericError);
}

TEST_CASE("an input that the result does not depend on has gradient zero") {
  CHECK(gradcheck([](const Tensors& in) { return in[0] * 2; }, Tensors{draw("x", {2}), draw("y", {2})}) <= 1);
  CHECK(gradgradcheck([](const Tensor& t) { return t * 3; }, draw("x", {2})) <= 1);  // linear: no second derivative
}

TEST_CASE("second derivatives that are lost are found") {
  // The gradient 2·x·dy is right, but x is cut from the graph in it.
  const auto cut = [](const Tensor& t) {
    return custom(
        "cut", {t},
        [](FunctionContext& c, const Tensors& in) {
          c.save(in[0]);
          return Tensors{in[0] * in[0]};
        },
        [](const FunctionContext& c, const Tensors& dy) { return Tensors{dy[0] * c.saved().detach() * 2}; },
        {.differentiableBackward = true});
  };
  const Tensor x = draw("x", {3});
  CHECK(gradcheck(cut, x) <= 1);
  CHECK_THROWS_AS(gradgradcheck(cut, x), NumericError);
}

TEST_CASE("gradgradcheck holds the plain backward against the recorded one") {
  const auto twoFaced = [](const Tensor& t) {
    return custom(
        "twoFaced", {t},
        [](FunctionContext& c, const Tensors& in) {
          c.save(in[0]);
          return Tensors{in[0] * in[0]};
        },
        [](const FunctionContext& c, const Tensors& dy) {
          return Tensors{dy[0] * c.saved() * (gradEnabled() ? 2 : 3)};
        },
        {.differentiableBackward = true});
  };
  const std::string headline = headlineOf<NumericError>([&] { gradgradcheck(twoFaced, Tensor::of({1}, DType::F64)); });
  CHECK(headline.find("[gradgradcheck] NumericError: input 0, element [0]: a plain backward gives ") == 0);
}

TEST_CASE("only inputs that require a gradient are checked, if any does") {
  const auto half = [](const Tensors& in) { return squareWithGradient(in[0], 3) + in[1] * in[1]; };
  const Tensor wrong = draw("x", {2}), right = draw("y", {2});
  CHECK_THROWS_AS(gradcheck(half, Tensors{wrong, right}), NumericError);
  CHECK(gradcheck(half, Tensors{wrong, draw("y", {2}).setRequiresGrad()}) <= 1);
}

TEST_CASE("the inputs stay as they are") {
  const Tensor x = draw("x", {2, 2}).setRequiresGrad();
  const std::vector<double> before = x.toVector<double>();
  gradcheck([](const Tensor& t) { return t * t; }, x);
  CHECK(x.toVector<double>() == before);
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("gradcheck refuses what it cannot judge") {
  const auto same = [](const Tensor& t) { return t * 2; };
  CHECK(headlineOf<DtypeError>([&] { gradcheck(same, Tensor::ones({2})); }) ==
        "[gradcheck] DtypeError: input 0 is f32, expected f64");
  CHECK(headlineOf<DtypeError>([&] {
          gradcheck([](const Tensor& t) { return t.to(DType::F32); }, Tensor::ones({2}, DType::F64));
        }) == "[gradcheck] DtypeError: the result is f32, expected f64");
  CHECK(headlineOf<ValueError>([&] {
          gradcheck([](const Tensors& in) { return in[0]; }, Tensors{Tensor::ones({2}, DType::I64)});
        }) == "[gradcheck] ValueError: there is no floating input to check");
  CHECK_THROWS_AS(gradcheck(same, Tensor::ones({2}, DType::F64), {.step = 0}), ValueError);
  int calls = 0;
  const auto restless = [&](const Tensor& t) { return t * static_cast<double>(++calls); };
  CHECK(headlineOf<ValueError>([&] { gradcheck(restless, Tensor::ones({2}, DType::F64)); }) ==
        "[gradcheck] ValueError: the function is not deterministic: element [0] of its result was 1 and then 2");
}

TEST_CASE("NaN in a gradient is an error, in both places it is not") {
  CHECK_THROWS_AS(gradcheck([](const Tensor& t) { return sqrt(t); }, Tensor::of({0, 1}, DType::F64)), NumericError);
}
