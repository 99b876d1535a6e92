// Which epoch was the best, when patience is over, and that a resumed run still knows both.
#include <limits>

#include <doctest/doctest.h>
#include <ember/ember.h>

#include "support/Headline.h"
#include "support/TempFolder.h"
#include "train/RichRun.h"

using namespace ember;
using namespace ember::test;

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// A run of 8 epochs that reads its metric from a list.
SmallOptions rated(const std::vector<double>& metrics, i64 patience, bool maximize = false) {
  SmallOptions options = rich();
  options.trainer.epochs = 8;
  options.trainer.schedule = {};
  options.trainer.best = optim::BestOptions{
      .name = "listed",
      .metric = [metrics](const optim::EpochInfo& info) { return metrics.at(static_cast<std::size_t>(info.epoch)); },
      .maximize = maximize,
      .patience = patience};
  return options;
}

}  // namespace

TEST_CASE("the best epoch is the first with the lowest or highest metric, and NaN is never better") {
  optim::BestEpoch low({.patience = 2}), high({.maximize = true, .patience = 2});
  const std::vector<double> metrics{nan, 3, 2, 2, 5};
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    low.update(static_cast<i64>(i), metrics[i]);
    high.update(static_cast<i64>(i), metrics[i]);
    if (i == 0) CHECK(!low.value());
  }
  CHECK(low.value() == 2.0);
  CHECK(low.epoch() == 2);
  CHECK(low.badEpochs() == 2);
  CHECK(low.patienceOver());
  CHECK(high.value() == 5.0);
  CHECK(high.epoch() == 4);
  CHECK(!high.patienceOver());
  CHECK(headlineOf([] { optim::BestEpoch({.patience = -1}); }) == "[BestEpoch] ValueError: patience is -1");
}

TEST_CASE("a run ends when patience is over") {
  SmallRun run(rated({1, 2, 0.5, 0.6, 0.7, 0, 0, 0}, 2));
  CHECK(run.trainer->run());
  CHECK(run.trainer->epoch() == 5);
  CHECK(run.trainer->finished());
  CHECK(run.trainer->endedEarly());
  CHECK(run.trainer->best()->epoch() == 2);
  CHECK(headlineOf([&] { run.trainer->step(); }) == "[Trainer.step] StateError: 2 epochs in a row were no better");
}

TEST_CASE("the best value and the count against patience survive a resume") {
  const TempFolder folder;
  const SmallOptions options = rated({1, 2, 0.5, 0.6, 0.7, 0.8, 0, 0}, 3);
  const Course expected = straight(options);
  for (const i64 epochs : {1, 2, 4, 5}) {
    {
      SmallRun first(options);
      first.steps(epochs * batches);
      first.trainer->save(folder / "run.json");
    }
    SmallRun second(elsewhere(options));
    second.trainer->resume(folder / "run.json");
    CHECK(second.trainer->best()->epoch() == (epochs > 2 ? 2 : 0));
    CHECK(second.trainer->best()->badEpochs() == (epochs == 1 ? 0 : epochs == 2 ? 1 : epochs - 3));
    CHECK(second.trainer->run());
    CHECK(second.trainer->epoch() == 6);
    CHECK(second.state() == expected.state);
  }

  // With more patience an ended run goes on.
  SmallRun ended(options);
  ended.trainer->run();
  ended.trainer->save(folder / "ended.json");
  SmallRun longer(elsewhere(rated({1, 2, 0.5, 0.6, 0.7, 0.8, 0, 0}, 4)));
  longer.trainer->resume(folder / "ended.json");
  CHECK(!longer.trainer->finished());
  CHECK(longer.trainer->run());
  CHECK(longer.trainer->epoch() == 8);
  CHECK(longer.trainer->best()->value() == 0.0);
}

TEST_CASE("the best epoch of another metric is refused, one that nobody asks for is warned of") {
  const TempFolder folder;
  SmallRun saved(rated(std::vector<double>(8, 1), 0));
  saved.steps(batches);
  saved.trainer->save(folder / "run.json");
  SmallRun other(elsewhere(rated(std::vector<double>(8, 1), 0, true)));
  const std::string before = other.state();
  CHECK(contains(messageOf([&] { other.trainer->resume(folder / "run.json"); }),
                 "[BestEpoch] ValueError: the saved run tells its best epoch by \"listed\""));
  CHECK(other.state() == before);
  SmallOptions without = rated({}, 0);
  without.trainer.best.reset();
  SmallRun forgets(elsewhere(without));
  const Warnings warnings;
  forgets.trainer->resume(folder / "run.json");
  CHECK(contains(warnings.said, "run.json knows the best epoch of its run"));
}

TEST_CASE("a best epoch that is kept nowhere any more is worth keeping again, anywhere") {
  optim::BestEpoch best(optim::BestOptions{});
  best.update(0, 1);
  best.kept("a.json");
  best.update(1, 2);
  CHECK(best.keptValue() == 1.0);
  CHECK(!best.worthKeeping("a.json"));
  best.keepNowhere();
  CHECK(best.file().empty());
  CHECK(!best.keptValue());
  CHECK(!best.state().has("file"));
  CHECK(!best.state().has("kept"));
  CHECK(best.worthKeeping("a.json"));
  CHECK(best.value() == 1.0);
}
