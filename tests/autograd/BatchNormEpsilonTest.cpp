// Batch norm where the variance is 0 or far from epsilon.

#include <doctest/doctest.h>

#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/BatchNorm.h>
#include <ember/autograd/ops/Math.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/core/Error.h>

#include "support/Draw.h"
#include "support/Near.h"

using namespace ember;
using namespace ember::test;

namespace {

Tensor leaf(const Tensor& t) { return t.clone().setRequiresGrad(); }

}  // namespace

TEST_CASE("a constant channel gives beta, finite gradients and variance 0") {
  for (const DType dtype : {DType::F32, DType::F64}) {
    for (const double value : {0.1, -1e4, 3e7}) {
      CAPTURE(value);
      Tensor rm = Tensor::zeros({2}, dtype), rv = Tensor::ones({2}, dtype);
      const Tensor other = draw("other", {40, 1}).to(dtype);
      Values columns;
      for (const double v : valuesOf(other)) columns.insert(columns.end(), {value, v});
      const Tensor x = leaf(Tensor::of<double>(columns, {40, 2}).to(dtype));
      const Tensor w = leaf(Tensor::of({1.5, 1.5}, dtype)), b = leaf(Tensor::of({0.5, 0.5}, dtype));
      const BatchNormResult result = batchNorm(x, w, b, rm, rv, {.factor = 1.0});
      const Values y = valuesOf(result.y);
      for (std::size_t i = 0; i < y.size(); i += 2) CHECK(y[i] == 0.5);
      CHECK(valuesOf(result.var())[0] == 0);
      CHECK(valuesOf(rm)[0] == valuesOf(x)[0]);
      CHECK(valuesOf(rv)[0] == 0);
      const Tensors g = gradients({result.y}, {x, w, b}, {}, {draw("dy", {40, 2}).to(dtype)});
      for (const Tensor& each : g) CHECK(allFinite(each));
      CHECK(valuesOf(g[1])[0] == 0);
    }
  }
}

TEST_CASE("a variance far below epsilon comes out right") {
  // MXNet stores 1/sqrt(var + eps) and takes the variance back from it: 57 % off at 1e-12 of eps.
  for (const DType dtype : {DType::F32, DType::F64}) {
    for (const double size : {1e-3, 1e-6, 1e-9}) {
      CAPTURE(size);
      Tensor rm = Tensor::zeros({3}, dtype), rv = Tensor::ones({3}, dtype);
      const Tensor x = (draw("x", {50, 3}) * size).to(dtype);
      const BatchNormResult result = batchNorm(x, {}, {}, rm, rv, {.epsilon = 1, .factor = 1.0});
      Tensor exactRm = Tensor::zeros({3}, DType::F64), exactRv = Tensor::ones({3}, DType::F64);
      const Tensor exact = x.to(DType::F64);
      const Tensor centred = exact - mean(exact, {0}, true);
      const Tensor var = mean(centred * centred, {0});
      const double tolerance = dtype == DType::F32 ? 1e-6 : 1e-13;  // a few roundings
      CHECK(relativeError(result.var(), var) < tolerance);
      CHECK(relativeError(rv, var * (50.0 / 49)) < tolerance);
      CHECK(relativeError(result.y, centred / sqrt(var + 1.0)) < tolerance);
    }
  }
}

TEST_CASE("epsilon 0 and variance 0: invstd is 0, and every derivative is finite") {
  for (const EpsMode mode : {EpsMode::Additive, EpsMode::Max}) {
    for (const bool inplace : {false, true}) {
      CAPTURE(inplace);
      Values columns;
      for (const double v : valuesOf(draw("other", {6}))) columns.insert(columns.end(), {0.1, v});
      const Tensor x = leaf(Tensor::of<double>(columns, {6, 2}));
      const Tensor w = leaf(Tensor::of({1.5, 1.5}, DType::F64)), b = leaf(Tensor::of({0.5, 0.5}, DType::F64));
      const BatchNormResult result =
          batchNorm(x + 0.0, w, b, {}, {}, {.epsilon = 0, .epsMode = mode, .inplace = inplace});
      CHECK(valuesOf(result.invstd())[0] == 0);
      CHECK(valuesOf(result.y)[0] == 0.5);
      const Tensor dy = draw("dy", {6, 2});
      const Tensors plain = gradients({result.y}, {x, w, b}, {.retainGraph = true}, {dy});
      const Tensors g = gradients({result.y}, {x, w, b}, {.createGraph = true}, {dy});
      for (std::size_t i = 0; i < 3; ++i) {
        CHECK(relativeError(g[i], plain[i]) < 1e-12);
        for (std::size_t j = 0; i == 0 && j < 12; j += 2) CHECK(valuesOf(g[0])[j] == 0);
      }
      for (const Tensor& second : gradients({(g[0] * g[0]).sum() + (g[1] * g[1]).sum()}, {x, w}))
        CHECK(allFinite(second));
      // The other channel is that of any epsilon small enough.
      const Tensor y = batchNorm(x, w, b, {}, {}, {.epsilon = 1e-14});
      CHECK(relativeError(gradients({y}, {x, w, b}, {}, {dy})[1], plain[1]) < 1e-12);
    }
  }
}

TEST_CASE("epsilon Max: a channel below it is scaled by a constant, and its gradient knows") {
  const Tensor x = leaf(draw("x", {8, 2}) * Tensor::of({0.01, 1}, DType::F64)), w = leaf(draw("w", {2}, 0.5, 1.5));
  const Tensor dy = draw("dy", {8, 2});
  auto [y, m, invstd] = batchNorm(x, w, {}, {}, {}, {.epsilon = 0.04, .epsMode = EpsMode::Max});
  CHECK(valuesOf(invstd)[0] == doctest::Approx(5).epsilon(1e-15));
  const Tensor dx = gradients({y}, {x}, {}, {dy})[0], centred = dy - mean(dy, {0}, true);
  const Values values = valuesOf(dx), linear = valuesOf(5.0 * (w.detach() * centred));
  for (std::size_t i = 0; i < 16; i += 2) CHECK(values[i] == doctest::Approx(linear[i]).epsilon(1e-13));
  // Above it epsilon has no part at all.
  const Tensor plain = batchNorm(x, w, {}, {}, {}, {.epsilon = 0});
  const Values ordinary = valuesOf(gradients({plain}, {x}, {}, {dy})[0]);
  for (std::size_t i = 1; i < 16; i += 2) CHECK(values[i] == doctest::Approx(ordinary[i]).epsilon(1e-13));
}
