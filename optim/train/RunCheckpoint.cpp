#include <algorithm>
#include <cmath>
#include <map>

#include <ember/core/Error.h>
#include <ember/core/Random.h>
#include <ember/core/Threads.h>
#include <ember/core/Warn.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/core/io/Crc32.h>
#include <ember/nn/Checkpoint.h>
#include <ember/nn/Pattern.h>
#include <ember/nn/PlannedLoad.h>
#include <ember/optim/train/DataSum.h>
#include <ember/optim/train/Trainer.h>

// A run in one file: the net as save() writes it, the optimiser's slots as "optim/SLOT/PARAMETER", the averages as
// "ema/NAME"; everything else is in the header. Loading first compares all of it with what is here, then writes.

namespace ember::optim {
namespace {

[[noreturn]] void refuse(const std::string& path, const std::string& what, const char* help) {
  throw StateError("resume", what, {{"file", path}, {"state", "nothing was changed"}}, help);
}

// The tensors of the file that belong to the optimiser and the average, in the order of `here`. Lists all that is
// missing, unexpected or of another shape at once.
std::vector<core::NDArray> matching(const std::string& path, const nn::Parameters& here, const io::Checkpoint& file) {
  std::map<std::string, const io::CheckpointTensor*> stored;
  for (const io::CheckpointTensor& tensor : file.tensors) {
    if (tensor.role != "param" && tensor.role != "buffer") stored[tensor.name] = &tensor;
  }
  Error::Details wrong;
  std::vector<std::string> names;
  std::vector<core::NDArray> found;
  for (const nn::Parameter& p : here) {
    names.push_back(p.name);
    const auto entry = stored.find(p.name);
    if (entry == stored.end()) {
      wrong.emplace_back("missing", p.name);
      continue;
    }
    found.push_back(entry->second->array);
    if (found.back().shape() != p.tensor.shape() || found.back().dtype() != p.tensor.dtype()) {
      wrong.emplace_back("differs", core::describe((p.name + ": file").c_str(), found.back()) + ", here" +
                                        core::describe("", p.tensor.array()));
    }
    stored.erase(entry);
  }
  for (const auto& [name, tensor] : stored) {
    const auto near = nn::nearestName(name, names);
    wrong.emplace_back("unexpected", name + (near ? "; did you mean \"" + *near + "\"?" : std::string()));
  }
  if (wrong.empty()) return found;
  const std::size_t count = wrong.size();
  if (wrong.size() > 20) {
    wrong.resize(20);
    wrong.emplace_back("...", std::to_string(count - 20) + " more");
  }
  wrong.insert(wrong.begin(), {"file", path});
  throw StateError("resume", std::to_string(count) + " tensors of the run do not fit; nothing was changed", wrong,
                   "make net and optimiser as they were when the run was saved");
}

// What no run can have written: a file that was changed by hand, or by a fault that its check sums cannot tell.
void checkHeader(const std::string& path, const io::Checkpoint& file) {
  const auto require = [&](bool right, const std::string& field, const std::string& value,
                           const std::string& expected) {
    if (right) return;
    throw IoError("resume", "\"" + field + "\" is " + value + ", expected " + expected,
                  {{"file", path}, {"state", "nothing was changed"}}, "the file is damaged; use an older one");
  };
  const auto count = [&](const std::string& field, i64 value) {
    require(value >= 0, field, std::to_string(value), "0 or more");
    return value;
  };
  const Value &train = file.train, &optimizer = file.optimizer;
  const i64 epoch = train.get<i64>("epoch"), epochs = train.get<i64>("epochs"), batch = train.get<i64>("batch");
  require(epoch <= epochs, "train.epoch", std::to_string(epoch), "at most the " + std::to_string(epochs) + " epochs");
  require(epoch < epochs || batch == 0, "train.batch", std::to_string(batch), "0 behind the last epoch");
  count("train.step", train.get<i64>("step"));
  count("train.program_calls", train.get<i64>("program_calls"));
  for (const auto& [name, calls] : train.at("streams").members()) count("train.streams." + name, calls.as<i64>());
  const i64 samples = count("train.samples_in_epoch", train.get<i64>("samples_in_epoch")),
            correct = count("train.correct_in_epoch", train.get<i64>("correct_in_epoch"));
  const i64 size = train.get<i64>({"data", "count"}), batchSize = train.get<i64>({"data", "batch"});
  const i64 seen = batchSize > 0 && batch <= size / batchSize ? batch * batchSize : size;
  require(samples == seen, "train.samples_in_epoch", std::to_string(samples),
          std::to_string(seen) + " in " + std::to_string(batch) + " batches");
  require(correct <= samples, "train.correct_in_epoch", std::to_string(correct),
          "at most the " + std::to_string(samples) + " samples");
  const double loss = train.get<double>("loss_sum_in_epoch");
  require(std::isfinite(loss), "train.loss_sum_in_epoch", std::to_string(loss), "a finite number");
  if (train.has("ema")) count("train.ema.updates", train.get<i64>({"ema", "updates"}));

  count("optimizer.step", optimizer.get<i64>("step"));
  const double factor = optimizer.get<double>("lr_factor");
  require(std::isfinite(factor) && factor >= 0, "optimizer.lr_factor", std::to_string(factor),
          "a finite number, 0 or more");
  for (const Value& p : optimizer.at("parameters").elements())
    count("optimizer.parameters." + p.get<std::string>("name") + ".step", p.get<i64>("step"));
}

void warnOfThreads(const std::string& path, const Value& writer) {
  const Value* saved = writer.find("threads");
  if (!saved || !saved->isInt() || saved->as<i64>() == threads()) return;
  warnOnce(path + " was saved with " + saved->dump() + " threads, here are " + std::to_string(threads()) +
           ": the run continues, but not bit for bit");
}

// Of "data", all but the sum over its samples, which has a check of its own; other values as they are.
Value withoutSum(const Value& value) {
  if (!value.has("crc32")) return value;
  Value rest = Value::object();
  for (const auto& [key, member] : value.members()) {
    if (key != "crc32") rest.set(key, member);
  }
  return rest;
}

// Two data sets of one size are told apart by the sum over their samples.
void checkDataSum(const std::string& path, const Value* saved, std::optional<u32> here) {
  if (!saved) {
    warnOnce(path + " has no check sum of its data (an older version saved it, or get() draws at random); whether the" +
             " data here are the same is not checked");
  } else if (!here) {
    warnOnce("two reads of one sample differ: whether the data are those of " + path + " is not checked");
  } else if (const std::string text = saved->as<std::string>(); text != io::crcText(*here)) {
    refuse(path,
           "the training data are not those of the saved run: their check sum was " + text + ", here it is " +
               io::crcText(*here),
           "give the data of the saved run, in its order and prepared in the same way");
  }
}

}  // namespace

nn::Parameters Trainer::slotsAndAverages() const {
  nn::Parameters list;
  for (nn::Parameter& slot : optimizer_.namedSlots()) list.push_back({"optim/" + slot.name, slot.tensor, {}});
  if (ema_) {
    for (const nn::Parameter& average : ema_->averages()) list.push_back({"ema/" + average.name, average.tensor, {}});
  }
  return list;
}

Value Trainer::position() const {
  Value streams = Value::object();
  for (const auto& [path, calls] : net_.streams()) streams.set(path, Value::counter(calls));
  Value value{{"epoch", epoch_},
              // A run resumed with fewer epochs than it has is still a run of those.
              {"epochs", std::max(options_.epochs, epoch_ + (batch_ > 0 ? 1 : 0))},
              {"batch", batch_},
              {"step", Value::counter(optimizer_.steps())},
              {"samples_in_epoch", Value::counter(seen_)},
              {"correct_in_epoch", Value::counter(correct_)},
              {"loss_sum_in_epoch", lossSum_},
              {"seed", Value::counter(*options_.seed)},
              {"program_calls", Value::counter(random::programCalls())},
              {"streams", streams},
              {"clip_norm", options_.clipNorm},
              {"label_smoothing", options_.labelSmoothing},
              {"transforms", options_.transforms.description()},
              {"data",
               {{"count", train_.size()},
                {"batch", options_.batchSize},
                {"shuffle", options_.shuffle},
                {"drop_last", options_.dropLast}}}};
  if (dataSum_) {
    Value data = value.at("data");
    value.set("data", data.set("crc32", io::crcText(*dataSum_)));
  }
  if (options_.accumulate != 1) value.set("accumulate", options_.accumulate);
  if (plateau_) value.set("plateau", {{"options", plateau_->description()}, {"state", plateau_->state()}});
  if (ema_) value.set("ema", {{"decay", ema_->decay()}, {"updates", Value::counter(ema_->updates())}});
  return value;
}

void Trainer::sumData() {
  if (summed_) return;
  // get() may be called from the loader's thread, but nobody promised that two threads may call it at once. The next
  // step opens the loader again where it was.
  closeLoader();
  dataSum_ = dataSum(train_);
  summed_ = true;
}

void Trainer::save(const std::string& path) {
  try {
    sumData();
  } catch (const std::exception& error) {
    // A sample that cannot be read now is no reason to lose what was trained; it is tried again with the next save.
    warnOnce(path + " is saved without a check sum of its data: " + error.what());
  }
  io::Checkpoint checkpoint = nn::checkpointOf(net_);
  checkpoint.train = position();
  checkpoint.optimizer = optimizer_.state();
  checkpoint.scheduler = options_.schedule.description();
  for (const nn::Parameter& p : slotsAndAverages()) {
    const std::string role = p.name.starts_with("ema/") ? "ema" : "optim." + p.name.substr(6, p.name.find('/', 6) - 6);
    checkpoint.tensors.push_back({p.name, role, p.tensor.array()});
  }
  io::writeCheckpoint(path, checkpoint);
}

void Trainer::resume(const std::string& path) {
  const io::Checkpoint file = io::readCheckpoint(path);

  // Phase one: everything must fit before anything changes.
  if (file.train.isNull() || file.optimizer.isNull()) {
    refuse(path, "the file holds a net but no run: it has no optimiser state",
           "load() takes the net's values from it; resume() needs a file of Trainer.save()");
  }
  nn::PlannedLoad values(file, net_, {}, path);
  if (const std::string difference = firstDifference(options_.schedule.description(), file.scheduler);
      !difference.empty()) {
    refuse(path, "the saved schedule is another one: " + difference,
           "use the epochs, batch size and schedule of the saved run");
  }
  optimizer_.checkState(file.optimizer);
  sumData();
  const Value now = position();
  for (const char* key : {"data", "clip_norm", "label_smoothing", "transforms"}) {
    if (key == std::string_view("transforms") && !file.train.has(key)) {
      warnOnce(path + " does not say how its training pictures were transformed; it was saved by an older version");
      continue;
    }
    const std::string difference = firstDifference(withoutSum(now.at(key)), withoutSum(file.train.at(key)));
    if (!difference.empty()) {
      refuse(path, "\"" + std::string(key) + "\" of the saved run differs: " + difference,
             "use the data and options of the saved run");
    }
  }
  checkDataSum(path, file.train.at("data").find("crc32"), dataSum_);
  if (file.train.has("ema") != (ema_ != nullptr) ||
      (ema_ && file.train.get<double>({"ema", "decay"}) != ema_->decay())) {
    refuse(path, "the saved run averages its weights otherwise", "use the emaDecay of the saved run");
  }
  if (const i64 saved = file.train.get<i64>("accumulate", 1); saved != options_.accumulate) {
    refuse(path,
           "the saved run takes " + std::to_string(saved) + " batches a step, this one " +
               std::to_string(options_.accumulate),
           "use the accumulate of the saved run");
  }
  if (file.train.has("plateau") != plateau_.has_value() ||
      (plateau_ && !(file.train.at("plateau").at("options") == plateau_->description()))) {
    refuse(path, "the saved run reduces its rate on plateaus otherwise", "use the plateau options of the saved run");
  }
  std::optional<ReduceOnPlateau> plateau = plateau_;
  if (plateau) plateau->restore(file.train.at("plateau").at("state"));
  const i64 epoch = file.train.get<i64>("epoch"), batch = file.train.get<i64>("batch");
  if (epoch < 0 || batch < 0 || batch > batches_) {
    throw IoError(
        "resume",
        "its position, epoch " + std::to_string(epoch) + ", batch " + std::to_string(batch) + ", is outside the data",
        {{"file", path}, {"state", "nothing was changed"}}, "the file is damaged; use an older one");
  }
  checkHeader(path, file);
  const u64 seed = file.train.get<u64>("seed");
  const i64 seen = file.train.get<i64>("samples_in_epoch"), correct = file.train.get<i64>("correct_in_epoch"),
            calls = file.train.get<i64>("program_calls");
  const double lossSum = file.train.get<double>("loss_sum_in_epoch");
  std::vector<std::pair<std::string, i64>> streams;
  for (const auto& [name, value] : file.train.at("streams").members()) streams.emplace_back(name, value.as<i64>());
  std::vector<std::string> frozen;
  if (const Value* names = file.extra.find("frozen")) frozen = names->as<std::vector<std::string>>();
  const i64 averaged = ema_ ? file.train.get<i64>({"ema", "updates"}) : 0;
  const nn::Parameters here = slotsAndAverages();
  const std::vector<core::NDArray> stored = matching(path, here, file);
  warnOfThreads(path, file.writer);

  // Phase two: nothing below can fail. setStreams checks its names first and is the first to write.
  net_.setStreams(streams);
  values.commit();
  const NoGrad guard;
  for (std::size_t i = 0; i < here.size(); ++i) Tensor(here[i].tensor).copy_(Tensor(stored[i]), "resume");
  for (nn::Parameter& p : net_.namedParameters()) {
    p.tensor.setRequiresGrad(std::find(frozen.begin(), frozen.end(), p.name) == frozen.end());
    p.tensor.zeroGrad();
  }
  optimizer_.restore(file.optimizer);
  if (ema_) ema_->setUpdates(averaged);
  plateau_ = plateau;
  ember::seed(seed);
  options_.seed = seed;
  random::setProgramCalls(calls);
  closeLoader();
  epoch_ = epoch;
  batch_ = batch;
  seen_ = seen;
  correct_ = correct;
  lossSum_ = lossSum;
}

}  // namespace ember::optim
