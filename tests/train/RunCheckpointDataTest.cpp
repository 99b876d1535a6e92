// A run knows its data by a check sum, and what an older file or another machine leaves to a warning.
#include <atomic>
#include <functional>
#include <string>

#include <doctest/doctest.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/ember.h>

#include "support/Headline.h"
#include "support/TempFolder.h"
#include "train/RichRun.h"

using namespace ember;
using namespace ember::test;

namespace {

/// The data of SmallRun, with one label or one pixel changed.
struct Changed : data::Dataset {
  explicit Changed(data::TensorDataset all) : whole(std::move(all)) {}
  i64 size() const override { return whole.size(); }
  data::Sample get(i64 i) const override {
    data::Sample sample = whole.get(i);
    if (i == sampleIndex && label) sample.label = sample.label + 1;
    if (i == sampleIndex && !label) sample.image = sample.image + 1e-3;
    if (draws) sample.image = sample.image + random::uniform({.seed = 1}, static_cast<u64>(++calls));
    return sample;
  }
  data::TensorDataset whole;
  i64 sampleIndex = -1;
  bool label = false, draws = false;
  mutable std::atomic<i64> calls{0};
};

}  // namespace

TEST_CASE("other data of the same size are refused by their check sum") {
  const TempFolder folder;
  SmallRun saved(rich());
  saved.steps(3);
  saved.trainer->save(folder / "run.json");
  CHECK(io::readCheckpoint(folder / "run.json").train.get<std::string>({"data", "crc32"}).size() == 8);

  const auto resumed = [&](i64 sample, bool label) {
    SmallRun run(elsewhere(rich()));
    Changed data(run.data);
    data.sampleIndex = sample;
    data.label = label;
    optim::Trainer trainer(run.net, *run.optimizer, data, elsewhere(rich()).trainer);
    const std::string before = run.state();
    const std::string message = messageOf([&] { trainer.resume(folder / "run.json"); });
    if (message != "no error") CHECK(run.state() == before);
    return message;
  };
  CHECK(resumed(-1, false) == "no error");  // the same values from another class
  for (const i64 sample : {0, 7, 21}) {
    for (const bool label : {true, false}) {
      const std::string message = resumed(sample, label);
      CHECK_MESSAGE(contains(message, "[resume] StateError: the training data are not those of the saved run"),
                    message);
    }
  }
}

TEST_CASE("of data in memory every sample counts, also those that the sum over some samples leaves out") {
  const TempFolder folder;
  const auto many = [](i64 other) {  // 1000 samples: less than a third of them are summed one by one
    std::vector<i64> labels(1000, 1);
    if (other >= 0) labels[static_cast<std::size_t>(other)] = 2;
    return data::TensorDataset(Tensor::full({1000, 1, 4, 4}, 0.25), Tensor::of<i64>(labels));
  };
  const auto trainer = [](SmallRun& run, const data::Dataset& data) {
    return optim::Trainer(run.net, *run.optimizer, data, {.batchSize = 100, .seed = 3});
  };
  // The data themselves, and a part of them.
  const auto part = [](data::TensorDataset whole, i64 first) {
    std::vector<i64> indices;
    for (i64 i = first; i < first + 900; ++i) indices.push_back(i);
    return data::Subset(std::make_shared<data::TensorDataset>(std::move(whole)), indices);
  };
  SmallRun saved({});
  const data::TensorDataset all = many(-1);
  const data::Subset some = part(all, 0);
  trainer(saved, all).save(folder / "all.json");
  trainer(saved, some).save(folder / "some.json");
  int seen = 0, unseen = 0;
  for (const i64 other : {-1, 499, 500, 501, 502, 503}) {
    SmallRun run({});
    const data::TensorDataset changed = many(other);
    seen += optim::dataSums(changed).samples != optim::dataSums(all).samples;
    unseen += optim::dataSums(changed).contents == optim::dataSums(all).contents;
    const data::Subset changedPart = part(changed, 0);
    for (const std::string& message : {messageOf([&] { trainer(run, changed).resume(folder / "all.json"); }),
                                       messageOf([&] { trainer(run, changedPart).resume(folder / "some.json"); })}) {
      CHECK_MESSAGE(contains(message, "the training data are not those of the saved run") == (other >= 0), message);
    }
  }
  CHECK(seen < 3);  // else the sum over some samples is enough for this test
  CHECK(unseen == 1);
  SmallRun run({});
  const data::Subset moved = part(all, 50);  // equal samples, but others
  CHECK(contains(messageOf([&] { trainer(run, moved).resume(folder / "some.json"); }), "the training data are not"));
}

TEST_CASE("data that are drawn at random have no sum, and save and resume") {
  const TempFolder folder;
  SmallRun run(rich());
  Changed data(run.data);
  data.draws = true;
  optim::Trainer trainer(run.net, *run.optimizer, data, rich().trainer);
  trainer.step();
  trainer.save(folder / "run.json");
  CHECK(!io::readCheckpoint(folder / "run.json").train.at("data").has("crc32"));
  trainer.resume(folder / "run.json");
  CHECK(trainer.run());
}

TEST_CASE("a sample that cannot be read does not prevent a save") {
  struct Broken : data::Dataset {
    i64 size() const override { return 12; }
    data::Sample get(i64 i) const override {
      if (broken) throw IoError("Broken", "the disk is gone");
      return {Tensor::full({1, 4, 4}, 0.1 * static_cast<double>(i)), i % 3};
    }
    bool broken = true;
  } data;
  const TempFolder folder;
  SmallRun run({});
  optim::Trainer trainer(run.net, *run.optimizer, data, {.batchSize = 4, .seed = 1});
  const Warnings warnings;
  trainer.save(folder / "run.json");
  CHECK(contains(warnings.said, "is saved without a check sum of its data"));
  data.broken = false;
  trainer.save(folder / "run.json");
  CHECK(io::readCheckpoint(folder / "run.json").train.at("data").has("crc32"));
}

TEST_CASE("a file of an older version, without its transforms or the sum of its data, goes on with a warning") {
  const TempFolder folder;
  const Course expected = straight(rich());
  saveThreeSteps(folder / "run.json");
  const auto goesOn = [&](const std::string& warning, const std::function<void(Value&)>& change) {
    io::Checkpoint file = io::readCheckpoint(folder / "run.json");
    change(file.train);
    io::writeCheckpoint(folder / "old.json", file);
    SmallRun run(elsewhere(rich()));
    const Warnings warnings;
    run.trainer->resume(folder / "old.json");
    CHECK_MESSAGE(contains(warnings.said, warning), warnings.said);
    CHECK(run.trainer->run());
    CHECK(run.state() == expected.state);
  };
  goesOn("old.json does not say how its training pictures were transformed",
         [](Value& train) { train = without(train, "transforms"); });
  goesOn("old.json has no check sum of its data",
         [](Value& train) { train.set("data", without(train.at("data"), "crc32")); });
}

TEST_CASE("another number of threads, instruction set or oneDNN is warned of") {
  const TempFolder folder;
  SmallRun saved(rich());
  saved.steps(3);
  saved.trainer->save(folder / "run.json");
  io::Checkpoint file = io::readCheckpoint(folder / "run.json");
  const Warnings warnings;
  SmallRun run(elsewhere(rich()));
  run.trainer->resume(folder / "run.json");
  CHECK(warnings.said.empty());
  file.writer.set("threads", threads() + 3);
  io::writeCheckpoint(folder / "other.json", file);
  run.trainer->resume(folder / "other.json");
  CHECK(contains(warnings.said, "other.json was saved with " + std::to_string(threads() + 3) + " threads, here are " +
                                    std::to_string(threads()) + ": the run continues, but not bit for bit"));
  for (const auto& member : {std::pair("isa", "the instruction set"), std::pair("onednn", "oneDNN"),
                             std::pair("onednn_isa", "oneDNN's instruction set")}) {
    file = io::readCheckpoint(folder / "run.json");
    file.writer.set(member.first, "z80");
    const std::string name = std::string(member.first) + ".json";
    io::writeCheckpoint(folder / name, file);
    run.trainer->resume(folder / name);
    CHECK_MESSAGE(contains(warnings.said, name + " was saved with " + member.second + " \"z80\", here it is \""),
                  warnings.said);
  }
}
