// Every preset against the system that it names: five training batches and one in evaluation, beside a plain
// implementation of the system's own rule (tests/nn/PlainBatchNorm.h).
#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ember/ember.h>

#include "nn/PlainBatchNorm.h"
#include "support/Draw.h"
#include "support/Golden.h"

using namespace ember;
using namespace ember::test;

namespace {

struct System {
  const char* name;
  nn::BatchNormNDOptions options;
  PlainRule rule;
};

const auto puzzleFactor = [](i64 n) { return std::max(1.0 / static_cast<double>(n), 0.1); };
const auto oldWeight = [](double momentum) { return [=](i64) { return 1 - momentum; }; };

/// What the sources of the systems say, apart from what nn/layers/BatchNormPresets.cpp says.
std::vector<System> systems() {
  return {
      {"puzzle", nn::presets::puzzle(), {1e-5, 1, true, puzzleFactor}},
      {"puzzleAsDocumented",
       nn::presets::puzzleAsDocumented(),
       {1e-5, 1, true, [](i64 n) { return 1 - puzzleFactor(n); }}},
      {"brainpy27", nn::presets::brainpy27(), {1e-5, -1, false, oldWeight(0.99)}},
      {"brainpy28", nn::presets::brainpy28(), {1e-5, -1, true, oldWeight(0.99)}},
      {"megengine", nn::presets::megengine(), {1e-5, 1, true, oldWeight(0.9)}},
      {"paddleCpu", nn::presets::paddleCpu(), {1e-5, 1, false, oldWeight(0.9)}},
      {"paddleGpu", nn::presets::paddleGpu(), {1e-5, 1, true, oldWeight(0.9)}},
      {"mxnetCpu", nn::presets::mxnetCpu(), {1e-3, 1, false, oldWeight(0.9)}},
      {"mxnetCudnn", nn::presets::mxnetCudnn(), {1e-3, 1, true, oldWeight(0.9)}},
  };
}

/// Three channels in every rank, where the system wants them.
Shape placed(Shape shape, int axis) {
  if (axis == -1) {
    shape.erase(1);
    shape.push(3);
  }
  return shape;
}
const std::vector<Shape> batches{{4, 3}, {2, 3, 5}, {3, 3, 4, 2}, {2, 3, 2, 2, 3}, {7, 3}};

Tensor filled(const std::string& name, const Shape& shape, DType dtype, double low = -2, double high = 2) {
  return draw(name, shape, low, high).to(dtype);
}

/// A layer of 3 channels with a scale and a shift that are not 1 and 0, and the same in plain loops.
struct Pair {
  nn::BatchNormND norm;
  PlainBatchNorm plain;
};
Pair pairOf(const System& system, DType dtype) {
  nn::BatchNormNDOptions options = system.options;
  options.dtype = dtype;
  nn::BatchNormND norm(3, options);
  {
    const NoGrad guard;
    if (!options.fixGamma) norm.weight.copy_(Tensor::of({0.5, -1.5, 2.0}));
    norm.bias.copy_(Tensor::of({1.0, 0.25, -3.0}));
  }
  PlainBatchNorm plain(system.rule, norm.weight.toVector<double>(), norm.bias.toVector<double>());
  return {std::move(norm), std::move(plain)};
}

void checkRunning(const Pair& pair, const Tolerance& tolerance) {
  CHECK_CLOSE(pair.norm.runningMean, pair.plain.runningMean(), tolerance, "running mean");
  CHECK_CLOSE(pair.norm.runningVar, pair.plain.runningVar(), tolerance, "running variance");
}

}  // namespace

TEST_CASE("every preset follows its system over five batches, in gradients, and in evaluation") {
  for (const System& system : systems()) {
    for (const DType dtype : {DType::F64, DType::F32}) {
      CAPTURE(std::string(system.name));
      CAPTURE(std::string(name(dtype)));
      const Tolerance tolerance = toleranceOf(dtype);
      Pair pair = pairOf(system, dtype);
      const auto step = [&](const std::string& label, const Shape& shape, bool training) {
        CAPTURE(label);
        Tensor x = filled(label, shape, dtype, -1, 4);
        const Tensor dy = filled(label + " gradient", shape, dtype);
        pair.norm.train(training);
        pair.norm.zeroGrad();
        const Tensor y = pair.norm(x.setRequiresGrad());
        if (training && system.options.updateStatsOn == nn::StatsUpdate::Backward) checkRunning(pair, tolerance);
        y.backward({.gradient = dy});
        const PlainBatchNorm::Step expected = training ? pair.plain.batch(x, dy) : pair.plain.fixed(x, dy);
        CHECK_CLOSE(y, expected.y, tolerance, "y");
        CHECK_CLOSE(x.grad(), expected.dx, tolerance, "dx");
        CHECK_CLOSE(pair.norm.bias.grad(), expected.dbeta, tolerance, "dbeta");
        // A fixed scale gets none at all, which an optimiser takes as 0.
        if (system.options.fixGamma) {
          CHECK_FALSE(pair.norm.weight.grad().defined());
        } else {
          CHECK_CLOSE(pair.norm.weight.grad(), expected.dgamma, tolerance, "dgamma");
        }
        checkRunning(pair, tolerance);
      };
      for (std::size_t k = 0; k < batches.size(); ++k)
        step("batch " + std::to_string(k), placed(batches[k], system.rule.axis), true);
      CHECK(pair.norm.numBatchesTracked.item() == 5);
      step("evaluation", placed({6, 3, 2, 5}, system.rule.axis), false);
      CHECK(pair.norm.numBatchesTracked.item() == 5);
    }
  }
}

TEST_CASE("the running statistics of the golden vector are those that each system is known to store") {
  const Tensor x = Tensor::arange(0, 12, 1, DType::F64).reshape({2, 1, 2, 3});
  const auto after = [&](nn::BatchNormNDOptions options) {
    options.dtype = DType::F64;
    options.channelAxis = 1;
    options.updateStatsOn = nn::StatsUpdate::Forward;
    nn::BatchNorm2D norm(1, options);
    (void)norm(x);
    return std::pair(norm.runningMean.item(), norm.runningVar.item());
  };
  const double variance = 143.0 / 12, unbiased = 13;  // of 0 to 11, about 5.5
  const auto check = [&](const nn::BatchNormNDOptions& options, double mean, double var) {
    const auto [rm, rv] = after(options);
    CHECK(rm == doctest::Approx(mean).epsilon(1e-12));
    CHECK(rv == doctest::Approx(var).epsilon(1e-12));
  };
  check(nn::presets::puzzle(), 5.5, unbiased);
  check(nn::presets::puzzleAsDocumented(), 0, 1);  // the factor 1 keeps the old statistics
  check(nn::presets::brainpy27(), 0.055, 0.99 + 0.01 * variance);
  check(nn::presets::brainpy28(), 0.055, 0.99 + 0.01 * unbiased);
  check(nn::presets::megengine(), 0.55, 2.2);
  check(nn::presets::paddleCpu(), 0.55, 2.0916666666666663);
  check(nn::presets::paddleGpu(), 0.55, 2.2);
  check(nn::presets::mxnetCpu(), 0.55, 2.0916666666666663);
  check(nn::presets::mxnetCudnn(), 0.55, 2.2);
}

TEST_CASE("mxnetCpu moves its statistics in the backward alone, and once") {
  nn::BatchNorm1D norm(3, nn::presets::mxnetCpu());
  const auto untouched = [&] {
    return norm.runningMean.toVector<double>() == std::vector<double>(3, 0) &&
           norm.runningVar.toVector<double>() == std::vector<double>(3, 1) && norm.numBatchesTracked.item() == 0;
  };
  Tensor x = filled("x", {5, 3}, DType::F32, 1, 3);
  {
    const NoGrad guard;
    for (int i = 0; i < 3; ++i) (void)norm(x);
  }
  CHECK(untouched());  // forwards alone never do
  const Tensor y = norm(x.setRequiresGrad());
  CHECK(untouched());
  const Tensor loss = (y * y).sum();
  loss.backward({.retainGraph = true});
  CHECK(norm.numBatchesTracked.item() == 1);
  const auto mean = norm.runningMean.toVector<double>(), var = norm.runningVar.toVector<double>();
  CHECK(mean[0] > 0.1);
  loss.backward();
  CHECK(norm.numBatchesTracked.item() == 1);
  CHECK(norm.runningMean.toVector<double>() == mean);
  CHECK(norm.runningVar.toVector<double>() == var);
  norm.eval();
  norm(x).sum().backward();
  CHECK(norm.numBatchesTracked.item() == 1);
}

TEST_CASE("paddle passes one value a channel through, without gradients of scale and shift, and updates nothing") {
  for (const auto& preset : {nn::presets::paddleCpu(), nn::presets::paddleGpu()}) {
    for (const Shape& shape : {Shape{1, 3}, Shape{1, 3, 1, 1}, Shape{1, 3, 1, 1, 1}}) {
      Pair pair = pairOf({"paddle", preset, {}}, DType::F32);
      Tensor x = filled("x", shape, DType::F32);
      const Tensor dy = filled("dy", shape, DType::F32);
      const Tensor y = pair.norm(x.setRequiresGrad());
      y.backward({.gradient = dy});
      CHECK(y.toVector<double>() == x.toVector<double>());
      CHECK(x.grad().toVector<double>() == dy.toVector<double>());
      CHECK(pair.norm.weight.grad().toVector<double>() == std::vector<double>(3, 0));
      CHECK(pair.norm.bias.grad().toVector<double>() == std::vector<double>(3, 0));
      checkRunning(pair, {0, 0});
      CHECK(pair.norm.numBatchesTracked.item() == 0);
    }
  }
}

TEST_CASE("brainpy and mxnet give the shift for one value a channel, and a variance of 0") {
  for (const System& system : systems()) {
    if (system.options.singleValuePolicy != nn::SingleValue::Zero) continue;
    CAPTURE(std::string(system.name));
    Pair pair = pairOf(system, DType::F64);
    Tensor x = filled("x", {1, 3}, DType::F64);
    const Tensor dy = filled("dy", {1, 3}, DType::F64);
    const Tensor y = pair.norm(x.setRequiresGrad());
    y.backward({.gradient = dy});
    CHECK(y.toVector<double>() == pair.norm.bias.toVector<double>());
    CHECK(x.grad().toVector<double>() == std::vector<double>(3, 0));
    CHECK(pair.norm.bias.grad().toVector<double>() == dy.toVector<double>());
    if (!system.options.fixGamma) CHECK(pair.norm.weight.grad().toVector<double>() == std::vector<double>(3, 0));
    (void)pair.plain.batch(x, dy);  // a variance of 0 without a correction by m/(m-1)
    checkRunning(pair, toleranceF64);
  }
}

TEST_CASE("puzzle and megengine refuse one value a channel before anything changes") {
  for (const auto& preset : {nn::presets::puzzle(), nn::presets::puzzleAsDocumented(), nn::presets::megengine()}) {
    nn::BatchNorm2D norm(3, preset);
    CHECK_THROWS_WITH_AS(norm(Tensor::ones({1, 3, 1, 1})), doctest::Contains("more than 1 value per channel"),
                         ValueError);
    CHECK(norm.numBatchesTracked.item() == 0);
    CHECK(norm.runningVar.toVector<double>() == std::vector<double>(3, 1));
  }
}

TEST_CASE("a fixed scale stays 1 under weight decay, also where it was made to train or written to") {
  for (const auto& preset : {nn::presets::mxnetCpu(), nn::presets::mxnetCudnn()}) {
    for (const bool unfrozen : {false, true}) {
      nn::Sequential net(nn::Linear(4, 3), nn::BatchNorm1D(3, preset));
      auto& norm = dynamic_cast<nn::BatchNorm1D&>(net.child(1));
      if (unfrozen) net.unfreeze();
      optim::SGD sgd(net.namedParameters(), {.lr = 0.5, .weightDecay = 0.1});
      for (int step = 0; step < 4; ++step) {
        const Tensor y = net(filled("x" + std::to_string(step), {6, 4}, DType::F32));
        CHECK(norm.weight.toVector<double>() == std::vector<double>(3, 1));
        sgd.zeroGrad();
        (y * y * y).sum().backward();
        sgd.step();
        CHECK(norm.weight.toVector<double>() == std::vector<double>(3, 1));
      }
      CHECK(norm.bias.toVector<double>() != std::vector<double>(3, 0));
    }
  }
}

TEST_CASE("a preset comes back from its arguments with all its options") {
  for (const System& system : systems()) {
    CAPTURE(std::string(system.name));
    const nn::BatchNormND norm(3, system.options);
    const auto again = nn::BatchNormND::fromArgs(Value::parse(norm.args().dump()));
    CHECK(again.args() == norm.args());
    CHECK(again.options().epsilon == system.rule.epsilon);
    CHECK(again.channelAxis(4) == (system.rule.axis == -1 ? 3 : 1));
    CHECK(again.options().singleValuePolicy == system.options.singleValuePolicy);
    CHECK(again.options().updateStatsOn == system.options.updateStatsOn);
    CHECK(again.options().varEstimator == system.options.varEstimator);
    CHECK(again.options().fixGamma == system.options.fixGamma);
  }
}
