// What the options of batch norm do where they decide on statistics and gradients.
#include <cmath>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <ember/core/comm/InProcess.h>
#include <ember/ember.h>

#include "nn/PlainBatchNorm.h"
#include "support/Draw.h"
#include "support/Golden.h"

using namespace ember;
using namespace ember::test;

namespace {

using Values = std::vector<double>;
using Options = nn::BatchNormNDOptions;
using nn::GlobalStats;

Values valuesOf(const Tensor& t) { return t.toVector<double>(); }
Tensor input(const Shape& shape, const char* name = "input") { return draw(name, shape, -1, 3).to(DType::F32); }

const std::vector<Shape> ranks{{4, 3}, {4, 3, 5}, {2, 3, 4, 4}, {2, 3, 2, 3, 2}};

}  // namespace

TEST_CASE("the four combinations of useGlobalStats and training do what Paddle's table says") {
  const auto run = [](GlobalStats global, bool training) {
    nn::BatchNorm2D norm(3, {.momentum = 0.9, .sscale = 0, .meanInit = 0.5, .varInit = 4, .useGlobalStats = global});
    norm.train(training);
    Tensor x = input({3, 3, 2, 2});
    const Tensor dy = draw("dy", {3, 3, 2, 2}).to(DType::F32), y = norm(x.setRequiresGrad());
    y.backward({.gradient = dy});
    // Whether the statistics of the batch were used: the gradient then sums to 0 a channel.
    const bool batch = std::abs(valuesOf(x.grad().sum({0, 2, 3}))[0]) < 1e-5;
    const bool running = std::abs(valuesOf(y)[0] - (valuesOf(x)[0] - 0.5) / std::sqrt(4 + 1e-5)) < 1e-5;
    CHECK(batch != running);
    return std::pair(batch, norm.numBatchesTracked.item() == 1);
  };
  using Used = std::pair<bool, bool>;  // the batch's statistics, an update
  CHECK((run(GlobalStats::Auto, true) == Used(true, true)));
  CHECK((run(GlobalStats::Auto, false) == Used(false, false)));
  CHECK((run(GlobalStats::True, true) == Used(false, false)));
  CHECK((run(GlobalStats::True, false) == Used(false, false)));
  CHECK((run(GlobalStats::False, true) == Used(true, true)));
  CHECK((run(GlobalStats::False, false) == Used(true, true)));  // and the backward is that of the batch
}

TEST_CASE("trainableStatistics gives in evaluation what training gives, and updates") {
  nn::BatchNorm2D training(3, {.sscale = 0}), evaluation(3, {.sscale = 0, .trainableStatistics = true});
  evaluation.eval();
  const Tensor x = input({3, 3, 2, 2});
  CHECK(sameBits(training(x), evaluation(x)));
  CHECK(sameBits(training.runningVar, evaluation.runningVar));
  CHECK(evaluation.numBatchesTracked.item() == 1);
}

TEST_CASE("trackRunningStats off: no buffers and the batch in both modes; turned off later: buffers that stay") {
  nn::BatchNorm1D without(3, {.trackRunningStats = false});
  CHECK(without.namedBuffers().empty());
  const Tensor x = input({6, 3});
  const Tensor y = without(x);
  without.eval();
  CHECK(sameBits(without(x), y));
  CHECK_THROWS_WITH_AS(without.setTrackRunningStats(true), doctest::Contains("was built with"), StateError);
  CHECK_THROWS_AS(without.setFreeze(true), ValueError);
  CHECK_THROWS_AS(without.inferenceScale(), StateError);

  nn::BatchNorm1D norm(3);
  norm(x);
  const Tensor mean = norm.runningMean.clone(), var = norm.runningVar.clone();
  norm.setTrackRunningStats(false);
  const Tensor other = input({5, 3}, "other"), inTraining = norm(other);
  norm.eval();
  CHECK(sameBits(norm(other), inTraining));  // the batch's statistics, not the buffers
  CHECK(sameBits(norm.runningMean, mean));
  CHECK(sameBits(norm.runningVar, var));
  CHECK(norm.numBatchesTracked.item() == 1);
  CHECK_THROWS_AS(norm.setFreeze(true), ValueError);
  const auto again = nn::BatchNorm1D::fromArgs(Value::parse(norm.args().dump()));
  CHECK(again.args() == norm.args());
  CHECK(sameBits((*norm.clone())(other), inTraining));
  norm.setTrackRunningStats(true);
  CHECK_FALSE(sameBits(norm(other), inTraining));
}

TEST_CASE("setFreeze holds statistics and parameters in every rank and mode, and lets them go again") {
  for (const Shape& shape : ranks) {
    for (const bool training : {true, false}) {
      nn::BatchNormND norm(3, {.sscale = 0});
      const Tensor x = input(shape);
      norm(x);
      const Tensor mean = norm.runningMean.clone(), weight = norm.weight.clone(), bias = norm.bias.clone();
      norm.setFreeze(true);
      CHECK_FALSE(norm.weight.requiresGrad());
      CHECK_FALSE(norm.bias.requiresGrad());
      norm.train(training);
      optim::SGD sgd(norm.namedParameters(), {.lr = 1, .weightDecay = 0.1});
      Tensor leaf = x.clone();
      const Tensor y = norm(leaf.setRequiresGrad());
      (y * y).sum().backward();
      sgd.step();
      CHECK(leaf.grad().defined());
      CHECK(sameBits(norm.weight, weight));
      CHECK(sameBits(norm.bias, bias));
      CHECK(sameBits(norm.runningMean, mean));
      CHECK(norm.numBatchesTracked.item() == 1);
      norm.setFreeze(false);
      norm.train();
      (norm(x) * norm(x)).sum().backward();
      sgd.step();
      CHECK_FALSE(sameBits(norm.bias, bias));
      CHECK(norm.numBatchesTracked.item() == 3);
    }
  }
  nn::BatchNorm1D fixed(3, {.paramAttr = nn::ParamAttr{.trainable = false}});
  fixed.setFreeze(true);
  fixed.setFreeze(false);
  CHECK_FALSE(fixed.weight.requiresGrad());  // as it was built
  CHECK(fixed.bias.requiresGrad());

  nn::BatchNorm1D norm(3, {.trainableStatistics = true});
  CHECK_THROWS_AS(norm.setFreeze(true), ValueError);
  CHECK(norm.weight.requiresGrad());
  norm(input({4, 3}));
  CHECK(norm.numBatchesTracked.item() == 1);
}

TEST_CASE("outputMeanVar: a call with Tensors gives y, mean and invstd as they were used, outside the graph") {
  nn::BatchNorm2D norm(3, {.sscale = 0, .outputMeanVar = true});
  PlainBatchNorm plain({.weight = [](i64) { return 1; }}, Values(3, 1), Values(3, 0));
  Tensor x = input({3, 3, 2, 2});
  for (const bool training : {true, false}) {
    norm.train(training);
    const Tensors outputs = norm(Tensors{x.setRequiresGrad()});
    REQUIRE(outputs.size() == 3);
    const auto expected = training ? plain.batch(x, x) : plain.fixed(x, x);
    CHECK_CLOSE(outputs[0], expected.y, toleranceF32, "y");
    CHECK_CLOSE(outputs[1], expected.mean, toleranceF32, "mean");
    CHECK_CLOSE(outputs[2], expected.invstd, toleranceF32, "invstd");
    CHECK(outputs[0].requiresGrad());
    CHECK_FALSE(outputs[1].requiresGrad());
    CHECK_FALSE(outputs[2].requiresGrad());
  }
  CHECK_THROWS_AS(norm(x), StateError);  // three tensors where one was expected
  CHECK(nn::BatchNorm2D(3)(Tensors{x}).size() == 1);
}

TEST_CASE("one value a channel: each policy does what it says and never makes a NaN") {
  const Tensor x = Tensor::of({5.0, -2.0, 3.0}).reshape({1, 3});
  const auto make = [](nn::SingleValue policy) {
    return nn::BatchNorm1D(3, {.biasInit = Tensor::of({1, 2, 3}), .singleValuePolicy = policy});
  };
  nn::BatchNorm1D error = make(nn::SingleValue::Error), zero = make(nn::SingleValue::Zero),
                  through = make(nn::SingleValue::PassThrough);
  CHECK_THROWS_WITH_AS(error(x), doctest::Contains("choose a singleValuePolicy"), ValueError);
  CHECK(error.numBatchesTracked.item() == 0);
  error.eval();
  CHECK(std::isfinite(valuesOf(error(x))[0]));  // one sample is fine in evaluation
  CHECK(valuesOf(zero(x)) == Values{1, 2, 3});
  CHECK(valuesOf(zero.runningMean) == Values{5, -2, 3});
  CHECK(valuesOf(zero.runningVar) == Values(3, 0));
  CHECK(sameBits(through(x), x));
  CHECK(valuesOf(through.runningVar) == Values(3, 1));
  CHECK(through.numBatchesTracked.item() == 0);
}

TEST_CASE("the empty batch is empty in every mode and moves nothing") {
  nn::BatchNorm2D norm(3);
  for (const bool training : {true, false}) {
    norm.train(training);
    for (const Shape& shape : {Shape{0, 3, 2, 2}, Shape{4, 3, 0, 2}}) {
      Tensor x = Tensor::zeros(shape);
      const Tensor y = norm(x.setRequiresGrad());
      CHECK((y.shape() == shape));
      y.sum().backward();
      CHECK(valuesOf(norm.weight.grad()) == Values(3, 0));
      CHECK(valuesOf(norm.bias.grad()) == Values(3, 0));
    }
  }
  CHECK(norm.numBatchesTracked.item() == 0);
  CHECK(valuesOf(norm.runningVar) == Values(3, 1));
}

TEST_CASE("a layer with an activation is the layer and the activation behind it, to the bit on the reference") {
  for (const auto backend : {nn::BatchNormBackend::Reference, nn::BatchNormBackend::Auto}) {
    for (const auto act : {nn::Act::ReLU, nn::Act::LeakyReLU}) {
      nn::BatchNorm2D fused(3, {.sscale = 0, .act = act, .slope = 0.2, .backend = backend});
      nn::BatchNorm2D plain(3, {.sscale = 0, .backend = backend});
      Tensor a = input({3, 3, 4, 2}), b = a.clone();
      const Tensor y = fused(a.setRequiresGrad()), z = plain(b.setRequiresGrad());
      const Tensor separate = act == nn::Act::ReLU ? relu(z) : leakyRelu(z, 0.2);
      const Tensor dy = draw("dy", y.shape()).to(DType::F32);
      y.backward({.gradient = dy});
      separate.backward({.gradient = dy});
      const Tolerance tolerance = backend == nn::BatchNormBackend::Reference ? Tolerance{0, 0} : toleranceF32;
      CHECK_CLOSE(y, separate, tolerance, "y");
      CHECK_CLOSE(a.grad(), b.grad(), tolerance, "dx");
      CHECK_CLOSE(fused.weight.grad(), plain.weight.grad(), tolerance, "dgamma");
    }
  }
}

TEST_CASE("a sync group is set after construction, goes along with a clone, and leaves the file alone") {
  nn::BatchNorm1D norm(3);
  const auto before = norm.args();
  norm.setSyncGroup(inProcess(1)[0]);
  CHECK(norm.options().syncGroup != nullptr);
  CHECK(norm.args() == before);
  CHECK(norm.details() == "3, synchronised");
  const auto copy = norm.clone();
  CHECK(dynamic_cast<nn::BatchNorm1D&>(*copy).options().syncGroup == norm.options().syncGroup);
  CHECK((*copy)(input({4, 3})).rank() == 2);
  CHECK_THROWS_AS(norm.setFreeze(true), ValueError);
  norm.setSyncGroup(nullptr);
  norm.setFreeze(true);
  CHECK_THROWS_AS(norm.setSyncGroup(inProcess(1)[0]), ValueError);
  CHECK(norm.options().syncGroup == nullptr);
}
