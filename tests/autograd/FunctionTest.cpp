#include <ember/autograd/Function.h>

#include <doctest/doctest.h>
#include <ember/autograd/GradCheck.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Math.h>
#include <ember/autograd/ops/Reduction.h>

#include "support/Draw.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

namespace {

const CustomOptions differentiable{.differentiableBackward = true};

Tensor cube(const Tensor& x, const CustomOptions& options = differentiable) {
  return custom(
      "cube", {x},
      [](FunctionContext& c, const Tensors& in) {
        c.save(in[0]);
        return Tensors{in[0] * in[0] * in[0]};
      },
      [](const FunctionContext& c, const Tensors& dy) { return Tensors{dy[0] * c.saved() * c.saved() * 3}; }, options);
}

/// exp by its saved result.
Tensor exponential(const Tensor& x) {
  return custom(
      "exponential", {x},
      [](FunctionContext& c, const Tensors& in) {
        const Tensor y = exp(in[0]);
        c.save(y);
        return Tensors{y};
      },
      [](const FunctionContext& c, const Tensors& dy) { return Tensors{dy[0] * c.saved()}; }, differentiable);
}

/// A function with that backward, of x·2.
Tensor doubled(const Tensor& x, CustomBackward backward) {
  return custom(
      "doubled", {x}, [](FunctionContext&, const Tensors& in) { return Tensors{in[0] * 2}; }, std::move(backward));
}

}  // namespace

TEST_CASE("a custom function has the gradient that its backward gives, twice if that is differentiable") {
  const Tensor x = draw("x", {2, 2});
  CHECK(gradcheck([](const Tensor& t) { return cube(t); }, x) <= 1);
  CHECK(gradgradcheck([](const Tensor& t) { return cube(t); }, x) <= 1);
  CHECK(gradcheck([](const Tensor& t) { return exponential(t); }, x) <= 1);
  CHECK(gradgradcheck([](const Tensor& t) { return exponential(t); }, x) <= 1);
}

TEST_CASE("loops over raw memory serve as well") {
  const auto square = [](const Tensor& x) {
    return custom(
        "square", {x},
        [](FunctionContext& c, const Tensors& in) {
          std::vector<double> values = in[0].toVector<double>();
          for (double& v : values) v *= v;
          c.save(in[0]);
          return Tensors{Tensor::of<double>(values, in[0].shape())};
        },
        [](const FunctionContext& c, const Tensors& dy) {
          std::vector<double> g = dy[0].toVector<double>();
          const std::vector<double> x0 = c.saved().toVector<double>();
          for (std::size_t i = 0; i < g.size(); ++i) g[i] *= 2 * x0[i];
          return Tensors{Tensor::of<double>(g, dy[0].shape())};
        });
  };
  CHECK(gradcheck(square, draw("x", {3})) <= 1);
}

TEST_CASE("a backward that is not differentiable refuses createGraph and says what to do") {
  const Tensor x = draw("x", {2}).setRequiresGrad();
  const Tensor y = sum(cube(x, {}));
  CHECK(headlineOf<StateError>([&] { y.backward({.createGraph = true}); }) ==
        "[cube] StateError: its backward cannot be differentiated, but createGraph asks for it");
  sum(cube(x, {})).backward();
  CHECK(x.grad().defined());
}

TEST_CASE("several inputs and outputs: what nothing used or wants is undefined") {
  const Tensor a = Tensor::of({2}, DType::F64).setRequiresGrad(), b = Tensor::of({5}, DType::F64);
  int seen = 0;
  const auto sumAndProduct = [&](const Tensors& in) {
    return customMany(
        "sumAndProduct", in,
        [](FunctionContext& c, const Tensors& t) {
          c.save(t[0]);
          c.save(t[1]);
          return Tensors{t[0] + t[1], t[0] * t[1]};
        },
        [&](const FunctionContext& c, const Tensors& dy) {
          ++seen;
          CHECK(c.needs(0));
          CHECK_FALSE(c.needs(1));
          CHECK_FALSE(dy[0].defined());
          CHECK(dy[1].defined());
          return Tensors{dy[1] * c.saved(1), Tensor()};
        });
  };
  sumAndProduct({a, b})[1].backward();
  CHECK(seen == 1);
  CHECK(a.grad().item() == 5);
  CHECK_FALSE(b.grad().defined());
}

TEST_CASE("nothing is recorded without need, nor inside the forward") {
  const Tensor x = draw("x", {2});
  CHECK_FALSE(cube(x).requiresGrad());
  Tensor required = draw("x", {2}).setRequiresGrad();
  const Tensor identity = custom(
      "identity", {required},
      [](FunctionContext&, const Tensors& in) {
        CHECK_FALSE(gradEnabled());
        return in;
      },
      [](const FunctionContext&, const Tensors& dy) { return Tensors{dy[0] * 7}; });
  sum(identity).backward();
  CHECK(required.grad().toVector<double>() == std::vector<double>{7, 7});
  const NoGrad off;
  CHECK_FALSE(cube(required).requiresGrad());
}

TEST_CASE("shape-only tensors run through a forward that is written in ops") {
  const Tensor y = cube(Tensor::shapeOnly({2, 3}));
  CHECK(y.isShapeOnly());
  CHECK((y.shape() == Shape{2, 3}));
}

TEST_CASE("gradients of a wrong shape, type or number are errors that name the function") {
  const Tensor x = draw("x", {2}).setRequiresGrad();
  const auto headline = [&](CustomBackward backward) {
    return headlineOf([&] { sum(doubled(x, std::move(backward))).backward(); });
  };
  CHECK(headline([](const FunctionContext&, const Tensors&) { return Tensors{Tensor::ones({3}, DType::F64)}; }) ==
        "[doubled] ShapeError: the gradient of input 0 is [3], expected [2]");
  CHECK(headline([](const FunctionContext&, const Tensors&) { return Tensors{Tensor::ones({2})}; }) ==
        "[doubled] DtypeError: the gradient of input 0 is f32, expected f64");
  CHECK(headline([](const FunctionContext&, const Tensors& dy) {
          return Tensors{dy[0], dy[0]};
        }) == "[doubled] StateError: its backward gave 2 gradients for 1 inputs");
  CHECK(headline([](const FunctionContext& c, const Tensors&) { return Tensors{c.saved(1)}; }) ==
        "[doubled] ValueError: saved(1) of 0 saved tensors");
}

TEST_CASE("saved tensors are version-checked, and intermediate values are refused where they would be wrong") {
  Tensor x = draw("x", {2}).setRequiresGrad();
  const Tensor y = sum(cube(x));
  {
    const NoGrad off;
    x.fill_(1);
  }
  CHECK(headlineOf<StateError>([&] { y.backward(); }) ==
        "[cube] StateError: an operand that its gradient needs was overwritten by fill_");
  const auto byIntermediate = [](const Tensor& t) {
    return custom(
        "fourth", {t},
        [](FunctionContext& c, const Tensors& in) {
          const Tensor square = in[0] * in[0];
          c.save(in[0]);
          c.save(square);
          return Tensors{square * square};
        },
        [](const FunctionContext& c, const Tensors& dy) { return Tensors{dy[0] * c.saved(0) * c.saved(1) * 4}; },
        differentiable);
  };
  CHECK(gradcheck(byIntermediate, draw("x", {2})) <= 1);
  const Tensor loss = sum(byIntermediate(x));
  CHECK(headlineOf<StateError>([&] { loss.backward({.createGraph = true}); }) ==
        "[fourth] StateError: saved tensor 1 is neither input nor output, so its dependence on the inputs is not "
        "recorded");
}

TEST_CASE("a forward that gives nothing, too much or an undefined tensor is an error") {
  const Tensor x = draw("x", {2});
  const auto run = [&](CustomForward forward) {
    return headlineOf(
        [&] { custom("odd", {x}, std::move(forward), [](const FunctionContext&, const Tensors& dy) { return dy; }); });
  };
  CHECK(run([](FunctionContext&, const Tensors&) { return Tensors{}; }) ==
        "[odd] StateError: its forward gave 0 outputs, expected 1");
  CHECK(run([](FunctionContext&, const Tensors& in) {
          return Tensors{in[0], in[0]};
        }) == "[odd] StateError: its forward gave 2 outputs, expected 1");
  CHECK(run([](FunctionContext&, const Tensors&) { return Tensors{Tensor()}; }) ==
        "[odd] StateError: its forward gave an undefined output 0");
  CHECK(headlineOf([&] { cube(Tensor()); }) == "[cube] StateError: operand 0 is an undefined tensor");
  CHECK(headlineOf([&] {
          custom("odd", {x}, [](FunctionContext& c, const Tensors& in) { return Tensors{c.saved(), in[0]}; }, {});
        }) == "[custom] StateError: saved() was called outside the backward");
}

TEST_CASE("the graph of a custom function is freed with its result") {
  const Tensor x = draw("x", {2}).setRequiresGrad();
  std::weak_ptr<core::Storage> memory;
  {
    const Tensor y = exponential(x);
    memory = y.array().storage();
  }
  CHECK(memory.expired());
}
