#include <ember/optim/train/ResumeChecks.h>

#include <cmath>
#include <map>
#include <set>

#include <ember/core/Error.h>
#include <ember/core/Warn.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/core/io/CheckpointEntry.h>
#include <ember/core/io/Crc32.h>
#include <ember/core/io/Text.h>
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
  constexpr std::size_t longestList = 20;
  std::size_t count = 0;
  Error::Details wrong;  // the first of them
  const auto report = [&](const char* how, const auto& text) {
    if (++count <= longestList) wrong.emplace_back(how, text());
  };
  std::vector<std::string> names;
  std::vector<core::NDArray> found;
  for (const nn::Parameter& p : here) {
    names.push_back(p.name);
    const auto entry = stored.find(p.name);
    if (entry == stored.end()) {
      report("missing", [&] { return p.name; });
      continue;
    }
    found.push_back(entry->second->array);
    if (found.back().shape() != p.tensor.shape() || found.back().dtype() != p.tensor.dtype()) {
      report("differs", [&] {
        return core::describe((p.name + ": file").c_str(), found.back()) + ", here" +
               core::describe("", p.tensor.array());
      });
    }
    stored.erase(entry);
  }
  for (const auto& entry : stored) {
    report("unexpected", [&] {  // a nearest name takes its time: not for half a million
      const auto near = nn::nearestName(entry.first, names);
      return io::inQuotes(entry.first) + (near ? "; did you mean \"" + *near + "\"?" : std::string());
    });
  }
  if (count == 0) return found;
  if (count > longestList) wrong.emplace_back("...", std::to_string(count - longestList) + " more");
  wrong.insert(wrong.begin(), {"file", path});
  throw StateError("resume", std::to_string(count) + " tensors of the run do not fit; nothing was changed", wrong,
                   "make net and optimiser as they were when the run was saved");
}

void checkStreamNames(const std::string& path, const RunFile& run, const nn::Module& net) {
  std::set<std::string> modules;
  for (const auto& [name, module] : net.namedModules()) modules.insert(name);
  for (const auto& [name, calls] : run.streams) {
    if (!modules.contains(name))
      refuseRun(path, "\"train.streams\" counts for " + io::inQuotes(name) + ", which is no module of the net",
                "build the net as it was saved, or use an older file");
  }
}

Value withoutSum(const Value& data) {
  if (!data.isObject()) return data;
  Value rest = Value::object();
  for (const auto& [key, member] : data.members()) {
    if (key != "crc32" && key != "contents_crc32") rest.set(key, member);
  }
  return rest;
}

void compareDataSums(const std::string& path, const Value& saved, const DataSums& here, RunDifferences& differences) {
  const Value *samples = saved.find("crc32"), *contents = saved.find("contents_crc32");
  const auto compare = [&](const Value& sum, u32 now) {
    if (const std::string text = sum.as<std::string>(); text != io::crcText(now))
      differences.add("the training data are not those of the saved run: their check sum was " + text +
                          ", here it is " + io::crcText(now),
                      "give the data of the saved run, in its order and prepared in the same way");
  };
  if (!samples) {
    warnOnce(path + " has no check sum of its data (an older version saved it, or get() draws at random); whether the" +
             " data here are the same is not checked");
  } else if (!here.samples) {
    warnOnce("two reads of one sample differ: whether the data are those of " + path + " is not checked");
  } else {
    compare(*samples, *here.samples);
    if (contents && here.contents && samples->as<std::string>() == io::crcText(*here.samples))
      compare(*contents, *here.contents);
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
    const std::string text = io::shortText(*saved);
    const std::string was = threads ? text + " threads" : std::string(name) + " " + text;
    warnOnce(path + " was saved with " + was + ", here " + (threads ? "are " : "it is ") + now->dump() +
             ": the run continues, but not bit for bit");
  }
}

}  // namespace ember::optim
