#include <ember/nn/layers/BatchNormND.h>

#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ember/autograd/ops/Arithmetic.h>
#include <ember/core/Error.h>
#include <ember/core/Random.h>

using namespace ember;

namespace {

using Values = std::vector<double>;

Tensor draw(const Shape& shape, u64 stream, double mean = 0, double std = 1) {
  Values values;
  for (i64 i = 0; i < numel(shape); ++i)
    values.push_back(mean + std * random::normal({13, stream, 0}, static_cast<u64>(i)));
  return Tensor::of<double>(values, shape).to(DType::F32);
}

Values valuesOf(const Tensor& t) { return t.toVector<double>(); }

/// Mean and unbiased variance of each channel of [N, C, inner...], by the definition.
std::pair<Values, Values> statistics(const Tensor& x) {
  const i64 n = x.size(0), channels = x.size(1), inner = x.numel() / (n * channels);
  const Values values = valuesOf(x);
  Values means, vars;
  for (i64 c = 0; c < channels; ++c) {
    double sum = 0, squares = 0;
    const auto each = [&](auto&& f) {
      for (i64 i = 0; i < n; ++i) {
        for (i64 k = 0; k < inner; ++k) f(values[static_cast<std::size_t>((i * channels + c) * inner + k)]);
      }
    };
    const double m = static_cast<double>(n * inner);
    each([&](double v) { sum += v; });
    each([&](double v) { squares += (v - sum / m) * (v - sum / m); });
    means.push_back(sum / m);
    vars.push_back(squares / (m - 1));
  }
  return {means, vars};
}

}  // namespace

TEST_CASE("the running statistics follow initFactor and minFactor over the batches") {
  struct Schedule {
    nn::BatchNormNDOptions options;
    Values factors;
  };
  const Schedule schedules[] = {
      {{}, {1, 1 / 2.0, 1 / 3.0, 1 / 4.0, 1 / 5.0, 1 / 6.0, 1 / 7.0, 1 / 8.0, 1 / 9.0, 0.1, 0.1, 0.1}},
      {{.minFactor = 0.0},
       {1, 1 / 2.0, 1 / 3.0, 1 / 4.0, 1 / 5.0, 1 / 6.0, 1 / 7.0, 1 / 8.0, 1 / 9.0, 1 / 10.0, 1 / 11.0}},
      {{.initFactor = 0.5, .minFactor = 0.2}, {0.5, 0.25, 0.2, 0.2}},
      {{.momentum = 0.9}, {1 - 0.9, 1 - 0.9, 1 - 0.9}},
      {{.factorWeighs = nn::FactorWeighs::Old}, {0, 1 / 2.0, 2 / 3.0, 3 / 4.0}},
  };
  for (const Schedule& schedule : schedules) {
    nn::BatchNorm2D norm(3, schedule.options);
    norm.to(DType::F64);
    Values rm(3, 0), rv(3, 1);
    for (std::size_t k = 0; k < schedule.factors.size(); ++k) {
      const Tensor x = draw({4, 3, 5, 5}, k, static_cast<double>(k), 2).to(DType::F64);
      norm(x);
      const auto [mean, var] = statistics(x);
      const double f = schedule.factors[k];
      const Values actualMean = valuesOf(norm.runningMean), actualVar = valuesOf(norm.runningVar);
      for (std::size_t c = 0; c < 3; ++c) {
        rm[c] = (1 - f) * rm[c] + f * mean[c];
        rv[c] = (1 - f) * rv[c] + f * var[c];
        CHECK(actualMean[c] == doctest::Approx(rm[c]).epsilon(1e-12));
        CHECK(actualVar[c] == doctest::Approx(rv[c]).epsilon(1e-12));
      }
      CHECK(norm.numBatchesTracked.item() == static_cast<double>(k + 1));
    }
  }
}

TEST_CASE("without a floor the factors give the plain mean over all batches") {
  nn::BatchNorm1D norm(2, {.minFactor = 0.0});
  norm.to(DType::F64);
  Values sum(2, 0);
  for (u64 k = 0; k < 20; ++k) {
    const Tensor x = draw({6, 2}, k, 3).to(DType::F64);
    norm(x);
    const Values mean = statistics(x).first;
    for (std::size_t c = 0; c < 2; ++c) sum[c] += mean[c];
  }
  for (std::size_t c = 0; c < 2; ++c)
    CHECK(valuesOf(norm.runningMean)[c] == doctest::Approx(sum[c] / 20).epsilon(1e-12));
}

TEST_CASE("eval leaves the state bit for bit, twice the same") {
  nn::BatchNorm2D norm(4, {.act = nn::Act::ReLU});
  norm(draw({8, 4, 6, 6}, 1, 2));
  norm.eval();
  std::vector<Values> before;
  for (const auto& b : norm.namedBuffers()) before.push_back(valuesOf(b.tensor));
  const Tensor x = draw({3, 4, 6, 6}, 2);
  CHECK(valuesOf(norm(x)) == valuesOf(norm(x)));
  std::size_t i = 0;
  for (const auto& b : norm.namedBuffers()) CHECK(valuesOf(b.tensor) == before[i++]);
}

TEST_CASE("training output has mean beta and deviation gamma, also at a mean of 1e4 deviations") {
  nn::BatchNorm2D norm(3, {.epsilon = 0, .sscale = 0});
  const Tensor y = norm(draw({16, 3, 20, 20}, 1, 1e4, 1));
  const auto [mean, var] = statistics(y);
  for (std::size_t c = 0; c < 3; ++c) {
    CHECK(std::abs(mean[c]) < 1e-6);     // f32 rounding of 6400 values
    CHECK(std::abs(var[c] - 1) < 1e-3);  // m/(m-1) and the same rounding
  }
  // The reference rounds x to f32 first, as the layer saw it.
  CHECK(valuesOf(norm.runningMean)[0] == doctest::Approx(1e4).epsilon(1e-4));
}

TEST_CASE("the state has PyTorch's names, and the scale starts around one") {
  ember::seed(3);
  nn::BatchNorm2D norm(400);
  std::vector<std::string> names;
  for (const auto& p : norm.namedParameters()) names.push_back(p.name);
  for (const auto& b : norm.namedBuffers()) names.push_back(b.name);
  CHECK(names == std::vector<std::string>{"weight", "bias", "running_mean", "running_var", "num_batches_tracked"});
  double sum = 0, squares = 0;
  for (const double w : valuesOf(norm.weight)) sum += w, squares += (w - 1) * (w - 1);
  CHECK(std::abs(sum / 400 - 1) < 0.002);                                  // 4 sigma of 0.01/sqrt(400)
  CHECK(std::sqrt(squares / 400) == doctest::Approx(0.01).epsilon(0.15));  // 4 sigma of 1/sqrt(800)
  CHECK(valuesOf(nn::BatchNorm2D(5, {.sscale = 0}).weight) == Values(5, 1));
  CHECK(valuesOf(norm.bias) == Values(400, 0));
  CHECK(norm.numBatchesTracked.dtype() == DType::I64);
}

TEST_CASE("scale, shift and statistics exist as the options say") {
  const auto count = [](const nn::BatchNormNDOptions& o) {
    nn::BatchNorm1D norm(3, o);
    norm(draw({4, 3}, 1));
    return std::pair(norm.namedParameters().size(), norm.namedBuffers().size());
  };
  CHECK((count({}) == std::pair<std::size_t, std::size_t>(2, 3)));
  CHECK((count({.affine = false}) == std::pair<std::size_t, std::size_t>(0, 3)));
  CHECK((count({.useShift = false}) == std::pair<std::size_t, std::size_t>(1, 3)));
  CHECK((count({.affine = false, .useShift = true}) == std::pair<std::size_t, std::size_t>(1, 3)));
  CHECK((count({.trackRunningStats = false}) == std::pair<std::size_t, std::size_t>(2, 0)));

  nn::BatchNorm1D fixed(3, {.fixGamma = true});
  CHECK(valuesOf(fixed.weight) == Values(3, 1));
  CHECK_FALSE(fixed.weight.requiresGrad());
  CHECK(nn::BatchNorm1D(3, {.isTest = true}).training() == false);
}

TEST_CASE("a frozen layer normalises with its statistics in every rank and mode, and stays as it is") {
  for (const Shape& shape : {Shape{4, 3}, Shape{4, 3, 5}, Shape{2, 3, 4, 4}, Shape{2, 3, 2, 3, 2}}) {
    nn::BatchNormND norm(3, {.sscale = 0, .freeze = true});
    const Tensor x = draw(shape, 1, 1).setRequiresGrad();
    const Tensor y = norm(x);
    y.sum().backward();
    const double is = 1 / std::sqrt(1 + 1e-5);  // statistics 0 and 1
    for (std::size_t i = 0; i < static_cast<std::size_t>(y.numel()); ++i) {
      CHECK(valuesOf(y)[i] == doctest::Approx(valuesOf(x)[i] * is).epsilon(1e-6));
      CHECK(valuesOf(x.grad())[i] == doctest::Approx(is).epsilon(1e-6));
    }
    CHECK_FALSE(norm.weight.grad().defined());
    CHECK(norm.numBatchesTracked.item() == 0);
  }
}

TEST_CASE("a batch that throws is no batch") {
  nn::BatchNorm2D norm(3);
  norm(draw({4, 3, 2, 2}, 1));
  const Values mean = valuesOf(norm.runningMean);
  CHECK_THROWS_WITH_AS(norm(draw({4, 5, 2, 2}, 1)),
                       doctest::Contains("[BatchNorm2D] ShapeError: input has 5 channels, the layer expects 3"),
                       ShapeError);
  CHECK_THROWS_WITH_AS(norm(draw({4, 3}, 1)),
                       doctest::Contains("[BatchNorm2D] ShapeError: expected [N, C, H, W], got [4, 3]"), ShapeError);
  CHECK_THROWS_WITH_AS(norm(draw({4, 3}, 1)), doctest::Contains("use BatchNorm1D"), ShapeError);
  CHECK_THROWS_AS(norm(draw({1, 3, 1, 1}, 1)), ValueError);
  norm(Tensor::empty({0, 3, 2, 2}));
  norm(Tensor::shapeOnly({4, 3, 2, 2}));
  CHECK(valuesOf(norm.runningMean) == mean);
  CHECK(norm.numBatchesTracked.item() == 1);
  CHECK_THROWS_WITH_AS(nn::BatchNorm1D(3)(draw({4, 3, 2, 2}, 1)),
                       doctest::Contains("expected [N, C] or [N, C, L], got [4, 3, 2, 2]"), ShapeError);
  CHECK_THROWS_AS(nn::BatchNorm3D(3)(draw({4, 3, 2, 2}, 1)), ShapeError);
}

TEST_CASE("options that contradict each other are refused with the reason") {
  const auto make = [](const nn::BatchNormNDOptions& o) { nn::BatchNorm2D norm(3, o); };
  CHECK_THROWS_WITH_AS(make({.initFactor = 1.0, .momentum = 0.9}),
                       doctest::Contains("[BatchNorm2D] ValueError: momentum is given together with initFactor"),
                       ValueError);
  CHECK_THROWS_AS(make({.minFactor = 0.1, .momentum = 0.9}), ValueError);
  CHECK_THROWS_AS(make({.factorWeighs = nn::FactorWeighs::Old, .momentum = 0.9}), ValueError);
  CHECK_THROWS_AS(make({.epsilon = -1e-5}), ValueError);
  CHECK_THROWS_AS(make({.epsilon = std::nan("")}), ValueError);
  CHECK_THROWS_AS(make({.minFactor = 1.5}), ValueError);
  CHECK_THROWS_AS(make({.momentum = -0.1}), ValueError);
  CHECK_THROWS_AS(make({.sscale = -1}), ValueError);
  CHECK_THROWS_AS(make({.affine = false, .fixGamma = true}), ValueError);
  CHECK_THROWS_AS(make({.trainableStatistics = true, .freeze = true}), ValueError);
  CHECK_THROWS_AS(make({.trackRunningStats = false, .freeze = true}), ValueError);
  CHECK_THROWS_AS(make({.useGlobalStats = GlobalStats::True, .trackRunningStats = false}), ValueError);
  CHECK_THROWS_AS(make({.channelAxis = 5}), ValueError);
  CHECK_THROWS_AS(nn::BatchNorm2D(-1), ValueError);
}

TEST_CASE("arguments rebuild an equal layer") {
  const nn::BatchNormNDOptions all[] = {
      {},
      {.epsilon = 1e-3,
       .initFactor = 0.5,
       .minFactor = 0.05,
       .factorWeighs = nn::FactorWeighs::Old,
       .varEstimator = VarEstimator::Biased,
       .useShift = false,
       .fixGamma = true,
       .sscale = 0,
       .act = nn::Act::LeakyReLU,
       .slope = 0.2,
       .channelAxis = -1,
       .isTest = true},
      {.momentum = 0.99,
       .affine = false,
       .useGlobalStats = GlobalStats::False,
       .trainableStatistics = true,
       .inplace = true},
      {.useGlobalStats = GlobalStats::True, .freeze = true},
      {.trackRunningStats = false},
  };
  for (const auto& options : all) {
    const nn::BatchNorm3D norm(7, options);
    const nn::Args args = Value::parse(norm.args().dump());
    const nn::BatchNorm3D again = nn::BatchNorm3D::fromArgs(args);
    CHECK(again.args().dump() == norm.args().dump());
    CHECK(again.details() == norm.details());
    CHECK(again.training() == norm.training());
    CHECK(again.namedParameters().size() == norm.namedParameters().size());
  }
  CHECK_THROWS_AS(nn::BatchNorm3D::fromArgs({{"maps", 3}, {"act", "swish"}}), ValueError);
}

TEST_CASE("resetting forgets the batches and draws the scale anew") {
  nn::BatchNorm1D norm(8);
  norm(draw({4, 8}, 1, 5));
  const Values scale = valuesOf(norm.weight);
  norm.resetRunningStats();
  CHECK(valuesOf(norm.runningMean) == Values(8, 0));
  CHECK(valuesOf(norm.runningVar) == Values(8, 1));
  CHECK(norm.numBatchesTracked.item() == 0);
  CHECK(valuesOf(norm.weight) == scale);
  norm.resetParameters();
  CHECK(valuesOf(norm.weight) != scale);
}

TEST_CASE("one layer twice in a net counts two batches") {
  nn::BatchNorm1D norm(3);
  const Tensor x = draw({5, 3}, 1).setRequiresGrad();
  norm(norm(x)).sum().backward();
  CHECK(norm.numBatchesTracked.item() == 2);
  CHECK(x.grad().defined());
}

TEST_CASE("an in-place layer in a residual block names itself and the reader") {
  struct Block : nn::Module {
    nn::BatchNorm2D& norm = add("norm", nn::BatchNorm2D(3, {.act = nn::Act::LeakyReLU, .inplace = true}));
    using nn::Module::forward;
    Tensor forward(const Tensor& x) override {
      const Tensor c = x * 2;
      return norm(c) + c;  // wrong: c is what norm has overwritten
    }
  };
  Block block;
  const Tensor x = draw({4, 3, 2, 2}, 1).setRequiresGrad();
  std::string text;
  try {
    block(x);
  } catch (const StateError& error) {
    text = error.what();
  }
  CHECK(text.find("[add] StateError: operand 1 was overwritten in place by batchNorm") == 0);
  CHECK(text.find("norm (BatchNorm2D)") != std::string::npos);
}
