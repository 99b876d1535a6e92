// What batch norm gives back beside y, and that an error leaves everything as it was.
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/BatchNorm.h>
#include <ember/core/Error.h>

#include "support/Draw.h"
#include "support/Headline.h"
#include "support/Near.h"

using namespace ember;
using namespace ember::test;

namespace {

Tensor leaf(const Tensor& t) { return t.clone().setRequiresGrad(); }

}  // namespace

TEST_CASE("the result is a Tensor, or y, mean and invstd by name, the latter outside the graph") {
  const Tensor x = leaf(draw("x", {6, 3})), w = leaf(draw("w", {3}, 0.5, 1.5));
  const Tensor y = batchNorm(x, w);
  const BatchNormResult result = batchNorm(x, w);
  auto [named, mean, invstd] = batchNorm(x, w);
  static_assert(std::tuple_size_v<BatchNormResult> == 3);
  CHECK(sameBits(named, y));
  CHECK(sameBits(result.y, y));
  CHECK(sameBits(result.mean(), mean));
  CHECK(sameBits(result.invstd(), invstd));
  CHECK(relativeError(invstd * invstd * (result.var() + 1e-5), Values{1, 1, 1}) < 1e-15);
  CHECK(named.requiresGrad());
  for (const Tensor& each : {mean, invstd, result.var()}) {
    CHECK_FALSE(each.requiresGrad());
    CHECK(each.isLeaf());
    CHECK((each.shape() == Shape{3}));
  }
  // Under the running statistics they are those, as used.
  const Tensor rm = draw("rm", {3}), rv = draw("rv", {3}, 0.5, 2);
  const BatchNormResult eval = batchNorm(x, w, {}, rm, rv, {.training = false});
  CHECK(sameBits(eval.mean(), rm));
  CHECK(sameBits(eval.var(), rv));
  CHECK(eval.mean().array().storage() != rm.array().storage());
}

TEST_CASE("what is done to the mean and invstd of the result does not reach the backward") {
  for (const DType dtype : {DType::F32, DType::F64}) {
    const Tensor x = leaf(draw("x", {6, 3}).to(dtype)), w = leaf(draw("w", {3}, 0.5, 1.5).to(dtype));
    const Tensor dy = draw("dy", {6, 3}).to(dtype);
    const BatchNormResult result = batchNorm(x, w);
    const Tensors expected = gradients({result.y}, {x, w}, {.retainGraph = true}, {dy});
    for (Tensor each : {result.mean(), result.invstd(), result.var()}) each.fill_(7);
    const Tensors later = gradients({result.y}, {x, w}, {}, {dy});
    for (std::size_t i = 0; i < 2; ++i) CHECK(sameBits(later[i], expected[i]));
  }
}

TEST_CASE("NaN or infinity in the input is an error in anomaly mode, and nothing has changed") {
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    for (const DType dtype : {DType::F32, DType::F64}) {
      for (const bool training : {true, false}) {
        Tensor rm = draw("rm", {3}).to(dtype).clone(), rv = draw("rv", {3}, 0.5, 2).to(dtype).clone();
        const Tensor w = leaf(draw("w", {3}).to(dtype)), wBefore = w.clone();
        const Tensor rmBefore = rm.clone(), rvBefore = rv.clone(), n = Tensor::zeros({}, DType::I64);
        Values values = valuesOf(draw("x", {4, 3}));
        values[7] = bad;
        const Tensor x = Tensor::of<double>(values, {4, 3}).to(dtype);
        const BatchNormOptions options{.training = training, .batches = n, .fixGamma = true};
        const AnomalyMode guard;
        CHECK_THROWS_WITH_AS(batchNorm(x, w, {}, rm, rv, options),
                             doctest::Contains("[batchNorm] NumericError: the input has NaN or infinity"),
                             NumericError);
        CHECK(sameBits(rm, rmBefore));
        CHECK(sameBits(rv, rvBefore));
        CHECK(sameBits(w, wBefore));
        CHECK(n.item() == 0);
      }
    }
  }
}

TEST_CASE("an overflow on the way to y is found in anomaly mode before any statistic changes") {
  const AnomalyMode guard;
  Tensor rm = draw("rm", {3}).clone(), rv = draw("rv", {3}, 0.5, 2).clone();
  const Tensor before = rm.clone(), n = Tensor::zeros({}, DType::I64);
  const Tensor w = leaf(Tensor::full({3}, std::numeric_limits<double>::infinity(), DType::F64));
  CHECK_THROWS_AS(batchNorm(draw("x", {4, 3}), w, {}, rm, rv, {.batches = n}), NumericError);
  CHECK(sameBits(rm, before));
  CHECK(n.item() == 0);
}

TEST_CASE("every refusal leaves running statistics, count and gamma bit-identical") {
  Tensor rm = draw("rm", {3}).clone(), rv = draw("rv", {3}, 0.5, 2).clone();
  const Tensor w = leaf(draw("w", {3})), n = Tensor::full({}, 2, DType::I64);
  const Tensor rmBefore = rm.clone(), rvBefore = rv.clone(), wBefore = w.clone();
  struct Bad {
    std::string what;
    Tensor x;
    BatchNormOptions options = {};
    Tensor beta = {};
  };
  const Tensor good = draw("x", {4, 3});
  const std::vector<Bad> list = {
      {"channels", draw("x", {4, 5, 2, 2})},
      {"one value", draw("x", {1, 3})},
      {"rank", draw("x", {3})},
      {"no channels", Tensor::zeros({2, 0}, DType::F64)},
      {"integers", Tensor::zeros({2, 3}, DType::I32)},
      {"f32 data with f64 parameters", good.to(DType::F32)},
      {"beta of another length", good, {}, draw("b", {4})},
      {"beta of another type", good, {}, draw("b", {3}).to(DType::F32)},
      {"axis", good, {.channelAxis = 2}},
      {"epsilon", good, {.epsilon = -1}},
      {"epsilon infinite", good, {.epsilon = std::numeric_limits<double>::infinity()}},
      {"slope", good, {.act = Act::LeakyReLU, .slope = std::nan("")}},
      {"two factors", good, {.factor = 0.1, .momentum = 0.9}},
      {"freeze and batch statistics", good, {.useGlobalStats = GlobalStats::False, .freeze = true}},
      {"freeze and trainable", good, {.trainableStatistics = true, .freeze = true}},
      {"freeze without tracking", good, {.trackRunningStats = false, .freeze = true}},
      {"global and trainable", good, {.useGlobalStats = GlobalStats::True, .trainableStatistics = true}},
      {"in place on a leaf", good, {.inplace = true}},
      {"oneDNN on f64", good, {.backend = BatchNormBackend::OneDNN}},
  };
  for (const Bad& bad : list) {
    CAPTURE(bad.what);
    BatchNormOptions options = bad.options;
    if (!options.factor) options.batches = n;
    options.fixGamma = true;
    const std::string message = messageOf([&] { batchNorm(bad.x, w, bad.beta, rm, rv, options); });
    CHECK(message.find("[batchNorm] ") == 0);
    CHECK(sameBits(rm, rmBefore));
    CHECK(sameBits(rv, rvBefore));
    CHECK(sameBits(w, wBefore));
    CHECK(n.item() == 2);
  }
  // Buffers that an update could not write are found before anything is written.
  const Tensor result = leaf(rv) * 2;
  CHECK_THROWS_WITH_AS(batchNorm(good, w, {}, rm, result, {.batches = n, .fixGamma = true}),
                       doctest::Contains("runningVar cannot be updated"), StateError);
  CHECK_THROWS_WITH_AS(batchNorm(good, w, {}, rm, leaf(rv), {.batches = n, .fixGamma = true}),
                       doctest::Contains("requires a gradient"), StateError);
  CHECK_THROWS_AS(batchNorm(good, w, {}, rm, {}, {.fixGamma = true}), ValueError);
  CHECK_THROWS_AS(batchNorm(good, w, {}, {}, {}, {.fixGamma = true, .freeze = true}), ValueError);
  CHECK(sameBits(rm, rmBefore));
  CHECK(sameBits(w, wBefore));
  CHECK(n.item() == 2);
}

TEST_CASE("statistics that share memory with another operand are refused before anything is written") {
  const Tensor x = draw("x", {4, 3}), both = Tensor::ones({2, 3}, DType::F64);
  const Tensor before = both.clone(), rm = both.select(0, 0), rv = both.select(0, 1);
  CHECK_THROWS_WITH_AS(
      batchNorm(x, {}, {}, rm, rv),
      doctest::Contains("runningMean cannot be updated in place: it shares its memory with runningVar"), StateError);
  CHECK_THROWS_AS(batchNorm(x, {}, {}, rm, rm), StateError);
  const Tensor own = Tensor::ones({3}, DType::F64), other = own.clone();
  CHECK_THROWS_WITH_AS(batchNorm(x, {}, own, own, other), doctest::Contains("with beta"), StateError);
  CHECK(sameBits(both, before));
  CHECK_NOTHROW(batchNorm(x, {}, {}, rm, rv, {.training = false}));
  CHECK_NOTHROW(batchNorm(x, {}, {}, own, other));
}

TEST_CASE("stale and undefined operands are refused with their number") {
  const Tensor x = leaf(draw("x", {4, 3})) * 2;
  {
    const NoGrad guard;
    batchNorm(x, {}, {}, {}, {}, {.inplace = true});
  }
  CHECK_THROWS_WITH_AS(batchNorm(x), doctest::Contains("operand 0 was overwritten in place by batchNorm"), StateError);
  CHECK_THROWS_WITH_AS(batchNorm(Tensor()), doctest::Contains("undefined"), StateError);
}
