#include <ember/optim/train/ResumeChecks.h>

#include <cmath>
#include <map>

#include <ember/core/Error.h>
#include <ember/core/Warn.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/core/io/Crc32.h>
#include <ember/nn/Pattern.h>

namespace ember::optim {

void refuseRun(const std::string& path, const std::string& what, const std::string& help) {
  throw StateError("resume", what, {{"file", path}, {"state", "nothing was changed"}}, help);
}

void RunDifferences::add(const std::string& what, const std::string& help) {
  if (!accept_) refuseRun(path_, what, help);
  list_.push_back(what);
}

std::vector<core::NDArray> matchingTensors(const std::string& path, const nn::Parameters& here,
                                           const io::Checkpoint& file) {
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

void checkRunNumbers(const std::string& path, const io::Checkpoint& file) {
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

Value withoutSum(const Value& data) {
  if (!data.has("crc32")) return data;
  Value rest = Value::object();
  for (const auto& [key, member] : data.members()) {
    if (key != "crc32") rest.set(key, member);
  }
  return rest;
}

void compareDataSums(const std::string& path, const Value* saved, std::optional<u32> here,
                     RunDifferences& differences) {
  if (!saved) {
    warnOnce(path + " has no check sum of its data (an older version saved it, or get() draws at random); whether the" +
             " data here are the same is not checked");
  } else if (!here) {
    warnOnce("two reads of one sample differ: whether the data are those of " + path + " is not checked");
  } else if (const std::string text = saved->as<std::string>(); text != io::crcText(*here)) {
    differences.add("the training data are not those of the saved run: their check sum was " + text + ", here it is " +
                        io::crcText(*here),
                    "give the data of the saved run, in its order and prepared in the same way");
  }
}

Value withRatesOf(const Value& here, const Value& saved) {
  Value state = saved;
  state.set("lr", here.at("lr")).set("options", here.at("options"));
  const auto& list = here.at("parameters").elements();
  Value parameters = Value::array();
  for (const Value& each : saved.at("parameters").elements()) {
    Value entry = each;
    if (parameters.size() < list.size()) {
      const Value& own = list[parameters.size()];
      entry.set("lr", own.at("lr")).set("weight_decay", own.at("weight_decay"));
    }
    parameters.push(entry);
  }
  return state.set("parameters", parameters);
}

void warnOfOtherMachine(const std::string& path, const Value& writer) {
  const Value here = io::writerInfo();
  for (const auto& [key, name] : {std::pair("threads", "threads"), std::pair("isa", "the instruction set"),
                                  std::pair("onednn", "oneDNN"), std::pair("onednn_isa", "oneDNN's instruction set")}) {
    const Value *saved = writer.find(key), *now = here.find(key);
    if (!saved || !now || *saved == *now) continue;
    const bool threads = now->isInt();
    const std::string was = threads ? saved->dump() + " threads" : std::string(name) + " " + saved->dump();
    warnOnce(path + " was saved with " + was + ", here " + (threads ? "are " : "it is ") + now->dump() +
             ": the run continues, but not bit for bit");
  }
}

}  // namespace ember::optim
