#include <ember/autograd/ops/BatchNorm.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/Error.h>

#include "autograd/BatchNormModes.h"
#include "support/Draw.h"
#include "support/Near.h"

using namespace ember;
using namespace ember::test;
using namespace ember::test::batchnorm;

namespace {

Tensor leaf(const Tensor& t) { return t.clone().setRequiresGrad(); }

/// A weighted sum of y that makes every element count differently.
Tensor weighted(const Tensor& y) { return (y * draw("weights", y.shape())).sum(); }

}  // namespace

TEST_CASE("the golden vector of 0 to 11 comes out to twelve digits") {
  Values x(12), dy(12);
  for (std::size_t i = 0; i < 12; ++i) {
    x[i] = static_cast<double>(i);
    dy[i] = x[i] * x[i] / 10;
  }
  const Shape shape{2, 1, 2, 3};
  const auto one = [](double value) { return Tensor::full({1}, value, DType::F64); };
  const auto near = [](double value) { return doctest::Approx(value).epsilon(1e-12); };

  for (const VarEstimator estimator : {VarEstimator::Biased, VarEstimator::Unbiased}) {
    const Tensor input = leaf(Tensor::of<double>(x, shape)), w = leaf(one(2)), b = leaf(one(1));
    Tensor rm = one(0), rv = one(1);
    auto [y, mean, invstd] = batchNorm(input, w, b, rm, rv, {.momentum = 0.9, .varEstimator = estimator});
    CHECK(mean.item() == near(5.5));
    CHECK(invstd.item() == near(0.2896826082060358));
    CHECK(valuesOf(y)[0] == near(-2.1865086902663937));
    CHECK(valuesOf(y)[11] == near(4.186508690266393));
    CHECK(rm.item() == near(0.55));
    CHECK(rv.item() == near(estimator == VarEstimator::Biased ? 2.0916666666666663 : 2.2));

    y.backward({.gradient = Tensor::of<double>(dy, shape)});
    CHECK(b.grad().item() == near(50.6));
    CHECK(w.grad().item() == near(45.567074270809435));
    const Values expected = {1.0621666220319637,   0.4828019404181042,   0.019310302086659258, -0.3283082929623713,
                             -0.56005384472898756, -0.67592635321318972, -0.67592581841497745, -0.56005224033435086,
                             -0.32830561897130989, 0.01931404567414512,  0.4828067536020148,   1.0621725048122987};
    const Values dx = valuesOf(input.grad());
    double sum = 0;
    for (std::size_t i = 0; i < 12; ++i) {
      CHECK(std::abs(dx[i] - expected[i]) < 1e-12);
      sum += dx[i];
    }
    CHECK(std::abs(sum) < 1e-12);
  }

  // PuzzleLib's first batch: the new statistic counts fully.
  Tensor rm = one(0), rv = one(1);
  batchNorm(Tensor::of<double>(x, shape), one(2), one(1), rm, rv, {.factor = 1.0});
  CHECK(rm.item() == near(5.5));
  CHECK(rv.item() == near(13));

  const Tensor input = leaf(Tensor::of<double>(x, shape)), w = leaf(one(2)), b = leaf(one(1));
  auto [y, mean, invstd] = batchNorm(input, w, b, one(0.55), one(2.2), {.training = false});
  CHECK(invstd.item() == near(0.674198330196051));
  CHECK(valuesOf(y)[0] == near(0.2583818367843438));
  CHECK(valuesOf(y)[11] == near(15.090745101097465));
  y.backward({.gradient = Tensor::of<double>(dy, shape)});
  CHECK(w.grad().item() == near(274.91785310404373));
  for (std::size_t i = 0; i < 12; ++i) CHECK(valuesOf(input.grad())[i] == near(2 * 0.674198330196051 * dy[i]));
}

TEST_CASE("the composed gradients of createGraph equal those of the fused kernel, at any mean") {
  for (const Mode& mode : modes()) {
    if (mode.options.freeze) continue;
    for (const Activation& activation : activations) {
      for (const DType dtype : {DType::F32, DType::F64}) {
        for (const double mean : {0.5, 1e4}) {
          CAPTURE(mode.name);
          CAPTURE(activation.name);
          CAPTURE(mean);
          const Setup s(mode, activation, {20, 2, 2, 3});
          const auto of = [&](const Tensor& t) { return t.defined() ? t.to(dtype) : t; };
          const Tensors inputs = {leaf((s.x + mean).to(dtype)), leaf(of(s.gamma)), leaf(of(s.beta))};
          const Tensor rm = s.rm.defined() ? of(s.rm + mean).clone() : s.rm;
          const Tensor rv = s.rv.defined() ? of(s.rv).clone() : s.rv;
          const Tensor y = batchNorm(inputs[0], inputs[1], inputs[2], rm, rv, s.options);
          const Tensor dy = draw("dy", y.shape()).to(dtype);
          const Tensors fused = gradients({y}, inputs, {.retainGraph = true}, {dy});
          const Tensors composed = gradients({y}, inputs, {.createGraph = true}, {dy});
          for (std::size_t i = 0; i < 3; ++i) {
            CAPTURE(i);
            // At a mean of 1e4 the data themselves have 4 digits in f32; both ways see the same ones, centred exactly.
            CHECK(relativeError(composed[i], fused[i]) < (dtype == DType::F64 ? 1e-11 : 2e-5));
            CHECK((i == 2 || composed[i].requiresGrad()));  // sum(dy) depends on nothing
          }
        }
      }
    }
  }
}

TEST_CASE("any channel axis equals the transposed input") {
  const Tensor x = draw("d1", {3, 4, 5, 2});
  for (int axis = -4; axis < 4; ++axis) {
    const int place = axis < 0 ? axis + 4 : axis;
    std::vector<int> swap = {0, 1, 2, 3};
    std::swap(swap[1], swap[static_cast<std::size_t>(place)]);
    const i64 channels = x.shape()[place];
    Tensor rmA = Tensor::zeros({channels}, DType::F64), rvA = rmA.clone(), rmB = rmA.clone(), rvB = rmA.clone();
    const Tensor w = draw("d2", {channels}), b = draw("d3", {channels});
    const Tensor direct = batchNorm(x, w, b, rmA, rvA, {.channelAxis = axis});
    const Tensor moved = permute(batchNorm(permute(x, swap), w, b, rmB, rvB), swap);
    CHECK(relativeError(direct, valuesOf(moved)) < 1e-14);
    CHECK(relativeError(rvA, valuesOf(rvB)) < 1e-14);
  }
  CHECK_THROWS_AS(batchNorm(x, {}, {}, {}, {}, {.channelAxis = 4}), ShapeError);
}

TEST_CASE("the decision follows the table of the five systems") {
  const auto use = [](BatchNormOptions o, bool hasRunning = true, i64 m = 8) {
    const StatisticsUse result = decideStatistics(o, hasRunning, m);
    return std::string(result.batch ? "batch" : "running") + (result.update ? "+update" : "");
  };
  CHECK(use({.training = true}) == "batch+update");
  CHECK(use({.training = false}) == "running");
  CHECK(use({.training = true, .useGlobalStats = GlobalStats::True}) == "running");
  CHECK(use({.training = false, .useGlobalStats = GlobalStats::True}) == "running");
  CHECK(use({.training = false, .useGlobalStats = GlobalStats::False}) == "batch+update");
  CHECK(use({.training = false, .trainableStatistics = true}) == "batch+update");
  CHECK(use({.training = true, .trackRunningStats = false}) == "batch");
  CHECK(use({.training = false, .trackRunningStats = false}) == "batch");
  CHECK(use({.training = true, .freeze = true}) == "running");
  CHECK(use({.training = true}, false) == "batch");
  CHECK(use({.training = false}, false) == "batch");
  CHECK(use({.training = true}, true, 0) == "running");
}

TEST_CASE("frozen and fixed parameters") {
  const Tensor x = leaf(draw("d1", {4, 3, 2, 2})), w = leaf(draw("d2", {3})), b = leaf(draw("d3", {3}));
  Tensor rm = draw("d4", {3}), rv = draw("d5", {3}, 0.5, 2);
  const Values rmBefore = valuesOf(rm), rvBefore = valuesOf(rv);
  weighted(batchNorm(x, w, b, rm, rv, {.freeze = true})).backward();
  CHECK(x.grad().defined());
  CHECK_FALSE(w.grad().defined());
  CHECK_FALSE(b.grad().defined());
  CHECK(valuesOf(rm) == rmBefore);
  CHECK(valuesOf(rv) == rvBefore);

  // Nor in the second derivative, where the gradient of x has gamma in it.
  const Tensor frozen = batchNorm(x, w, b, rm, rv, {.freeze = true});
  const Tensor dx = gradients({weighted(frozen)}, {x}, {.createGraph = true})[0];
  CHECK_FALSE(dx.requiresGrad());
  const Tensor free = batchNorm(x, w, b, rm, rv, {.training = false});
  CHECK(gradients({weighted(free)}, {x}, {.createGraph = true})[0].requiresGrad());

  const Tensor plain = batchNorm(x.detach(), {}, b.detach());
  const Tensor fixed = batchNorm(x, w, b, {}, {}, {.fixGamma = true});
  CHECK(valuesOf(fixed) == valuesOf(plain));
  CHECK(valuesOf(w) == Values{1, 1, 1});
  weighted(fixed).backward();
  CHECK(valuesOf(w.grad()) == Values{0, 0, 0});
  CHECK(largest(valuesOf(b.grad())) > 0);
}

TEST_CASE("bf16 data take f32 parameters and statistics") {
  const Tensor x = draw("d1", {8, 4, 6, 6}, -1, 7).to(DType::BF16), w = leaf(draw("d2", {4}, 0.5, 1.5).to(DType::F32)),
               b = leaf(draw("d3", {4}).to(DType::F32));
  auto [y, mean, invstd] = batchNorm(x, w, b);
  CHECK(y.dtype() == DType::BF16);
  CHECK(mean.dtype() == DType::F32);
  const Tensor exact = leaf(draw("d1", {8, 4, 6, 6}, -1, 7).to(DType::BF16).to(DType::F64).clone());
  const Tensor reference = batchNorm(exact, w.detach().to(DType::F64), b.detach().to(DType::F64));
  CHECK(relativeError(y.to(DType::F64), valuesOf(reference)) < 4e-3);  // half a step of bf16
  CHECK_THROWS_AS(batchNorm(x, draw("d2", {4})), DtypeError);
  CHECK_THROWS_AS(batchNorm(draw("d1", {4, 4}), draw("d2", {4}).to(DType::F32)), DtypeError);
}

TEST_CASE("a shape-only input gives shapes and touches nothing") {
  Tensor rm = draw("d1", {3}), rv = draw("d2", {3});
  const Values before = valuesOf(rm);
  auto [y, mean, invstd] = batchNorm(Tensor::shapeOnly({1, 3}, DType::F64), {}, {}, rm, rv);
  CHECK(y.isShapeOnly());
  CHECK((y.shape() == Shape{1, 3}));
  CHECK((mean.shape() == Shape{3}));
  CHECK(valuesOf(rm) == before);
  CHECK_THROWS_AS(batchNorm(Tensor::shapeOnly({2, 4}, DType::F64), {}, {}, rm, rv), ShapeError);
}
