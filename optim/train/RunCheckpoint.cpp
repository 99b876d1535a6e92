#include <algorithm>

#include <ember/core/Error.h>
#include <ember/core/Random.h>
#include <ember/core/Shortage.h>
#include <ember/core/Warn.h>
#include <ember/core/io/AtomicFile.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/core/io/Crc32.h>
#include <ember/nn/Checkpoint.h>
#include <ember/nn/PlannedLoad.h>
#include <ember/optim/train/DataSum.h>
#include <ember/optim/train/ResumeChecks.h>
#include <ember/optim/train/Trainer.h>

// A run in one file: the net as save() writes it, the optimiser's slots as "optim/SLOT/PARAMETER", the averages as
// "ema/NAME"; everything else is in the header. Loading first compares all of it with what is here, then writes.

namespace ember::optim {

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
  Value data = value.at("data");
  if (dataSums_.samples) data.set("crc32", io::crcText(*dataSums_.samples));
  if (dataSums_.contents) data.set("contents_crc32", io::crcText(*dataSums_.contents));
  value.set("data", std::move(data));
  i64 streamCalls = 0;
  for (const auto& [path, calls] : net_.streams()) streamCalls += calls;
  value.set("stream_calls", Value::counter(streamCalls));
  value.set("steps_elsewhere",
            Value::counter(optimizer_.steps() - stepsOf(epoch_, batch_, batches_, options_.accumulate)));
  if (options_.accumulate != 1) value.set("accumulate", options_.accumulate);
  if (plateau_) value.set("plateau", {{"options", plateau_->description()}, {"state", plateau_->state()}});
  if (best_) value.set("best", best_->state());
  if (ema_) value.set("ema", {{"decay", ema_->decay()}, {"updates", Value::counter(ema_->updates())}});
  return value;
}

void Trainer::sumData() {
  if (summed_) return;
  // get() may be called from the loader's thread, but nobody promised that two threads may call it at once. The next
  // step opens the loader again where it was.
  closeLoader();
  dataSums_ = dataSums(train_);
  summed_ = true;
}

io::Checkpoint Trainer::checkpoint(bool selfTest) const {
  io::Checkpoint run = nn::checkpointOf(net_, {.selfTest = selfTest});
  run.train = position();
  run.optimizer = optimizer_.state();
  run.scheduler = options_.schedule.description();
  for (const nn::Parameter& p : slotsAndAverages()) {
    const std::string role = p.name.starts_with("ema/") ? "ema" : "optim." + p.name.substr(6, p.name.find('/', 6) - 6);
    run.tensors.push_back({p.name, role, p.tensor.array()});
  }
  return run;
}

void Trainer::checkSavable() const {
  struct Nowhere final : io::ByteSink {
    void write(std::string_view) override {}
  } nowhere;
  const io::Checkpoint run = checkpoint(false);
  io::writeCheckpoint(nowhere, run);
  try {
    readRun("the file", run);
  } catch (const IoError& error) {
    throw ValueError("Trainer", "the run could be saved, but not gone on from: " + error.headline(), {},
                     "take options within their ranges");
  }
}

void Trainer::save(const std::string& path) {
  try {
    sumData();
  } catch (const std::exception& error) {
    memory::passShortage();
    // A sample that cannot be read now is no reason to lose what was trained; it is tried again with the next save.
    warnOnce(path + " is saved without a check sum of its data: " + error.what());
  }
  const io::Checkpoint run = checkpoint(true);
  std::string savedIn = path;  // behind the save nothing may fail
  try {
    io::writeCheckpoint(path, run);
  } catch (const io::NotDurable&) {
    savedIn_ = std::move(savedIn);
    throw;
  }
  savedIn_ = std::move(savedIn);
}

std::vector<std::string> Trainer::differences(const std::string& path, const io::Checkpoint& saved, bool accept) const {
  RunDifferences differences(path, accept);
  if (const std::string text = firstDifference(options_.schedule.description(), saved.scheduler); !text.empty())
    differences.add("the saved schedule is another one: " + text,
                    "use the epochs, batch size and schedule of the saved run");
  if (!accept) {
    optimizer_.checkState(saved.optimizer, path);
  } else {
    const Value here = optimizer_.state(), merged = withRatesOf(here, saved.optimizer);
    optimizer_.checkState(merged, path);
    if (const std::string text = firstDifference(merged, saved.optimizer); !text.empty())
      differences.add("the optimiser's " + text, {});
  }
  const Value now = position();
  for (const char* key : {"data", "clip_norm", "label_smoothing", "transforms"}) {
    if (key == std::string_view("transforms") && !saved.train.has(key)) {
      warnOnce(path + " does not say how its training pictures were transformed; it was saved by an older version");
      continue;
    }
    const std::string text = firstDifference(withoutSum(now.at(key)), withoutSum(saved.train.at(key)));
    if (!text.empty())
      differences.add("\"" + std::string(key) + "\" of the saved run differs: " + text,
                      "use the data and options of the saved run");
  }
  compareDataSums(path, saved.train.at("data"), dataSums_, differences);
  if (saved.train.has("ema") != (ema_ != nullptr) ||
      (ema_ && saved.train.get<double>({"ema", "decay"}) != ema_->decay())) {
    refuseRun(path, "the saved run averages its weights otherwise", "use the emaDecay of the saved run");
  }
  if (const i64 ranks = saved.writer.isObject() ? saved.writer.get<i64>("ranks", 1) : 1; ranks != ranksHere) {
    differences.add("the saved run shared its batches among " + std::to_string(ranks) + " ranks, here is " +
                        std::to_string(ranksHere),
                    "resume with as many ranks");
  }
  if (const i64 batches = saved.train.get<i64>("accumulate", 1); batches != options_.accumulate) {
    differences.add("the saved run takes " + std::to_string(batches) + " batches a step, this one " +
                        std::to_string(options_.accumulate),
                    "use the accumulate of the saved run");
  }
  if (saved.train.has("plateau") != plateau_.has_value() ||
      (plateau_ && !(saved.train.at("plateau").at("options") == plateau_->description()))) {
    differences.add("the saved run reduces its rate on plateaus otherwise", "use the plateau options of the saved run");
  }
  return differences.list();
}

void Trainer::resume(const std::string& path, const ResumeOptions& options) {
  const io::Checkpoint file = io::readCheckpoint(path);

  // Phase one: everything must fit before anything changes.
  if (file.train.isNull() || file.optimizer.isNull()) {
    refuseRun(path, "the file holds a net but no run: it has no optimiser state",
              "load() takes the net's values from it; resume() needs a file of Trainer.save()");
  }
  RunFile run = readRun(path, file);
  nn::PlannedLoad values(file, net_, {}, path);
  sumData();
  const Value& train = file.train;
  const std::vector<std::string> changes = differences(path, file, options.acceptChanges);
  if (!options_.loss && run.lossSum < 0)
    refuseRun(path,
              "\"train.loss_sum_in_epoch\" is " + Value(run.lossSum).dump() + ", but cross-entropy is never below 0",
              "give the loss of the saved run; if it was this one the file is damaged: use an older one");
  const Value state = options.acceptChanges ? withRatesOf(optimizer_.state(), file.optimizer) : file.optimizer;
  const u64 seed = options.acceptChanges ? *options_.seed : run.seed;
  const Value data = position().at("data");
  const bool sameBatches =
      seed == run.seed && run.ranks == ranksHere && withoutSum(data) == withoutSum(train.at("data"));
  if (!sameBatches) {  // so many batches of another cut or order are another part of the data
    run.batch = run.samples = run.correct = 0;
    run.lossSum = 0;
  }
  std::optional<ReduceOnPlateau> plateau = plateau_;
  const Value* rated = train.find("plateau");
  if (plateau && rated && rated->at("options") == plateau->description())
    ofRun(path, "train.plateau.state", [&] { plateau->restore(rated->at("state")); });
  std::optional<BestEpoch> best = best_;
  if (const Value* known = train.find("best")) {
    const bool other = best && options.acceptChanges && known->get<std::string>("metric") != best->options().name;
    if (best && !other)
      ofRun(path, "train.best", [&] { best->restore(*known); });
    else if (!best)
      warnOnce(path + " knows the best epoch of its run, this trainer does not look for it: it is forgotten");
  }
  checkStreamNames(path, run, net_);
  const nn::Parameters here = slotsAndAverages();
  Tensors stored;
  for (core::NDArray& array : matchingTensors(path, here, file)) stored.emplace_back(std::move(array));
  nn::Parameters parameters = net_.namedParameters();
  std::vector<bool> trains;
  for (const nn::Parameter& p : parameters) trains.push_back(!values.frozen().contains(p.name));
  warnOfOtherMachine(path, file.writer);
  for (const std::string& change : changes) warnOnce(path + ": " + change + "; what is here holds from now on");
  std::string savedIn = changes.empty() && seed == run.seed ? path : std::string();

  // Phase two: nothing below can fail. setStreams takes its memory first and is the first to write.
  net_.setStreams(run.streams);
  values.commit();
  const NoGrad guard;
  for (std::size_t i = 0; i < here.size(); ++i) Tensor(here[i].tensor).copy_(stored[i], "resume");
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    parameters[i].tensor.setRequiresGrad(trains[i]);
    parameters[i].tensor.zeroGrad();
  }
  optimizer_.restore(state);
  if (ema_) ema_->setUpdates(run.averaged);
  plateau_ = std::move(plateau);
  best_ = std::move(best);
  ember::seed(seed);
  options_.seed = seed;
  random::setProgramCalls(run.programCalls);
  closeLoader();
  epoch_ = run.epoch;
  batch_ = run.batch;
  seen_ = run.samples;
  correct_ = run.correct;
  lossSum_ = run.lossSum;
  savedIn_ = std::move(savedIn);
}

}  // namespace ember::optim
