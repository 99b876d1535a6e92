// The running statistics: with what weight, from which estimator, when, and for whom.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/BatchNorm.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/core/Error.h>

#include "support/Draw.h"
#include "support/Near.h"

using namespace ember;
using namespace ember::test;

namespace {

Tensor leaf(const Tensor& t) { return t.clone().setRequiresGrad(); }
Tensor counter() { return Tensor::zeros({}, DType::I64); }

/// Mean and unbiased variance of a column of n values.
struct Batch {
  double mean = 0, var = 0;
};
Batch statisticsOf(const Tensor& x) {
  const Values values = valuesOf(x);
  Batch b;
  const double n = static_cast<double>(values.size());
  for (const double v : values) b.mean += v / n;
  for (const double v : values) b.var += (v - b.mean) * (v - b.mean) / (n - 1);
  return b;
}

/// The weight of the new statistic in batch n, seen from outside: what a mean of 1 leaves of a running mean of 0.
double observedFactor(const BatchNormOptions& options) {
  Tensor rm = Tensor::zeros({1}, DType::F64), rv = Tensor::ones({1}, DType::F64);
  batchNorm(Tensor::of<double>({0, 2}, {2, 1}), {}, {}, rm, rv, options);
  return rm.item();
}

}  // namespace

TEST_CASE("the schedule of factors is 1, 1/2, 1/3, ... with a floor, to the last bit") {
  struct Row {
    std::string name;
    BatchNormOptions options;
    std::vector<double> factors;
  };
  std::vector<double> puzzle, exact, documented, halved;
  for (int n = 1; n <= 14; ++n) {
    puzzle.push_back(std::max(1.0 / n, 0.1));
    exact.push_back(1.0 / n);
    documented.push_back(1 - std::max(1.0 / n, 0.1));
    halved.push_back(std::max(0.5 / n, 0.2));
  }
  const std::vector<Row> rows = {
      {"1 and 0.1 by default", {}, puzzle},
      {"floor 0", {.minFactor = 0.0}, exact},
      {"the old statistic is weighed", {.factorWeighs = FactorWeighs::Old}, documented},
      {"from 0.5 down to 0.2", {.initFactor = 0.5, .minFactor = 0.2}, halved},
      {"factor", {.factor = 0.25}, std::vector<double>(14, 0.25)},
      {"momentum", {.momentum = 0.9}, std::vector<double>(14, 1 - 0.9)},
  };
  CHECK(puzzle[2] == doctest::Approx(0.33333333333333331).epsilon(1e-15));
  for (const Row& row : rows) {
    CAPTURE(row.name);
    BatchNormOptions options = row.options;
    options.batches = counter();
    for (std::size_t n = 0; n < row.factors.size(); ++n) {
      CHECK(std::abs(observedFactor(options) - row.factors[n]) < 1e-15);
      CHECK(options.batches.item() == static_cast<double>(n + 1));
    }
  }
  CHECK(observedFactor({}) == 0.1);
}

TEST_CASE("running statistics over a dozen batches follow the schedule") {
  for (const FactorWeighs weighs : {FactorWeighs::New, FactorWeighs::Old}) {
    const BatchNormOptions options{.factorWeighs = weighs, .batches = counter()};
    Tensor rm = Tensor::full({1}, 0.5, DType::F64), rv = Tensor::full({1}, 3, DType::F64);
    double meanExpected = 0.5, varExpected = 3;
    for (int n = 1; n <= 12; ++n) {
      const Tensor x = draw("batch " + std::to_string(n), {7, 1}, -n, 2.0 * n);
      batchNorm(x, {}, {}, rm, rv, options);
      const Batch b = statisticsOf(x);
      const double a = std::max(1.0 / n, 0.1), f = weighs == FactorWeighs::New ? a : 1 - a;
      meanExpected = (1 - f) * meanExpected + f * b.mean;
      varExpected = (1 - f) * varExpected + f * b.var;
      CHECK(rm.item() == doctest::Approx(meanExpected).epsilon(1e-13));
      CHECK(rv.item() == doctest::Approx(varExpected).epsilon(1e-13));
      // As documented, alpha = 1 keeps all of the old: the first batch leaves the statistics alone.
      if (n == 1) CHECK((rm.item() == 0.5) == (weighs == FactorWeighs::Old));
    }
  }
}

TEST_CASE("initFactor 1 and minFactor 0 give the mean over all batches") {
  const BatchNormOptions options{.minFactor = 0.0, .batches = counter()};
  Tensor rm = Tensor::full({1}, 77, DType::F64), rv = Tensor::full({1}, 77, DType::F64);
  Batch sum;
  for (int n = 1; n <= 9; ++n) {
    const Tensor x = draw("batch " + std::to_string(n), {5, 1}, -n, 3);
    batchNorm(x, {}, {}, rm, rv, options);
    sum.mean += statisticsOf(x).mean / 9;
    sum.var += statisticsOf(x).var / 9;
  }
  CHECK(rm.item() == doctest::Approx(sum.mean).epsilon(1e-13));
  CHECK(rv.item() == doctest::Approx(sum.var).epsilon(1e-13));
}

TEST_CASE("a first factor of 1 discards whatever the statistics were, NaN included") {
  const BatchNormOptions options{.batches = counter()};
  Tensor rm = Tensor::full({1}, std::nan(""), DType::F64), rv = rm.clone();
  const Tensor x = draw("x", {6, 1});
  batchNorm(x, {}, {}, rm, rv, options);
  CHECK(rm.item() == doctest::Approx(statisticsOf(x).mean).epsilon(1e-14));
  CHECK(rv.item() == doctest::Approx(statisticsOf(x).var).epsilon(1e-14));
}

TEST_CASE("the estimator of the running variance is a choice, that of y is not") {
  const Tensor x = draw("x", {3, 1, 2});
  Values first;
  for (const VarEstimator estimator : {VarEstimator::Unbiased, VarEstimator::UnbiasedLocal, VarEstimator::Biased}) {
    Tensor rm = Tensor::zeros({1}, DType::F64), rv = Tensor::ones({1}, DType::F64);
    const BatchNormResult result = batchNorm(x, {}, {}, rm, rv, {.factor = 1.0, .varEstimator = estimator});
    const double unbiased = statisticsOf(x).var;
    CHECK(rv.item() == doctest::Approx(estimator == VarEstimator::Biased ? unbiased * 5 / 6 : unbiased).epsilon(1e-14));
    CHECK(result.var().item() == doctest::Approx(unbiased * 5 / 6).epsilon(1e-14));
    if (first.empty()) first = valuesOf(result.y);
    CHECK(valuesOf(result.y) == first);
  }
}

TEST_CASE("updating in backward: not before it, once a forward, never for a forward without one") {
  for (const bool createGraph : {false, true}) {
    const BatchNormOptions options{.minFactor = 0.25, .batches = counter(), .updateStatsOn = StatsUpdate::Backward};
    Tensor rm = Tensor::zeros({3}, DType::F64), rv = Tensor::ones({3}, DType::F64);
    Tensor sameRm = rm.clone(), sameRv = rv.clone();
    const BatchNormOptions inForward{.minFactor = 0.25, .batches = counter()};
    const Tensor x = leaf(draw("x", {5, 3})), w = leaf(draw("w", {3}));

    const Tensor y = batchNorm(x, w, {}, rm, rv, options);
    CHECK(valuesOf(rm) == Values{0, 0, 0});
    CHECK(options.batches.item() == 0);
    gradients({(y * y).sum()}, {x, w}, {.retainGraph = true, .createGraph = createGraph});
    batchNorm(x, w, {}, sameRm, sameRv, inForward);
    CHECK(sameBits(rm, sameRm));
    CHECK(sameBits(rv, sameRv));
    CHECK(options.batches.item() == 1);
    gradients({(y * y).sum()}, {x}, {.createGraph = createGraph});
    CHECK(sameBits(rm, sameRm));
    CHECK(options.batches.item() == 1);

    {
      const NoGrad guard;
      batchNorm(x, w, {}, rm, rv, options);
    }
    batchNorm(x.detach(), {}, {}, rm, rv, options);  // nothing to differentiate
    batchNorm(x, w, {}, rm, rv, options);            // dropped without a backward
    CHECK(sameBits(rm, sameRm));

    // Two forwards before two backwards: one update each, weighed as they come.
    const Tensor a = batchNorm(x * 2, w, {}, rm, rv, options), b = batchNorm(x * 3, w, {}, rm, rv, options);
    CHECK(sameBits(rm, sameRm));
    gradients({a.sum()}, {w});
    gradients({b.sum()}, {w});
    batchNorm(x * 2, w, {}, sameRm, sameRv, inForward);
    batchNorm(x * 3, w, {}, sameRm, sameRv, inForward);
    CHECK(sameBits(rm, sameRm));
    CHECK(sameBits(rv, sameRv));
    CHECK(options.batches.item() == 3);
  }
}

TEST_CASE("one batch norm applied twice in a graph counts two batches") {
  const BatchNormOptions options{.batches = counter()};
  Tensor rm = Tensor::zeros({3}, DType::F64), rv = Tensor::ones({3}, DType::F64);
  const Tensor x = draw("x", {5, 3});
  batchNorm(batchNorm(x, {}, {}, rm, rv, options), {}, {}, rm, rv, options);
  CHECK(options.batches.item() == 2);
  // The second batch has mean 0 and weight 1/2.
  CHECK(relativeError(rm, 0.5 * mean(x, {0})) < 1e-14);
}

TEST_CASE("factors that contradict each other or are out of range are refused with the reason") {
  const auto run = [](BatchNormOptions options) { batchNorm(draw("x", {4, 3}), {}, {}, {}, {}, options); };
  const Tensor n = counter();
  CHECK_THROWS_WITH_AS(run({.factor = 0.1, .momentum = 0.9}), doctest::Contains("factor and momentum are both given"),
                       ValueError);
  CHECK_THROWS_WITH_AS(run({.momentum = 0.9, .initFactor = 1.0, .batches = n}),
                       doctest::Contains("momentum is given together with initFactor"), ValueError);
  CHECK_THROWS_AS(run({.momentum = 0.9, .minFactor = 0.1, .batches = n}), ValueError);
  CHECK_THROWS_AS(run({.factor = 0.1, .minFactor = 0.1, .batches = n}), ValueError);
  CHECK_THROWS_AS(run({.momentum = 0.9, .factorWeighs = FactorWeighs::Old, .batches = n}), ValueError);
  CHECK_THROWS_WITH_AS(run({.initFactor = 1.0}), doctest::Contains("need the count of batches"), ValueError);
  CHECK_THROWS_AS(run({.factorWeighs = FactorWeighs::Old}), ValueError);
  CHECK_THROWS_AS(run({.batches = Tensor::zeros({}, DType::F32)}), ValueError);
  for (const double bad : {-0.1, 1.1, std::nan("")}) {
    CHECK_THROWS_AS(run({.factor = bad}), ValueError);
    CHECK_THROWS_AS(run({.momentum = bad}), ValueError);
    CHECK_THROWS_AS(run({.minFactor = bad, .batches = n}), ValueError);
  }
  CHECK_THROWS_AS(run({.initFactor = -1.0, .batches = n}), ValueError);
  CHECK(n.item() == 0);
}
