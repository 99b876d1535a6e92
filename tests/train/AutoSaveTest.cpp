// A run that saves itself: when, what a save that fails does, the best epoch in a file of its own.
#include <filesystem>
#include <limits>

#include <doctest/doctest.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/core/io/FolderLock.h>
#include <ember/ember.h>

#include "support/Headline.h"
#include "support/TempFolder.h"
#include "train/RichRun.h"

using namespace ember;
using namespace ember::test;

namespace {

i64 stepIn(const std::string& path) { return io::readCheckpoint(path).train.get<i64>("step"); }

}  // namespace

TEST_CASE("a run is saved behind each epoch and every so many steps, and the generation before stays") {
  const TempFolder folder;
  const std::string path = folder / "run.json";
  SmallRun run(rich());
  const optim::AutoSave saves(*run.trainer, path, {.everySteps = 2});
  CHECK(!saves.upToDate());
  std::vector<i64> steps;
  run.trainer->afterStep(
      [&](const optim::StepInfo&) { steps.push_back(std::filesystem::exists(path) ? stepIn(path) : 0); });
  CHECK(run.trainer->run());
  // Six batches an epoch; the last step of one is saved with the epoch, behind the step's own hooks.
  CHECK(steps == std::vector<i64>{0, 2, 2, 4, 4, 4, 6, 8, 8, 10, 10, 10});
  CHECK(stepIn(path) == 12);
  CHECK(stepIn(path + ".prev") == 10);
  CHECK(saves.upToDate());
  CHECK(saves.failures() == 0);
  CHECK(folder.list() == ".lock run.json run.json.prev");
}

TEST_CASE("a run that was stopped is saved where it stands, and one without a new step is not saved again") {
  const TempFolder folder;
  const std::string path = folder / "run.json";
  const Course expected = straight(rich());
  {
    SmallRun run(rich());
    const optim::AutoSave saves(*run.trainer, path);
    run.trainer->afterStep([&](const optim::StepInfo& info) {
      if (info.step == 4) run.trainer->stop();
    });
    CHECK(!run.trainer->run());
    CHECK(saves.upToDate());
    CHECK(stepIn(path) == 4);
    run.trainer->stop();
    CHECK(!run.trainer->run());
    CHECK(!std::filesystem::exists(path + ".prev"));
  }
  CHECK(folder.list() == "run.json");  // the lock goes with it
  SmallRun second(elsewhere(rich()));
  second.trainer->resume(path);
  CHECK(second.trainer->savedIn() == path);
  const optim::AutoSave saves(*second.trainer, path);
  CHECK(saves.upToDate());
  CHECK(second.trainer->run());
  CHECK(second.state() == expected.state);
  CHECK(stepIn(path) == 12);
  CHECK(second.trainer->run());  // nothing to do, nothing to save
  CHECK(stepIn(path + ".prev") == 6);
}

TEST_CASE("an AutoSave that is gone does nothing any more") {
  const TempFolder folder;
  SmallRun run(rich());
  { const optim::AutoSave saves(*run.trainer, folder / "run.json", {.everySteps = 1}); }
  CHECK(run.trainer->run());
  CHECK(folder.list().empty());
}

TEST_CASE("a folder that nothing can be saved in is told before the first epoch (P13)") {
  const TempFolder folder;
  SmallRun run(rich());
  const auto refused = [&](const std::string& path) {
    return messageOf([&] { const optim::AutoSave saves(*run.trainer, path); });
  };
  CHECK(contains(refused(folder / "missing/run.json"), "No such file or directory"));
  writeFile(folder / "file", "x");
  CHECK(contains(refused(folder / "file/run.json"), "Not a directory"));
  std::filesystem::create_directory(folder / "folder");
  CHECK(contains(refused(folder / "folder"), "is no regular file"));
  CHECK(contains(refused(""), "not a file name"));
  CHECK(run.optimizer->steps() == 0);
  run.steps(1);
  CHECK(folder.list() == "file folder");
}

TEST_CASE("a net that no file can hold is told before the first epoch") {
  const TempFolder folder;
  const data::TensorDataset data = pictures();
  std::unique_ptr<nn::Module> deep = std::make_unique<nn::Sequential>(nn::Flatten(), nn::Linear(16, 3));
  for (int i = 0; i < 30; ++i) {
    auto around = std::make_unique<nn::Sequential>();
    around->addChild("0", std::move(deep));
    deep = std::move(around);
  }
  optim::SGD sgd(deep->namedParameters(), {.lr = 0.1});
  optim::Trainer trainer(*deep, sgd, data, {.epochs = 1});
  CHECK(contains(messageOf<ValueError>([&] { optim::AutoSave saves(trainer, folder / "run.json"); }), "nested deeper"));
  CHECK(folder.list() == "");
}

TEST_CASE("a run whose file would not be gone on from is told before the first epoch; the longest that is taken is not") {
  const TempFolder folder;
  SmallOptions options = rich();
  options.trainer.best = optim::BestOptions{.patience = std::numeric_limits<i64>::max()};
  SmallRun run(options);
  const std::string message =
      messageOf<ValueError>([&] { optim::AutoSave saves(*run.trainer, folder / "run.json"); });
  CHECK_MESSAGE(contains(message, "[Trainer] ValueError: the run could be saved, but not gone on from: "), message);
  CHECK_MESSAGE(contains(message, "patience"), message);
  CHECK(folder.list() == "");

  options.trainer.best = optim::BestOptions{.patience = i64{1} << 62};
  options.trainer.epochs = (i64{1} << 61) / 6;  // of six batches
  options.trainer.accumulate = i64{1} << 62;
  SmallRun longest(options);
  const optim::AutoSave saves(*longest.trainer, folder / "run.json", {.everySteps = 1});
  longest.trainer->afterStep([&](const optim::StepInfo&) { longest.trainer->stop(); });
  CHECK_FALSE(longest.trainer->run());
  SmallRun again(options);
  again.trainer->resume(folder / "run.json");
  CHECK(again.state() == longest.state());
}

TEST_CASE("a save that fails stops nothing, and the next interval tries again (P2, P14)") {
  const TempFolder folder;
  std::filesystem::create_directory(folder / "runs");
  const std::string path = folder / "runs/run.json";
  const Course expected = straight(rich());
  SmallRun run(rich());
  std::vector<std::string> reports;
  const optim::AutoSave saves(*run.trainer, path,
                              {.everySteps = 1, .report = [&](const std::string& what) { reports.push_back(what); }});
  run.trainer->beforeStep([&] {
    const i64 done = run.optimizer->steps();
    if (done == 2) std::filesystem::remove_all(folder / "runs");
    if (done == 5) std::filesystem::create_directory(folder / "runs");
  });
  CHECK(run.trainer->run());
  CHECK(run.state() == expected.state);
  // Behind steps 3, 4 and 5; the fifth is no end of an epoch, the sixth is saved with its epoch.
  CHECK(saves.failures() == 3);
  REQUIRE(reports.size() == 3);
  CHECK_MESSAGE(contains(reports[0], "at epoch 0, batch 3: [save] IoError: not saved"), reports[0]);
  CHECK(contains(saves.lastFailure(), "run.json"));
  CHECK(saves.upToDate());
  CHECK(stepIn(path) == 12);
  SmallRun again(elsewhere(rich()));
  again.trainer->resume(path);
  CHECK(again.state() == expected.state);
}

TEST_CASE("without a report of one's own each failure is a warning with its place") {
  const TempFolder folder;
  std::filesystem::create_directory(folder / "runs");
  SmallRun run(rich());
  const Warnings warnings;
  const optim::AutoSave saves(*run.trainer, folder / "runs/run.json");
  std::filesystem::remove_all(folder / "runs");
  CHECK(run.trainer->run());
  CHECK(!saves.upToDate());
  CHECK(saves.failures() == 3);  // two epochs, and once more at the end
  CHECK(contains(warnings.said, "at epoch 1, batch 0: "));
  CHECK(contains(warnings.said, "at epoch 2, batch 0: "));
}

TEST_CASE("OnSaveError::Stop ends the run with the error, and the run can go on (P2)") {
  const TempFolder folder;
  std::filesystem::create_directory(folder / "runs");
  const Course expected = straight(rich());
  for (const i64 every : {0, 4}) {
    SmallRun run(rich());
    const optim::AutoSave saves(*run.trainer, folder / "runs/run.json",
                                {.everySteps = every, .onError = optim::OnSaveError::Stop});
    std::filesystem::remove_all(folder / "runs");
    CHECK(contains(messageOf([&] { run.trainer->run(); }), "[save] IoError: not saved"));
    CHECK(run.optimizer->steps() == (every == 0 ? batches : every));
    CHECK(!saves.upToDate());
    std::filesystem::create_directory(folder / "runs");
    CHECK(run.trainer->run());
    CHECK(run.state() == expected.state);
    CHECK(saves.upToDate());
    CHECK(saves.failures() == 1);
    std::filesystem::remove(folder / "runs/run.json");
  }
}

TEST_CASE("the best epoch stays in a file of its own, also across a resume") {
  const TempFolder folder;
  const std::string path = folder / "run.json", best = folder / "best.json";
  const std::vector<double> metrics{0.5, 0.7, 0.6, 0.65, 0.8, 0.1};
  SmallOptions options = rich();
  options.trainer.epochs = 6;
  options.trainer.schedule = {};
  options.trainer.best = optim::BestOptions{
      .name = "listed",
      .metric = [&](const optim::EpochInfo& info) { return metrics.at(static_cast<std::size_t>(info.epoch)); },
      .maximize = true};
  for (i64 epochs = 1; epochs <= 5; ++epochs) {
    {
      SmallRun first(options);
      const optim::AutoSave saves(*first.trainer, path, {.bestFile = best});
      first.steps(epochs * batches);
    }
    CHECK(stepIn(best) == (epochs == 1 ? 1 : epochs < 5 ? 2 : 5) * batches);
    SmallRun second(elsewhere(options));
    second.trainer->resume(path);
    CHECK(second.trainer->best()->file() == best);
    const optim::AutoSave saves(*second.trainer, path, {.bestFile = best});
    second.steps(1);
    CHECK(stepIn(best) == (epochs == 1 ? 1 : epochs < 5 ? 2 : 5) * batches);
    CHECK(second.trainer->run());
    CHECK(stepIn(best) == 5 * batches);
    const Value known = io::readCheckpoint(path).train.at("best");
    CHECK(known.get<std::string>("file") == best);
    CHECK(known.get<double>("value") == 0.8);
    CHECK(known.get<double>("kept") == 0.8);
    CHECK(known.get<i64>("epoch") == 4);
    CHECK(known.get<std::string>("metric") == "listed");
    std::filesystem::remove(best);
  }
}

TEST_CASE("a best epoch that could not be kept makes room for the next that is better than the one in the file") {
  const TempFolder folder;
  std::filesystem::create_directory(folder / "best");
  const std::string path = folder / "run.json", best = folder / "best/best.json";
  const std::vector<double> metrics{0.5, 0.3, 0.4, 0.6};
  SmallOptions options = rich();
  options.trainer.epochs = 4;
  options.trainer.schedule = {};
  options.trainer.best = optim::BestOptions{
      .metric = [&](const optim::EpochInfo& info) { return metrics.at(static_cast<std::size_t>(info.epoch)); }};
  SmallRun run(options);
  const optim::AutoSave saves(*run.trainer, path, {.bestFile = best, .report = [](const std::string&) {}});
  run.trainer->beforeEpoch([&](i64 epoch) {
    if (epoch == 1) std::filesystem::rename(folder / "best", folder / "away");
    if (epoch == 2) std::filesystem::rename(folder / "away", folder / "best");
  });
  CHECK(run.trainer->run());
  CHECK(saves.failures() == 1);
  CHECK(stepIn(best) == 3 * batches);
  const Value known = io::readCheckpoint(path).train.at("best");
  CHECK(known.get<double>("value") == 0.3);
  CHECK(known.get<double>("kept") == 0.4);
}

TEST_CASE("a best epoch that cannot be saved ends a run that is to stop then, behind a save of the run itself") {
  const TempFolder folder;
  std::filesystem::create_directory(folder / "best");
  const std::string path = folder / "run.json", best = folder / "best/best.json";
  SmallOptions options = rich();
  options.trainer.best = optim::BestOptions{};
  SmallRun run(options);
  const optim::AutoSave saves(*run.trainer, path, {.onError = optim::OnSaveError::Stop, .bestFile = best});
  run.trainer->afterStep([&](const optim::StepInfo& info) {
    if (info.step == 1) std::filesystem::rename(folder / "best", folder / "away");
  });
  CHECK(contains(messageOf([&] { run.trainer->run(); }), "not saved: \"" + best));
  CHECK(stepIn(path) == batches);
  CHECK(!io::readCheckpoint(path).train.at("best").has("kept"));
}

TEST_CASE("the folder may be locked before the run is read, and stays so (P15)") {
  const TempFolder folder;
  SmallRun run(rich());
  auto lock = std::make_shared<io::FolderLock>(io::FolderLock::forRun(folder / "run.json", "test"));
  {
    const optim::AutoSave saves(*run.trainer, folder / "run.json", {.lock = lock});
    CHECK(run.trainer->run());
    CHECK(saves.upToDate());
  }
  CHECK(folder.list() == ".lock run.json run.json.prev");
  lock.reset();
  CHECK(folder.list() == "run.json run.json.prev");
}

TEST_CASE("options of AutoSave that make no sense are refused") {
  const TempFolder folder;
  SmallRun run(rich());
  const auto refused = [&](const optim::AutoSaveOptions& options) {
    return headlineOf<ValueError>([&] { const optim::AutoSave saves(*run.trainer, folder / "run.json", options); });
  };
  CHECK(refused({.everySteps = -1}) == "[AutoSave] ValueError: everySteps is -1");
  CHECK(refused({.bestFile = "best.json"}) ==
        "[AutoSave] ValueError: bestFile is given, but the trainer knows no best epoch");
  SmallOptions options = rich();
  options.trainer.best = optim::BestOptions{};
  SmallRun best(options);
  std::filesystem::create_directory_symlink(".", folder / "here");
  for (const auto& [path, bestFile] : {std::pair{"run.json", "run.json"}, {"run.json", "here/run.json"},
                                       {"run.json", "run.json.prev"}, {"run.json.prev", "here/run.json"}}) {
    const std::string file = folder / path, other = folder / bestFile;
    CHECK(headlineOf<ValueError>([&] { const optim::AutoSave saves(*best.trainer, file, {.bestFile = other}); }) ==
          "[AutoSave] ValueError: the best epoch and the run cannot be in one file or its .prev");
  }
  CHECK(contains(headlineOf<ValueError>([&] {
                   const optim::AutoSave saves(*best.trainer, folder / "run.json", {.bestFile = folder / "b\xff.json"});
                 }),
                 "expected UTF-8"));
  CHECK(folder.list() == "here");
  const optim::AutoSave saves(*run.trainer, folder / "run.json");
  CHECK(contains(messageOf([&] { const optim::AutoSave second(*run.trainer, folder / "run.json"); }),
                 "this process has a run that saves to it"));
}
