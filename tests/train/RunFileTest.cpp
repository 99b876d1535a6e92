// What a run file says of itself must agree: each field that is missing, of another kind, out of range or in
// contradiction to another is refused by its name, before anything changes.
#include <functional>
#include <limits>

#include <doctest/doctest.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/ember.h>
#include <ember/optim/train/RunFile.h>

#include "support/Headline.h"
#include "support/TempFolder.h"
#include "train/RichRun.h"

using namespace ember;
using namespace ember::test;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
const char* const largest = "9223372036854775807";

/// A run of three steps or of an epoch and two, its file, and another run that tries to go on from spoilt copies.
class Spoiler {
 public:
  explicit Spoiler(i64 steps = 3, const SmallOptions& options = rich()) : run_(elsewhere(options)) {
    SmallRun saved(options);
    saved.steps(steps);
    saved.trainer->save(folder_ / "run.json");
    before_ = run_.state();
  }

  /// What is said of the changed file; "no error" if the run went on from it.
  std::string resumed(const std::function<void(io::Checkpoint&)>& change) {
    io::Checkpoint file = io::readCheckpoint(folder_ / "run.json");
    change(file);
    io::writeCheckpoint(folder_ / "bad.json", file);
    const std::string message = messageOf([&] { run_.trainer->resume(folder_ / "bad.json"); });
    if (message != "no error") CHECK(run_.state() == before_);
    return message;
  }
  /// The change is refused, with the field and what stands there.
  void refuses(const std::string& field, const std::function<void(io::Checkpoint&)>& change,
               const std::string& expected = {}) {
    const std::string message = resumed(change);
    CHECK_MESSAGE(contains(message, "[resume] IoError: \"" + field + "\" is "), field << ": " << message);
    CHECK_MESSAGE(contains(message, ", expected " + expected), message);
    CHECK_MESSAGE(contains(message, "bad.json"), message);
    CHECK(contains(message, "nothing was changed"));
    CHECK(contains(message, "use an older one"));
  }
  /// A field by its path: train.data.count. Null: it is taken away.
  void refuses(const std::string& path, const Value& value, const std::string& expected = {}) {
    refuses(
        path, [&](io::Checkpoint& file) { change(file, path, value); }, expected);
  }
  static void change(io::Checkpoint& file, const std::string& path, const Value& value) {
    Value& member = path.starts_with("train") ? file.train : path.starts_with("writer") ? file.writer : file.optimizer;
    member = changed(member, path.substr(path.find('.') + 1), value);
  }
  SmallRun& run() { return run_; }

 private:
  static Value changed(const Value& object, const std::string& path, const Value& value) {
    const auto dot = path.find('.');
    const std::string key = path.substr(0, dot);
    if (dot != path.npos) return Value(object).set(key, changed(object.at(key), path.substr(dot + 1), value));
    return value.isNull() ? without(object, key) : Value(object).set(key, value);
  }

  TempFolder folder_;
  SmallRun run_;
  std::string before_;
};

/// With that member of every parameter of the optimiser.
std::function<void(io::Checkpoint&)> parameters(const std::string& key, const Value& value) {
  return [=](io::Checkpoint& file) {
    Value list = Value::array();
    for (Value p : file.optimizer.at("parameters").elements())
      list.push(value.isNull() ? without(p, key) : p.set(key, value));
    file.optimizer.set("parameters", list);
  };
}

SmallOptions withBest() {
  SmallOptions options = rich();
  options.trainer.best = optim::BestOptions{};
  return options;
}

}  // namespace

TEST_CASE("every field of a run that is missing or of another kind is refused with file and field") {
  Spoiler file;
  const char* const fields[] = {"train.epoch",
                                "train.epochs",
                                "train.batch",
                                "train.step",
                                "train.samples_in_epoch",
                                "train.correct_in_epoch",
                                "train.loss_sum_in_epoch",
                                "train.seed",
                                "train.program_calls",
                                "train.streams",
                                "train.clip_norm",
                                "train.label_smoothing",
                                "train.data",
                                "train.data.count",
                                "train.data.batch",
                                "train.data.shuffle",
                                "train.data.drop_last",
                                "train.ema.decay",
                                "train.ema.updates",
                                "optimizer.type",
                                "optimizer.step",
                                "optimizer.lr",
                                "optimizer.lr_factor",
                                "optimizer.options",
                                "optimizer.parameters"};
  for (const char* field : fields) {
    file.refuses(field, Value());
    if (field != std::string("optimizer.type")) file.refuses(field, "x");
    file.refuses(field, field == std::string("optimizer.parameters") ? Value(5) : Value::array({true}));
  }
  for (const char* field : {"train.ema", "train.accumulate", "train.steps_elsewhere", "train.stream_calls",
                            "train.streams.3", "writer.ranks", "train.plateau", "train.best"})
    file.refuses(field, Value::array({5}));
  for (const char* sum : {"train.data.crc32", "train.data.contents_crc32"}) file.refuses(sum, 5);
  for (const char* key : {"name", "step", "lr", "weight_decay"}) {
    const std::string owner = key == std::string("name") ? "0" : "0.weight";
    file.refuses("optimizer.parameters." + owner + "." + key, parameters(key, Value()));
    file.refuses("optimizer.parameters." + owner + "." + key, parameters(key, Value::array({true})));
  }
  file.refuses("optimizer.parameters.0", [](io::Checkpoint& c) { c.optimizer.set("parameters", Value::array({5})); });
}

TEST_CASE("positions outside the data are refused") {
  Spoiler file;
  const auto resumed = [&](const char* key, i64 value) {
    return file.resumed([&](io::Checkpoint& c) { c.train.set(key, value); });
  };
  CHECK(contains(resumed("batch", 7), "epoch 0, batch 7, is outside the data of 6 batches"));
  CHECK(contains(resumed("batch", -1), "is outside the data"));
  CHECK(contains(resumed("epoch", -1), "is outside the data"));
  file.refuses("train.seed", -5);
}

TEST_CASE("numbers of a run that are out of their range are refused by name") {
  Spoiler file;
  for (const char* field : {"train.samples_in_epoch", "train.correct_in_epoch", "train.program_calls", "train.step",
                            "train.ema.updates", "train.streams.3", "optimizer.step"}) {
    file.refuses(field, "-1", "an integer, 0 to 4611686018427387904");
    file.refuses(field, largest, "an integer, 0 to 4611686018427387904");
    file.refuses(field, "4611686018427387905");
  }
  for (const char* field : {"train.epoch", "train.batch"}) file.refuses(field, largest);
  for (const char* field :
       {"train.epochs", "train.data.count", "train.data.batch", "writer.ranks", "train.accumulate"}) {
    file.refuses(field, Value(0));
    file.refuses(field, largest);
  }
  for (const double bad : {nan, infinity, -infinity}) file.refuses("train.loss_sum_in_epoch", bad, "a finite number");
  for (const double bad : {-0.5, infinity, nan}) {
    file.refuses("optimizer.lr_factor", bad, "a finite number, 0 or more");
    file.refuses("optimizer.lr", bad, "a finite number, 0 or more");
  }
  for (const double bad : {-0.5, nan}) file.refuses("train.clip_norm", bad);
  file.refuses("optimizer.parameters.0.weight.step", parameters("step", "-1"));
  file.refuses("optimizer.parameters.0.weight.step", parameters("step", largest));
}

TEST_CASE("fields of a run that contradict each other are refused") {
  Spoiler file;
  file.refuses("train.samples_in_epoch", "13", "12 in 3 batches");
  file.refuses("train.correct_in_epoch", "13", "at most the 12 samples");
  file.refuses("train.epoch", 3, "at most the 2 epochs");
  file.refuses(
      "train.batch", [](io::Checkpoint& c) { c.train.set("epoch", 2); }, "0 behind the last epoch");
  // Step counts against the position and each other.
  file.refuses("optimizer.step", "4", "3, the train.step");
  file.refuses("train.step", "4", "3 in epoch 0, batch 3");
  file.refuses("train.step", [](io::Checkpoint& c) {
    c.train.set("step", "9");
    c.optimizer.set("step", "9");
  });
  file.refuses("train.step", "2");
  file.refuses(
      "train.step", [](io::Checkpoint& c) { c.train.set("epoch", 1); }, "9 in epoch 1, batch 3");
  file.refuses(
      "train.step", [](io::Checkpoint& c) { c.train.set("steps_elsewhere", "1"); }, "4 in epoch 0, batch 3");
  file.refuses("optimizer.parameters.0.weight.step", parameters("step", "4"), "at most the 3 of the optimizer");
  // Without a place for steps of another cut (an older file) each epoch took one at least.
  const auto older = [](const char* step) {
    return [=](io::Checkpoint& c) {
      c.train = without(c.train, "steps_elsewhere");
      c.train.set("step", step);
      c.optimizer.set("step", step);
    };
  };
  file.refuses("train.step", older("2"), "3 or more");
  for (const double decay : {0.0, 1.0}) file.refuses("train.ema.decay", decay, "a number between 0 and 1");
  // Random streams.
  file.refuses(
      "train.stream_calls", [](io::Checkpoint& c) { c.train.set("streams", Value::object()); }, "0, the sum");
  file.refuses(
      "train.stream_calls",
      [](io::Checkpoint& c) {
        c.train.set("streams", {{"3", "2"}});
      },
      "2, the sum");
  CHECK(file.resumed([](io::Checkpoint& c) {
    c.train.set("streams", {{"3", "1"}, {"5", "4611686018427387904"}});
    c.train.set("stream_calls", "4611686018427387904");
  }) == "no error");
  CHECK(file.resumed(older("3")) == "no error");
}

TEST_CASE("a run goes on from each of its positions, the last whole batch of an epoch included") {
  for (i64 steps = 0; steps <= 2 * batches; ++steps) {
    CAPTURE(steps);
    CHECK(Spoiler(steps).resumed([](io::Checkpoint&) {}) == "no error");
  }
}

TEST_CASE("a sum of losses over no samples is 0, and of cross-entropy never negative") {
  Spoiler file(batches);
  for (const double bad : {1.0, -1.0, infinity, nan}) file.refuses("train.loss_sum_in_epoch", bad);
  Spoiler within;
  const auto negative = [](io::Checkpoint& c) { c.train.set("loss_sum_in_epoch", -0.5); };
  const std::string message = within.resumed(negative);
  CHECK_MESSAGE(contains(message, "[resume] StateError: \"train.loss_sum_in_epoch\" is -0.5"), message);
  CHECK(contains(message, "bad.json"));
  // Another loss may be negative.
  SmallOptions own = rich();
  own.trainer.loss = [](const Tensor& output, const Tensor&) { return output.mean() - 100; };
  Spoiler free(3, own);
  CHECK(free.resumed([](io::Checkpoint& c) { CHECK(c.train.get<double>("loss_sum_in_epoch") < 0); }) == "no error");
}

TEST_CASE("what a run says of its best epoch must be of an epoch that is over, and a number") {
  Spoiler file(batches + 2, withBest());
  file.refuses("train.best.epoch", 1, "an integer, -1 to 0");
  file.refuses("train.best.epoch", largest);
  file.refuses("train.best.epoch", -2);
  file.refuses(
      "train.best.value", [](io::Checkpoint& c) { Spoiler::change(c, "train.best.epoch", -1); },
      "none, for there is no best epoch");
  file.refuses("train.best.value", Value(), "the metric of epoch 0");
  file.refuses("train.best.value", nan, "a number");
  file.refuses("train.best.bad", "1", "an integer, 0 to 0");
  file.refuses("train.best.bad", "-1");
  file.refuses("train.best.kept", 0.5, "none, for there is no best epoch or no file");
  file.refuses(
      "train.best.kept",
      [](io::Checkpoint& c) {
        Spoiler::change(c, "train.best.file", "best.json");
        Spoiler::change(c, "train.best.kept", c.train.get<double>({"best", "value"}) - 1e-3);
      },
      "no better than the best value");
  for (const char* field : {"train.best.metric", "train.best.maximize", "train.best.epoch", "train.best.bad"}) {
    file.refuses(field, Value());
    file.refuses(field, Value::array());
  }
  const std::string message =
      file.resumed([](io::Checkpoint& c) { Spoiler::change(c, "train.best.metric", "accuracy"); });
  CHECK_MESSAGE(contains(message, "[resume] StateError: \"train.best\" does not fit: "), message);
  CHECK(contains(message, "bad.json"));
  for (const bool maximize : {false, true}) {  // the epoch that is kept is the best one, as a rule
    SmallOptions options = withBest();
    options.trainer.best->maximize = maximize;
    Spoiler kept(batches + 2, options);
    CHECK(kept.resumed([](io::Checkpoint& c) {
      Spoiler::change(c, "train.best.file", "best.json");
      Spoiler::change(c, "train.best.kept", c.train.get<double>({"best", "value"}));
    }) == "no error");
  }
}

TEST_CASE("the state of a plateau that no plateau has is refused with file and field") {
  SmallOptions options = rich();
  options.trainer.plateau = optim::PlateauOptions{.patience = 1};
  Spoiler file(batches + 2, options);
  for (const auto& bad :
       {std::pair("bad", Value(2)), std::pair("factor", Value("NaN")), std::pair("cooling", Value(1))}) {
    const std::string message = file.resumed(
        [&](io::Checkpoint& c) { Spoiler::change(c, std::string("train.plateau.state.") + bad.first, bad.second); });
    CHECK_MESSAGE(contains(message, "\"train.plateau.state\" does not fit: "), message);
    CHECK(contains(message, "bad.json"));
  }
  file.refuses("train.plateau.state", Value());
}

TEST_CASE("streams and frozen parameters that the net has not are refused, with the file") {
  Spoiler file;
  std::string message = file.resumed([](io::Checkpoint& c) { c.train.set("streams", {{"9.dropout", "3"}}); });
  CHECK_MESSAGE(contains(message, "\"train.streams\" counts for \"9.dropout\", which is no module"), message);
  CHECK(contains(message, "bad.json"));
  for (const Value& bad : {Value(5), Value("0.weight"), Value::array({5}), Value::array({"0.wieght"})}) {
    message = file.resumed([&](io::Checkpoint& c) { c.extra.set("frozen", bad); });
    CHECK_MESSAGE(contains(message, "bad.json\": \"frozen\" "), message);
  }
  CHECK(file.resumed([&](io::Checkpoint& c) { c.extra.set("frozen", Value::array({"0.weight"})); }) == "no error");
  CHECK_FALSE(file.run().net.namedParameters()[0].tensor.requiresGrad());
}

TEST_CASE("a run of several ranks had other batches: it is refused, or its open epoch begins anew") {
  Spoiler file;
  const auto ranks = [](io::Checkpoint& c) { c.writer.set("ranks", 4); };
  const std::string message = file.resumed(ranks);
  CHECK_MESSAGE(contains(message, "the saved run shared its batches among 4 ranks, here is 1"), message);
  CHECK(contains(message, "bad.json"));
  // A file that does not say how many there were is one rank's.
  CHECK(file.resumed([](io::Checkpoint& c) { c.writer = without(c.writer, "ranks"); }) == "no error");

  const TempFolder folder;
  saveThreeSteps(folder / "run.json");
  io::Checkpoint saved = io::readCheckpoint(folder / "run.json");
  ranks(saved);
  io::writeCheckpoint(folder / "run.json", saved);
  SmallRun run(rich());
  const Warnings warnings;
  run.trainer->resume(folder / "run.json", {.acceptChanges = true});
  CHECK(contains(warnings.said, "among 4 ranks"));
  CHECK(run.trainer->batch() == 0);
  CHECK(run.optimizer->steps() == 3);
}

TEST_CASE(
    "a run that changed its batches or took over an optimiser that had stepped before is saved so that it loads") {
  const TempFolder folder;
  SmallRun first(rich());
  first.steps(batches + 2);
  first.trainer->save(folder / "a.json");
  SmallOptions other = rich();
  other.trainer.batchSize = 5;
  SmallRun second(other);
  const Warnings warnings;
  second.trainer->resume(folder / "a.json", {.acceptChanges = true});
  second.steps(1);
  second.trainer->save(folder / "b.json");
  SmallRun third(other);
  CHECK_NOTHROW(third.trainer->resume(folder / "b.json"));
  CHECK(third.trainer->epoch() == 1);
  CHECK(third.optimizer->steps() == batches + 3);
  CHECK(optim::readRun("b.json", io::readCheckpoint(folder / "b.json")).step == batches + 3);
  // The same optimiser in a trainer of its own.
  optim::Trainer again(third.net, *third.optimizer, third.data, other.trainer);
  again.step();
  again.save(folder / "c.json");
  CHECK_NOTHROW(again.resume(folder / "c.json"));
}
