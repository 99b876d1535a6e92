#include <atomic>
#include <functional>
#include <limits>

#include <doctest/doctest.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/ember.h>

#include "support/Headline.h"
#include "support/TempFolder.h"
#include "train/SmallRun.h"

using namespace ember;
using namespace ember::test;

namespace {

constexpr i64 batches = 6;  // 22 samples in batches of 4, an epoch

/// Everything that a run can carry: shuffle, augmentation, a schedule, clipping, an average.
SmallOptions rich(const std::string& optimizer = "SGD", bool batchNorm = true, bool dropout = true,
                  bool prefetch = false) {
  return {.batchNorm = batchNorm,
          .dropout = dropout,
          .optimizer = optimizer,
          .trainer = {.epochs = 2,
                      .batchSize = 4,
                      .seed = 11,
                      .prefetch = prefetch,
                      .schedule = optim::schedule::oneCycle({.steps = 2 * batches}),
                      .labelSmoothing = 0.1,
                      .clipNorm = 1,
                      .emaDecay = 0.9,
                      .transforms = {data::RandomCrop(1), data::RandomFlip()}}};
}

/// The same run, begun elsewhere: other first values, another seed.
SmallOptions elsewhere(SmallOptions options) {
  options.initSeed = 4711;
  options.trainer.seed = 815;
  return options;
}

struct Course {
  std::vector<double> losses, accuracies;
  std::string state;
  double testLoss = 0;
};

void watch(SmallRun& run, Course& course) {
  run.trainer->afterStep([&](const optim::StepInfo& info) {
    course.losses.push_back(info.loss);
    course.losses.push_back(info.meanLoss);
    course.accuracies.push_back(info.accuracy);
  });
  run.trainer->afterEpoch([&](const optim::EpochInfo& info) { course.losses.push_back(info.meanLoss); });
}

void finish(SmallRun& run, Course& course) {
  CHECK(run.trainer->run());
  course.state = run.state();
  course.testLoss = run.trainer->evaluate(run.data).loss;
}

Course straight(const SmallOptions& options) {
  Course course;
  SmallRun run(options);
  watch(run, course);
  finish(run, course);
  return course;
}

void checkSame(const Course& a, const Course& b) {
  CHECK(a.losses == b.losses);
  CHECK(a.accuracies == b.accuracies);
  CHECK(a.state == b.state);
  CHECK(a.testLoss == b.testLoss);
}

}  // namespace

TEST_CASE("a resumed run is the run that was never stopped, bit for bit") {
  const TempFolder folder;
  for (const char* optimizer : {"SGD", "Adam"}) {
    for (const auto& layers : {std::pair(true, false), std::pair(false, true), std::pair(true, true)}) {
      const bool batchNorm = layers.first, dropout = layers.second;
      const SmallOptions options = rich(optimizer, batchNorm, dropout);
      const Course expected = straight(options);
      CHECK(expected.losses.size() == 2 * 2 * batches + 2);
      for (const i64 k : {i64{1}, batches - 1, batches, batches + 2, 2 * batches - 1}) {
        CAPTURE(optimizer);
        CAPTURE(batchNorm);
        CAPTURE(dropout);
        CAPTURE(k);
        Course course;
        {
          SmallRun first(options);
          watch(first, course);
          first.steps(k);
          first.trainer->save(folder / "run.json");
        }
        SmallRun second(elsewhere(options));
        second.steps(3);  // it has been elsewhere, too
        watch(second, course);
        second.trainer->resume(folder / "run.json");
        CHECK(second.trainer->epoch() * batches + second.trainer->batch() == k);
        finish(second, course);
        checkSame(course, expected);
      }
    }
  }
}

TEST_CASE("prefetch on, off, or changed at the resume makes no difference") {
  const TempFolder folder;
  const Course expected = straight(rich("SGD", true, true, false));
  checkSame(straight(rich("SGD", true, true, true)), expected);
  for (const auto& [before, behind] : {std::pair(true, true), std::pair(true, false), std::pair(false, true)}) {
    for (const i64 k : {i64{2}, batches, batches + 4}) {
      Course course;
      SmallRun first(rich("SGD", true, true, before));
      watch(first, course);
      first.steps(k);
      first.trainer->save(folder / "run.json");
      SmallRun second(elsewhere(rich("SGD", true, true, behind)));
      watch(second, course);
      second.trainer->resume(folder / "run.json");
      finish(second, course);
      checkSame(course, expected);
    }
  }
}

TEST_CASE("saving disturbs nothing, and a run may be resumed several times in one epoch") {
  const TempFolder folder;
  const SmallOptions options = rich("Adam", true, true, true);
  const Course expected = straight(options);
  Course course;
  std::unique_ptr<SmallRun> run = std::make_unique<SmallRun>(options);
  watch(*run, course);
  run->steps(2);
  run->trainer->save(folder / "a.json");
  run->steps(2);  // thrown away below
  course.losses.resize(4);
  course.accuracies.resize(2);
  run = std::make_unique<SmallRun>(elsewhere(options));
  watch(*run, course);
  run->trainer->resume(folder / "a.json");
  run->trainer->save(folder / "b.json");
  CHECK(readFile(folder / "a.json") == readFile(folder / "b.json"));  // a resumed run saves what it was resumed from
  run->steps(1);
  run->trainer->save(folder / "a.json");
  run = std::make_unique<SmallRun>(elsewhere(options));
  watch(*run, course);
  run->trainer->resume(folder / "a.json");
  finish(*run, course);
  checkSame(course, expected);
}

TEST_CASE("one trainer may go back to a file again and again") {
  const TempFolder folder;
  const SmallOptions options = rich();
  const Course expected = straight(options);
  SmallRun run(options);
  run.steps(batches + 1);
  run.trainer->save(folder / "run.json");
  for (int i = 0; i < 2; ++i) {
    CHECK(run.trainer->run());
    CHECK(run.state() == expected.state);
    run.trainer->resume(folder / "run.json");
    CHECK(!run.trainer->finished());
  }
}

TEST_CASE("a hook that saves behind the last step of an epoch saves a run that has its epoch to close") {
  const TempFolder folder;
  const SmallOptions options = rich();
  const Course expected = straight(options);
  for (const i64 k : {batches, 2 * batches}) {
    Course course;
    {
      SmallRun first(options);
      watch(first, course);
      first.trainer->afterStep([&](const optim::StepInfo& info) {
        if (info.step == k) first.trainer->save(folder / "run.json");
      });
      first.steps(k);
    }
    // The epoch's own report was made after the save; it will be made again.
    CHECK(course.losses.size() == static_cast<std::size_t>(2 * k + k / batches));
    course.losses.pop_back();
    SmallRun second(elsewhere(options));
    watch(second, course);
    std::vector<i64> begun;
    second.trainer->beforeEpoch([&](i64 epoch) { begun.push_back(epoch); });
    second.trainer->resume(folder / "run.json");
    CHECK(second.trainer->batch() == batches);
    CHECK(!second.trainer->finished());
    finish(second, course);
    checkSame(course, expected);
    CHECK(begun == (k == batches ? std::vector<i64>{1} : std::vector<i64>{}));
  }
}

TEST_CASE("a finished run resumes as finished, and trains on with more epochs") {
  const TempFolder folder;
  SmallOptions options = rich();
  options.trainer.schedule = {};
  SmallRun first(options);
  first.trainer->run();
  first.trainer->save(folder / "run.json");
  const double loss = first.trainer->evaluate(first.data).loss;

  SmallRun second(elsewhere(options));
  second.trainer->resume(folder / "run.json");
  CHECK(second.trainer->finished());
  CHECK(second.trainer->run());
  CHECK(second.optimizer->steps() == 2 * batches);
  CHECK_THROWS_AS(second.trainer->step(), StateError);
  CHECK(second.trainer->evaluate(second.data).loss == loss);

  options.trainer.epochs = 3;
  const Course expected = straight(options);
  SmallRun third(elsewhere(options));
  third.trainer->resume(folder / "run.json");
  CHECK(third.trainer->run());
  CHECK(third.state() == expected.state);
}

TEST_CASE("a run in f64 and one with frozen layers come back as they were") {
  const TempFolder folder;
  SmallOptions options = rich("Adam");
  options.dtype = DType::F64;
  const data::TensorDataset data(draw("double", {12, 1, 4, 4}), integers("double labels", {12}, 3));
  const auto trainerOf = [&](SmallRun& run, u64 seedValue) {
    return std::make_unique<optim::Trainer>(run.net, *run.optimizer, data,
                                            optim::TrainerOptions{.epochs = 2, .batchSize = 4, .seed = seedValue});
  };
  SmallRun whole(options), first(options), second(elsewhere(options));
  for (SmallRun* run : {&whole, &first}) {
    run->net.freeze("0.*");
    run->trainer = trainerOf(*run, 5);
  }
  second.trainer = trainerOf(second, 6);
  seed(5);
  whole.trainer->run();
  const std::string expected = whole.state();
  first.steps(4);
  first.trainer->save(folder / "run.json");
  second.trainer->resume(folder / "run.json");
  CHECK(!second.net.namedParameters()[0].tensor.requiresGrad());
  second.trainer->run();
  CHECK(second.state() == expected);
}

TEST_CASE("the net of a run is an ordinary net: it loads, and is rebuilt") {
  const TempFolder folder;
  SmallRun run(rich());
  run.steps(5);
  run.trainer->save(folder / "run.json");
  SmallRun other(elsewhere(rich()));
  CHECK(load(folder / "run.json", other.net).left.empty());
  const auto again = nn::load(folder / "run.json");
  const nn::Parameters expected = run.net.namedParameters(), loaded = other.net.namedParameters(),
                       rebuilt = again->namedParameters();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(sameBits(expected[i].tensor, loaded[i].tensor));
    CHECK(sameBits(expected[i].tensor, rebuilt[i].tensor));
  }
}

TEST_CASE("a file that does not fit is refused with what differs, and nothing is changed") {
  const TempFolder folder;
  const std::string path = folder / "run.json";
  SmallRun saved(rich());
  saved.steps(8);
  saved.trainer->save(path);
  save(folder / "weights.json", saved.net);

  const auto refused = [&](const SmallOptions& options, const std::string& file) {
    const Course untouched = straight(elsewhere(options));
    SmallRun run(elsewhere(options));
    const std::string before = run.state();
    const std::string message = messageOf([&] { run.trainer->resume(file); });
    CHECK(run.state() == before);
    // And it goes on as if nothing had been tried.
    CHECK(run.trainer->run());
    CHECK(run.state() == untouched.state);
    return message;
  };
  const auto expect = [&](const SmallOptions& options, const std::string& part) {
    const std::string message = refused(options, path);
    CHECK_MESSAGE(contains(message, part), message);
  };

  expect(rich("Adam"), "[Adam] ValueError: the saved optimiser does not fit: it is SGD, this one is Adam");
  SmallOptions other = rich();
  other.momentum = 0.5;
  expect(other, "its options are {\"momentum\": 0.9");
  other = rich();
  other.lr = 0.1;
  expect(other, "the lr of \"0.weight\" was 0.05, here 0.1");
  other = rich();
  other.trainer.schedule = optim::schedule::cosine(12);
  expect(other, "the saved schedule is another one");
  other.trainer.schedule = optim::schedule::oneCycle({.steps = 13});
  expect(other, "the saved schedule is another one");
  other = rich();
  other.width = 5;
  expect(other, "\"0.weight\": [4, 1, 3, 3] in the file, [5, 1, 3, 3] in the net");
  expect(rich("SGD", false), "does not fit the net");
  other = rich();
  other.dtype = DType::F64;
  {
    SmallRun run(elsewhere(other));
    const std::string before = run.state();
    CHECK(contains(messageOf([&] { run.trainer->resume(path); }), "\"0.weight\": f32 in the file, f64 in the net"));
    CHECK(run.state() == before);
  }
  other = rich();
  other.trainer.batchSize = 5;
  expect(other, "\"data\" of the saved run differs");
  other = rich();
  other.trainer.shuffle = false;
  expect(other, "\"data\" of the saved run differs");
  other = rich();
  other.trainer.dropLast = true;
  expect(other, "\"data\" of the saved run differs");
  other = rich();
  other.trainer.labelSmoothing = 0;
  expect(other, "\"label_smoothing\" of the saved run differs");
  other = rich();
  other.trainer.clipNorm = 2;
  expect(other, "\"clip_norm\" of the saved run differs");
  other = rich();
  other.trainer.transforms = {data::RandomCrop(2), data::RandomFlip()};
  expect(other, "\"transforms\" of the saved run differs: [0].args.padding is 2 here and 1 there");
  other.trainer.transforms = {data::RandomCrop(1), data::RandomErase()};
  expect(other, "\"transforms\" of the saved run differs: [1].type is \"RandomErase\" here and \"RandomFlip\" there");
  other.trainer.transforms = {};
  expect(other, "\"transforms\" of the saved run differs");
  for (const double decay : {0.0, 0.99}) {
    other = rich();
    other.trainer.emaDecay = decay;
    expect(other, "the saved run averages its weights otherwise");
  }
  // Same tensors, other arguments: the architecture tells.
  const SmallOptions same = rich();
  SmallRun run(elsewhere(same));
  nn::Sequential twin(nn::Conv2D(1, 4, {.kernel = 3, .padding = 1}), nn::BatchNorm2D(4), nn::ReLU(), nn::Dropout(0.4),
                      nn::Flatten(), nn::Linear(64, 3));
  optim::SGD sgd(twin.namedParameters(), {.lr = 0.05, .momentum = 0.9, .weightDecay = 1e-3});
  optim::Trainer trainer(twin, sgd, run.data, same.trainer);
  CHECK(contains(messageOf([&] { trainer.resume(path); }), "was saved from another net"));
}

TEST_CASE("a file of weights alone has no optimiser state (J33)") {
  const TempFolder folder;
  SmallRun run(rich());
  save(folder / "weights.json", run.net);
  const std::string before = run.state();
  const std::string message = messageOf([&] { run.trainer->resume(folder / "weights.json"); });
  CHECK(contains(message, "[resume] StateError: the file holds a net but no run: it has no optimiser state"));
  CHECK(contains(message, "weights.json"));
  CHECK(contains(message, "load() takes the net's values from it"));
  CHECK(run.state() == before);
}

TEST_CASE("a missing or damaged file is an IoError, and nothing is changed") {
  const TempFolder folder;
  SmallRun saved(rich());
  saved.steps(3);
  saved.trainer->save(folder / "run.json");
  const std::string text = readFile(folder / "run.json");
  SmallRun run(elsewhere(rich()));
  const std::string before = run.state();
  CHECK(contains(messageOf([&] { run.trainer->resume(folder / "none.json"); }), "No such file"));
  CHECK_THROWS_AS(run.trainer->resume(folder / "none.json"), IoError);
  for (const double share : {0.0, 0.1, 0.5, 0.9, 0.999}) {
    writeFile(folder / "cut.json", text.substr(0, static_cast<std::size_t>(share * static_cast<double>(text.size()))));
    CHECK_THROWS_AS(run.trainer->resume(folder / "cut.json"), IoError);
  }
  CHECK(run.state() == before);
}

TEST_CASE("a run of an older file, which does not tell its transforms, goes on") {
  const TempFolder folder;
  const Course expected = straight(rich());
  SmallRun saved(rich());
  saved.steps(3);
  saved.trainer->save(folder / "run.json");
  io::Checkpoint file = io::readCheckpoint(folder / "run.json");
  Value train = Value::object();
  for (const auto& [key, value] : file.train.members()) {
    if (key != "transforms") train.set(key, value);
  }
  REQUIRE(train.size() + 1 == file.train.size());
  file.train = train;
  io::writeCheckpoint(folder / "old.json", file);
  SmallRun run(elsewhere(rich()));
  run.trainer->resume(folder / "old.json");
  CHECK(run.trainer->run());
  CHECK(run.state() == expected.state);
}

TEST_CASE("positions outside the data are refused") {
  const TempFolder folder;
  SmallRun saved(rich());
  saved.steps(3);
  saved.trainer->save(folder / "run.json");
  SmallRun run(elsewhere(rich()));
  const std::string before = run.state();
  const auto resume = [&](const char* key, i64 value) {
    io::Checkpoint file = io::readCheckpoint(folder / "run.json");
    file.train.set(key, value);
    io::writeCheckpoint(folder / "bad.json", file);
    return messageOf([&] { run.trainer->resume(folder / "bad.json"); });
  };
  CHECK(contains(resume("batch", 7), "epoch 0, batch 7, is outside the data"));
  CHECK(contains(resume("batch", -1), "is outside the data"));
  CHECK(contains(resume("epoch", -1), "is outside the data"));
  CHECK(!resume("seed", -5).empty());
  CHECK(run.state() == before);
}

namespace {

/// What is warned of meanwhile.
class Warnings {
 public:
  Warnings() : before_(setWarningHandler([this](std::string_view text) { said += std::string(text) + "\n"; })) {}
  ~Warnings() { setWarningHandler(before_); }
  Warnings(const Warnings&) = delete;
  Warnings& operator=(const Warnings&) = delete;
  std::string said;

 private:
  WarningHandler before_;
};

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
    if (!message.empty()) CHECK(run.state() == before);
    return message;
  };
  CHECK(resumed(-1, false).empty());  // the same values from another class
  for (const i64 sample : {0, 7, 21}) {
    for (const bool label : {true, false}) {
      const std::string message = resumed(sample, label);
      CHECK_MESSAGE(contains(message, "[resume] StateError: the training data are not those of the saved run"),
                    message);
    }
  }
}

TEST_CASE("a file without a sum of its data goes on with a warning") {
  const TempFolder folder;
  const Course expected = straight(rich());
  SmallRun saved(rich());
  saved.steps(3);
  saved.trainer->save(folder / "run.json");
  io::Checkpoint file = io::readCheckpoint(folder / "run.json");
  Value data = Value::object();
  for (const auto& [key, value] : file.train.at("data").members()) {
    if (key != "crc32") data.set(key, value);
  }
  REQUIRE(data.size() + 1 == file.train.at("data").size());
  file.train.set("data", data);
  io::writeCheckpoint(folder / "old.json", file);
  SmallRun run(elsewhere(rich()));
  const Warnings warnings;
  run.trainer->resume(folder / "old.json");
  CHECK(contains(warnings.said, "old.json has no check sum of its data"));
  CHECK(run.trainer->run());
  CHECK(run.state() == expected.state);
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

TEST_CASE("another number of threads is warned of") {
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
}

TEST_CASE("numbers that no run writes are refused by name, and nothing is changed") {
  const TempFolder folder;
  SmallRun saved(rich());
  saved.steps(3);
  saved.trainer->save(folder / "run.json");
  SmallRun run(elsewhere(rich()));
  const std::string before = run.state();
  const auto refuses = [&](const std::string& field, const std::function<void(io::Checkpoint&)>& change) {
    io::Checkpoint file = io::readCheckpoint(folder / "run.json");
    change(file);
    io::writeCheckpoint(folder / "bad.json", file);
    CHECK_THROWS_AS(run.trainer->resume(folder / "bad.json"), IoError);
    const std::string message = messageOf([&] { run.trainer->resume(folder / "bad.json"); });
    CHECK_MESSAGE(contains(message, "\"" + field + "\" is "), message);
    CHECK(run.state() == before);
  };
  const auto train = [&](const std::string& field, const Value& value) {
    refuses("train." + field, [&](io::Checkpoint& file) { file.train.set(field, value); });
  };
  const auto optimizer = [&](const std::string& field, const Value& value) {
    refuses("optimizer." + field, [&](io::Checkpoint& file) { file.optimizer.set(field, value); });
  };
  constexpr double infinity = std::numeric_limits<double>::infinity();
  train("samples_in_epoch", "-1");
  train("samples_in_epoch", "13");  // 3 batches of 4
  train("correct_in_epoch", "-1");
  train("correct_in_epoch", "13");
  train("loss_sum_in_epoch", std::numeric_limits<double>::quiet_NaN());
  train("loss_sum_in_epoch", infinity);
  train("epoch", 3);
  train("program_calls", "-1");
  train("step", "-1");
  optimizer("step", "-3");
  for (const double factor : {-0.5, infinity, std::numeric_limits<double>::quiet_NaN()}) optimizer("lr_factor", factor);
  refuses("train.ema.updates", [](io::Checkpoint& file) {
    Value ema = file.train.at("ema");
    file.train.set("ema", ema.set("updates", "-1"));
  });
  refuses("train.batch", [](io::Checkpoint& file) { file.train.set("epoch", 2); });
  refuses("optimizer.parameters.0.weight.step", [](io::Checkpoint& file) {
    Value list = Value::array();
    for (Value p : file.optimizer.at("parameters").elements()) list.push(p.set("step", "-1"));
    file.optimizer.set("parameters", list);
  });
}
