#include <ember/optim/train/RunFile.h>

#include <cmath>
#include <optional>

#include <ember/core/Error.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/core/io/CheckpointEntry.h>
#include <ember/core/io/Text.h>

namespace ember::optim {
namespace {

/// One object of the file and how messages call it ("train.data").
class Fields {
 public:
  Fields(const std::string& file, std::string name, const Value& object)
      : file_(file), name_(std::move(name)), object_(object) {
    if (!object.isObject()) refuse({}, &object, "an object");
  }

  [[noreturn]] void refuse(std::string_view key, const Value* got, const std::string& expected) const {
    std::string field = name_;
    if (!key.empty()) field.append(".").append(key);
    throw IoError("resume",
                  io::inQuotes(field) + " is " + (got ? io::shortText(*got) : "missing") + ", expected " + expected,
                  {{"file", file_}, {"state", "nothing was changed"}}, "the file is damaged; use an older one");
  }
  void require(bool right, std::string_view key, const std::string& expected) const {
    if (!right) refuse(key, object_.find(key), expected);
  }

  bool has(std::string_view key) const { return object_.has(key); }
  const Value::Members& members() const { return object_.members(); }
  Fields object(std::string_view key) const {
    require(has(key), key, "an object");
    return Fields(file_, name_ + "." + std::string(key), object_.at(key));
  }
  const Value::Elements& array(std::string_view key) const {
    require(has(key) && object_.at(key).isArray(), key, "an array");
    return object_.at(key).elements();
  }
  i64 integer(std::string_view key, i64 low, i64 high) const {
    const auto value = taken<i64>(key);
    const bool right = value && *value >= low && *value <= high;
    require(right, key, "an integer, " + std::to_string(low) + " to " + std::to_string(high));
    return *value;
  }
  i64 count(std::string_view key, i64 low = 0) const { return integer(key, low, mostCount); }
  u64 seed(std::string_view key) const {
    const auto value = taken<u64>(key);
    require(value.has_value(), key, "a seed, 0 to 2^64 - 1");
    return *value;
  }
  double number(std::string_view key) const {
    const auto value = taken<double>(key);
    require(value && !std::isnan(*value), key, "a number");
    return *value;
  }
  double finite(std::string_view key, double low) const {
    const auto value = taken<double>(key);
    require(value && std::isfinite(*value) && *value >= low, key,
            low == 0 ? "a finite number, 0 or more" : "a finite number");
    return *value;
  }
  std::string text(std::string_view key) const {
    require(has(key) && object_.at(key).isString(), key, "a string");
    return object_.get<std::string>(key);
  }
  bool flag(std::string_view key) const {
    const auto value = taken<bool>(key);
    require(value.has_value(), key, "true or false");
    return *value;
  }

 private:
  const std::string& file_;
  std::string name_;
  const Value& object_;

  template <class T>
  std::optional<T> taken(std::string_view key) const {
    const Value* value = object_.find(key);
    if (!value) return {};
    try {
      return value->as<T>();
    } catch (const ValueError&) {
      return {};
    }
  }
};

constexpr double lowest = -HUGE_VAL;

void checkPosition(const std::string& path, const Fields& train, RunFile& run) {
  const Fields data = train.object("data");
  const i64 size = data.count("count", 1), batchSize = data.count("batch", 1);
  data.flag("shuffle");
  const bool dropLast = data.flag("drop_last");
  for (const char* sum : {"crc32", "contents_crc32"}) {
    if (data.has(sum)) data.text(sum);
  }
  const i64 batches = size / batchSize + (!dropLast && size % batchSize != 0 ? 1 : 0);
  const i64 accumulate = train.has("accumulate") ? train.count("accumulate", 1) : 1;
  const i64 epochs = train.count("epochs", 1);
  run.epoch = train.integer("epoch", -mostCount, mostCount);
  run.batch = train.integer("batch", -mostCount, mostCount);
  if (run.epoch < 0 || run.batch < 0 || run.batch > batches) {
    throw IoError("resume",
                  "its position, epoch " + std::to_string(run.epoch) + ", batch " + std::to_string(run.batch) +
                      ", is outside the data of " + std::to_string(batches) + " batches",
                  {{"file", path}, {"state", "nothing was changed"}}, "the file is damaged; use an older one");
  }
  train.require(run.epoch <= epochs, "epoch", "at most the " + std::to_string(epochs) + " epochs");
  train.require(run.epoch < epochs || run.batch == 0, "batch", "0 behind the last epoch");
  // Before the product below is taken.
  train.require(run.epoch <= mostCount / 2 / std::max<i64>(batches, 1), "epoch",
                "fewer, for a run that can have been trained");

  run.step = train.count("step");
  const i64 steps = stepsOf(run.epoch, run.batch, batches, accumulate);
  const std::string place = "in epoch " + std::to_string(run.epoch) + ", batch " + std::to_string(run.batch);
  if (train.has("steps_elsewhere")) {
    const i64 elsewhere = train.integer("steps_elsewhere", -mostCount, mostCount);
    train.require(
        run.step == steps + elsewhere, "step",
        std::to_string(steps + elsewhere) + " " + place + " with " + std::to_string(elsewhere) + " elsewhere");
  } else {  // an older version: batches may have been others, but each epoch took a step
    const i64 least = run.epoch + stepsOf(0, run.batch, batches, accumulate);
    train.require(run.step >= least, "step", std::to_string(least) + " or more " + place);
  }

  run.samples = train.count("samples_in_epoch");
  const i64 seen = run.batch <= size / batchSize ? run.batch * batchSize : size;
  train.require(run.samples == seen, "samples_in_epoch",
                std::to_string(seen) + " in " + std::to_string(run.batch) + " batches");
  run.correct = train.count("correct_in_epoch");
  train.require(run.correct <= run.samples, "correct_in_epoch",
                "at most the " + std::to_string(run.samples) + " samples");
  run.lossSum = train.finite("loss_sum_in_epoch", lowest);
  train.require(run.samples > 0 || run.lossSum == 0, "loss_sum_in_epoch", "0 over no samples");
}

void checkStreams(const Fields& train, RunFile& run) {
  run.seed = train.seed("seed");
  run.programCalls = train.count("program_calls");
  const Fields streams = train.object("streams");
  i64 sum = 0;
  for (const auto& [name, calls] : streams.members()) {
    run.streams.emplace_back(name, streams.count(name));
    sum = std::min(sum + run.streams.back().second, mostCount);
  }
  if (train.has("stream_calls")) {  // a stream that is missing would begin anew
    train.require(train.count("stream_calls") == sum, "stream_calls",
                  std::to_string(sum) + ", the sum over the " + std::to_string(run.streams.size()) + " streams");
  }
}

void checkBest(const Fields& best, i64 epochs) {
  best.text("metric");
  const bool maximize = best.flag("maximize");
  const i64 epoch = best.integer("epoch", -1, epochs - 1);
  best.integer("bad", 0, epochs - 1 - epoch);
  if (best.has("patience")) best.count("patience");
  best.require(best.has("value") == (epoch >= 0), "value",
               epoch >= 0 ? "the metric of epoch " + std::to_string(epoch) : "none, for there is no best epoch");
  if (best.has("file")) best.text("file");
  if (best.has("value")) best.number("value");
  if (!best.has("kept")) return;
  const double kept = best.number("kept");
  best.require(best.has("value") && best.has("file"), "kept", "none, for there is no best epoch or no file");
  const double value = best.number("value");
  best.require(maximize ? kept <= value : kept >= value, "kept", "no better than the best value");
}

void checkOptimizer(const Fields& optimizer, i64 step) {
  optimizer.text("type");
  (void)optimizer.object("options");
  optimizer.finite("lr", 0);
  optimizer.finite("lr_factor", 0);
  const i64 steps = optimizer.count("step");
  optimizer.require(steps == step, "step", std::to_string(step) + ", the train.step");
}

void checkParameters(const std::string& path, const Fields& optimizer, i64 step) {
  std::size_t number = 0;
  for (const Value& entry : optimizer.array("parameters")) {
    const Value* name = entry.find("name");
    const std::string what = name && name->isString() ? name->as<std::string>() : std::to_string(number);
    const Fields parameter(path, "optimizer.parameters." + what, entry);
    parameter.text("name");
    parameter.finite("lr", 0);
    parameter.finite("weight_decay", 0);
    parameter.require(parameter.count("step") <= step, "step",
                      "at most the " + std::to_string(step) + " of the optimizer");
    ++number;
  }
}

}  // namespace

i64 stepsOf(i64 epoch, i64 batch, i64 batchesPerEpoch, i64 accumulate) {
  const auto steps = [&](i64 batches) { return batches / accumulate + (batches % accumulate != 0 ? 1 : 0); };
  return epoch * steps(batchesPerEpoch) + steps(batch);
}

RunFile readRun(const std::string& path, const io::Checkpoint& file) {
  RunFile run;
  const Fields train(path, "train", file.train), optimizer(path, "optimizer", file.optimizer);
  checkPosition(path, train, run);
  checkStreams(train, run);
  train.require(train.number("clip_norm") >= 0, "clip_norm", "0 or more");
  train.finite("label_smoothing", 0);
  if (train.has("ema")) {
    const Fields ema = train.object("ema");
    const double decay = ema.number("decay");
    ema.require(decay > 0 && decay < 1, "decay", "a number between 0 and 1");
    run.averaged = ema.count("updates");
  }
  if (train.has("plateau")) {
    (void)train.object("plateau").object("options");
    (void)train.object("plateau").object("state");
  }
  if (train.has("best")) checkBest(train.object("best"), run.epoch);
  checkOptimizer(optimizer, run.step);
  checkParameters(path, optimizer, run.step);
  if (file.writer.isObject() && file.writer.has("ranks"))
    run.ranks = Fields(path, "writer", file.writer).count("ranks", 1);
  return run;
}

}  // namespace ember::optim
