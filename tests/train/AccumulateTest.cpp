// Several batches a step, and rates that fall on plateaus.
#include <doctest/doctest.h>
#include <ember/ember.h>

#include "support/Golden.h"
#include "support/Headline.h"
#include "support/TempFolder.h"
#include "train/SmallRun.h"

using namespace ember;
using namespace ember::test;

namespace {

/// A linear net in f64 after a run of two epochs: 22 samples, so that the last step of an epoch is a smaller one.
Tensors trained(i64 batchSize, i64 accumulate, double clipNorm) {
  seed(3);
  const data::TensorDataset all = pictures();
  const data::TensorDataset data(all.images().to(DType::F64).reshape({all.size(), 16}), all.labels());
  nn::Sequential net(nn::Linear(16, 3));
  net.to(DType::F64);
  optim::SGD sgd(net.namedParameters(), {.lr = 0.5, .momentum = 0.9});
  optim::Trainer trainer(
      net, sgd, data, {.epochs = 2, .batchSize = batchSize, .seed = 5, .clipNorm = clipNorm, .accumulate = accumulate});
  i64 steps = 0;
  trainer.afterStep([&](const optim::StepInfo& info) { CHECK(info.step == ++steps); });
  CHECK(trainer.totalSteps() == 6);
  CHECK(trainer.run());
  CHECK(steps == 6);
  Tensors values;
  for (const nn::Parameter& p : net.namedParameters()) values.push_back(p.tensor.detach());
  return values;
}

SmallOptions accumulating() {
  SmallOptions options{.dropout = true};
  options.trainer.epochs = 4;
  options.trainer.accumulate = 2;
  options.trainer.plateau = optim::PlateauOptions{.factor = 0.5, .patience = 0, .threshold = 0.2};
  return options;
}

}  // namespace

TEST_CASE("a step of several batches is one of a large batch") {
  for (const double clipNorm : {0.0, 0.3}) {
    const Tensors large = trained(8, 1, clipNorm), small = trained(4, 2, clipNorm), smallest = trained(2, 4, clipNorm);
    for (std::size_t i = 0; i < large.size(); ++i) {
      CHECK_CLOSE(small[i], large[i], toleranceF64, "parameter " << i);
      CHECK_CLOSE(smallest[i], large[i], toleranceF64, "parameter " << i);
    }
  }
}

TEST_CASE("a run with accumulation and a plateau goes on bit for bit") {
  SmallRun straight(accumulating());
  CHECK(straight.trainer->batchesPerEpoch() == 6);
  CHECK(straight.trainer->totalSteps() == 12);
  const std::vector<double> losses = straight.steps(12);
  CHECK(straight.trainer->finished());
  const TempFolder folder;
  for (const i64 count : {1, 3, 7}) {
    SmallRun first(accumulating());
    first.steps(count);
    first.trainer->save(folder / "run.json");
    SmallOptions elsewhere = accumulating();
    elsewhere.initSeed = 4711;
    SmallRun second(elsewhere);
    second.trainer->resume(folder / "run.json");
    const std::vector<double> rest = second.steps(12 - count);
    CHECK(rest == std::vector<double>(losses.begin() + count, losses.end()));
    CHECK(second.state() == straight.state());
    CHECK(second.trainer->plateau()->state() == straight.trainer->plateau()->state());
  }
}

TEST_CASE("the rate falls when the metric gets no better, on top of the schedule") {
  SmallOptions options = accumulating();
  options.trainer.schedule = optim::schedule::exponential(0.9);
  std::vector<double> metrics{1, 2, 0.5, 0.7};
  i64 asked = 0;
  options.trainer.plateauMetric = [&](const optim::EpochInfo& info) {
    CHECK(info.epoch == asked);
    return metrics[static_cast<std::size_t>(asked++)];
  };
  SmallRun run(options);
  std::vector<double> rates;
  run.trainer->afterStep([&](const optim::StepInfo& info) { rates.push_back(info.lr); });
  run.steps(12);
  CHECK(asked == 4);
  for (std::size_t i = 0; i < rates.size(); ++i) {
    const double plateau = i < 6 ? 1 : 0.5;  // 2 is no better than 1
    CHECK(rates[i] == doctest::Approx(0.05 * std::pow(0.9, static_cast<double>(i)) * plateau).epsilon(1e-12));
  }
  CHECK(run.trainer->plateau()->factor() == 0.25);
}

TEST_CASE("options that do not fit, and runs that were saved with others, are refused") {
  SmallOptions options = accumulating();
  options.trainer.accumulate = 0;
  CHECK(headlineOf<ValueError>([&] { SmallRun run(options); }) == "[Trainer] ValueError: accumulate is 0");
  options = accumulating();
  options.trainer.plateau.reset();
  options.trainer.plateauMetric = [](const optim::EpochInfo&) { return 0.0; };
  CHECK(headlineOf<ValueError>([&] { SmallRun run(options); }) ==
        "[Trainer] ValueError: plateauMetric is given without plateau");

  const TempFolder folder;
  SmallRun saved(accumulating());
  saved.steps(1);
  saved.trainer->save(folder / "run.json");
  options = accumulating();
  options.trainer.accumulate = 3;
  SmallRun other(options);
  CHECK(headlineOf<StateError>([&] { other.trainer->resume(folder / "run.json"); }) ==
        "[resume] StateError: the saved run takes 2 batches a step, this one 3");
  options = accumulating();
  options.trainer.plateau->patience = 1;
  SmallRun patient(options);
  CHECK(headlineOf<StateError>([&] { patient.trainer->resume(folder / "run.json"); }) ==
        "[resume] StateError: the saved run reduces its rate on plateaus otherwise");
}
