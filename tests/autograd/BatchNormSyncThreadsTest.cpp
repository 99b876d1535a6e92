// Batch norm over ranks that are threads: any split of a batch gives what the whole batch gives.
#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/BatchNorm.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/Error.h>
#include <ember/core/Random.h>
#include <ember/core/comm/InProcess.h>

#include "autograd/BatchNormSync.h"
#include "support/Draw.h"
#include "support/Near.h"

using namespace ember;
using namespace ember::test;
using namespace ember::test::batchnorm;

namespace {

/// `ranks` random shares of n samples, some of them empty: cuts 0 <= ... <= n.
std::vector<i64> randomCuts(int ranks, i64 n, u64 trial) {
  std::vector<i64> cuts{0};
  for (int r = 1; r < ranks; ++r) {
    const random::Key key{31, trial, 0};
    cuts.push_back(static_cast<i64>(random::below(key, static_cast<u64>(r), static_cast<u64>(n + 1))));
  }
  cuts.push_back(n);
  std::sort(cuts.begin(), cuts.end());
  if (ranks > 2 && trial % 2 == 0) cuts[1] = cuts[2];  // an empty rank for certain
  return cuts;
}

std::string text(const std::vector<i64>& cuts) {
  std::string s;
  for (const i64 c : cuts) s += std::to_string(c) + " ";
  return s;
}

}  // namespace

TEST_CASE("random splits over one to four ranks, empty ranks included, equal the whole batch") {
  for (const DType dtype : {DType::F32, DType::F64}) {
    for (const double mean : {0.0, 1e4}) {
      const i64 n = 13;
      const Data data(n, mean, dtype);
      const Outcome whole = run(data, 0, n, {});
      for (int ranks = 1; ranks <= 4; ++ranks) {
        for (u64 trial = 0; trial < 4; ++trial) {
          const std::vector<i64> cuts = randomCuts(ranks, n, trial);
          CAPTURE(text(cuts));
          CAPTURE(mean);
          // f32: acceptance of reliability.md 6.4; the mean stays f64 until it is subtracted. f64: at a mean of 1e4 the
          // mean itself carries 1e4 · 1e-16, so 1e-12 of y.
          checkEqualsWhole(onRanks(data, cuts), whole, dtype == DType::F32 ? 1e-6 : 1e-11);
          if (mean == 0 && dtype == DType::F64) checkEqualsWhole(onRanks(data, cuts), whole, 1e-12);
        }
      }
    }
  }
}

TEST_CASE("activations, every estimator and the reference kernels are split as exactly") {
  const Data data(11, 3, DType::F64);
  for (BatchNormOptions options :
       {BatchNormOptions{.act = Act::ReLU}, BatchNormOptions{.act = Act::LeakyReLU},
        BatchNormOptions{.varEstimator = VarEstimator::Biased}, BatchNormOptions{.epsilon = 4, .epsMode = EpsMode::Max},
        BatchNormOptions{.channelAxis = 1, .backend = BatchNormBackend::Reference},
        BatchNormOptions{.updateStatsOn = StatsUpdate::Backward}}) {
    const Outcome whole = run(data, 0, 11, options);
    checkEqualsWhole(onRanks(data, {0, 4, 4, 9, 11}, options), whole, 1e-12);
  }
}

TEST_CASE("bf16 data and statistics an element are shared likewise") {
  const Tensor x = draw("x", {9, 3, 2}), w = draw("w", {3, 2}, 0.5, 1.5);
  const Tensor coarse = x.to(DType::BF16);
  const Tensor whole = batchNorm(x, w, {}, {}, {}, {.paramDim = ParamDim::PerActivation});
  const Tensor wholeCoarse = batchNorm(coarse);
  std::atomic<int> good = 0;
  runRanks(3, [&](Comm c) {
    const i64 begin = c->rank() * 4, end = std::min<i64>(begin + 4, 9);
    const auto mine = [&](const Tensor& t) { return slice(t, 0, begin, end); };
    const Tensor y = batchNorm(mine(x), w, {}, {}, {}, {.paramDim = ParamDim::PerActivation, .syncGroup = c});
    if (relativeError(y, mine(whole)) < 1e-13) ++good;
    // f64 statistics of the same numbers: at most the last bit of bf16 differs.
    if (relativeError(batchNorm(mine(coarse), {}, {}, {}, {}, {.syncGroup = c}), mine(wholeCoarse)) < 4e-3) ++good;
  });
  CHECK(good == 6);
}

TEST_CASE("groups normalise their own samples, in the order in which their ranks are listed") {
  const Data data(12, 1e4, DType::F32);
  const std::vector<i64> cuts{0, 5, 5, 9, 12};
  const std::vector<std::vector<std::vector<int>>> partitions = {
      {{0, 1}, {2, 3}}, {{0, 1, 2, 3}}, {{0, 3}, {1, 2}}, {{3, 0, 2}, {1}}, {{0}, {1}, {2}, {3}}};
  for (const auto& groups : partitions) {
    std::vector<Outcome> outcomes(4);
    runRanks(4, [&](Comm c) {
      const auto r = static_cast<std::size_t>(c->rank());
      outcomes[r] = run(data, cuts[r], cuts[r + 1], {.syncGroup = c->split(groups)});
    });
    for (const std::vector<int>& group : groups) {
      std::vector<Outcome> members;
      Data own(0, 0, DType::F32);
      std::vector<Tensor> xs, dys;
      for (const int rank : group) {
        const auto r = static_cast<std::size_t>(rank);
        members.push_back(outcomes[r]);
        xs.push_back(slice(data.x, 0, cuts[r], cuts[r + 1]));
        dys.push_back(slice(data.dy, 0, cuts[r], cuts[r + 1]));
      }
      own.x = concat(xs, 0);
      own.dy = concat(dys, 0);
      own.gamma = data.gamma;
      own.beta = data.beta;
      if (own.x.size(0) == 0) {
        CHECK(members.front().y.numel() == 0);
        CHECK(valuesOf(members.front().rv) == Values{1, 1, 1});
        continue;
      }
      // Group {0, 3} and the like have half the samples: the same bound.
      checkEqualsWhole(members, run(own, 0, own.x.size(0), {}), 1e-6);
    }
  }
}

TEST_CASE("UnbiasedLocal corrects by the count of its own rank") {
  const Data data(10, 0, DType::F64);
  const std::vector<i64> cuts{0, 1, 1, 4, 10};
  const Outcome whole = run(data, 0, 10, {.varEstimator = VarEstimator::Biased});
  const std::vector<Outcome> ranks = onRanks(data, cuts, {.varEstimator = VarEstimator::UnbiasedLocal});
  for (std::size_t r = 0; r < ranks.size(); ++r) {
    const double m = 4.0 * static_cast<double>(cuts[r + 1] - cuts[r]);
    CHECK(relativeError(ranks[r].rv, whole.rv * (m > 1 ? m / (m - 1) : 1)) < 1e-13);
  }
}

TEST_CASE("a second backward gives the first one's gradients") {
  const Data data(9, 2, DType::F64);
  std::atomic<int> equal = 0;
  runRanks(3, [&](Comm c) {
    const i64 begin = 3 * c->rank();
    const Tensor x = leaf(slice(data.x, 0, begin, begin + 3)), w = leaf(data.gamma);
    const Tensor y = batchNorm(x, w, {}, {}, {}, {.syncGroup = c});
    const Tensor dy = slice(data.dy, 0, begin, begin + 3).clone();
    const Tensors first = gradients({y}, {x, w}, {.retainGraph = true}, {dy});
    const Tensors again = gradients({y}, {x, w}, {}, {dy});
    if (sameBits(first[0], again[0]) && sameBits(first[1], again[1])) ++equal;
  });
  CHECK(equal == 3);
}

TEST_CASE("second derivatives through shared statistics equal those of the whole batch") {
  for (const Act act : {Act::None, Act::LeakyReLU}) {
    const Data data(7, 1, DType::F64);
    const BatchNormOptions options{.act = act, .slope = 0.3};
    const Outcome whole = run(data, 0, 7, options, true);
    for (const std::vector<i64>& cuts : {std::vector<i64>{0, 7}, {0, 3, 7}, {0, 2, 2, 7}, {0, 1, 3, 6, 7}}) {
      const std::vector<Outcome> ranks = onRanks(data, cuts, options, true);
      checkEqualsWhole(ranks, whole, 1e-12);
      CHECK(error(joined(ranks, &Outcome::second), whole.second) < 1e-11);  // larger terms cancel
    }
  }
}
