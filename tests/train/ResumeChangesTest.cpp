// A run that goes on under other settings, where that was asked for.
#include <doctest/doctest.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/ember.h>

#include "support/Headline.h"
#include "support/TempFolder.h"
#include "train/RichRun.h"

using namespace ember;
using namespace ember::test;

namespace {

constexpr optim::ResumeOptions accept{.acceptChanges = true};

/// Resumes `path`, after three steps of a rich run, under `options`.
std::string changes(SmallRun& run, const std::string& path) {
  const Warnings warnings;
  run.trainer->resume(path, accept);
  return warnings.said;
}

}  // namespace

TEST_CASE("without differences, accepting changes changes nothing") {
  const TempFolder folder;
  saveThreeSteps(folder / "run.json");
  SmallRun run(rich());
  CHECK(changes(run, folder / "run.json").empty());
  CHECK(run.trainer->savedIn() == folder / "run.json");
  CHECK(run.trainer->run());
  CHECK(run.state() == straight(rich()).state);
}

TEST_CASE("rates, schedule and options of the trainer hold from the resume on, and each is warned of") {
  const TempFolder folder;
  const std::string path = folder / "rates.json";
  saveThreeSteps(path);
  SmallOptions other = rich();
  other.lr = 0.02;
  other.momentum = 0.8;
  other.trainer.schedule = optim::schedule::cosine(20);
  other.trainer.clipNorm = 3;
  other.trainer.labelSmoothing = 0;
  SmallRun run(other);
  const std::string said = changes(run, path);
  CHECK_MESSAGE(contains(said, "the saved schedule is another one"), said);
  CHECK_MESSAGE(contains(said, "the optimiser's lr is 0.02 here and 0.05 there"), said);
  CHECK_MESSAGE(contains(said, "\"clip_norm\" of the saved run differs"), said);
  CHECK_MESSAGE(contains(said, "\"label_smoothing\" of the saved run differs"), said);
  CHECK(run.trainer->savedIn().empty());
  CHECK(run.trainer->batch() == 3);  // the same batches in the same order
  CHECK(run.optimizer->steps() == 3);
  const double lr = run.trainer->step().lr;
  CHECK(lr == doctest::Approx(0.02 * optim::schedule::cosine(20).factor(3)));
  run.trainer->save(path);
  CHECK(io::readCheckpoint(path).optimizer.get<double>("lr") == 0.02);
  SmallRun again(elsewhere(other));
  again.trainer->resume(path);  // from now on it is a run of the new settings
  CHECK(again.trainer->run());
}

TEST_CASE("where batches or their order are others the open epoch begins anew") {
  const TempFolder folder;
  saveThreeSteps(folder / "run.json");
  SmallOptions larger = rich();
  larger.trainer.batchSize = 5;
  SmallRun run(larger);
  CHECK(contains(changes(run, folder / "run.json"), "\"data\" of the saved run differs: batch is 5 here and 4 there"));
  CHECK(run.trainer->epoch() == 0);
  CHECK(run.trainer->batch() == 0);
  CHECK(run.optimizer->steps() == 3);
  CHECK(run.trainer->run());

  SmallOptions reseeded = rich();
  reseeded.trainer.seed = 99;
  SmallRun shuffled(reseeded);
  changes(shuffled, folder / "run.json");
  CHECK(shuffled.trainer->batch() == 0);
  CHECK(currentSeed() == 99);
}

TEST_CASE("what no run can go on from is refused all the same") {
  const TempFolder folder;
  saveThreeSteps(folder / "run.json");
  const auto refused = [&](const SmallOptions& options) {
    SmallRun run(elsewhere(options));
    const std::string before = run.state();
    const std::string message = messageOf([&] { run.trainer->resume(folder / "run.json", accept); });
    CHECK(run.state() == before);
    return message;
  };
  CHECK(contains(refused(rich("Adam")), "the saved optimiser does not fit: it is SGD, this one is Adam"));
  CHECK(contains(refused(rich("SGD", false)), "does not fit the net"));
  SmallOptions other = rich();
  other.trainer.emaDecay = 0;
  CHECK(contains(refused(other), "the saved run averages its weights otherwise"));
}
