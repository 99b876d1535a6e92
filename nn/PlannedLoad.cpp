#include <ember/nn/PlannedLoad.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include <ember/autograd/Exchange.h>
#include <ember/core/Error.h>
#include <ember/core/Shortage.h>
#include <ember/core/Warn.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/core/io/CheckpointEntry.h>
#include <ember/core/io/Text.h>
#include <ember/core/kernels/Elementwise.h>
#include <ember/nn/Misfits.h>
#include <ember/nn/Pattern.h>
#include <ember/nn/SelfTest.h>

// Names are compared, then shapes, types and sharing, then architectures; last, the net runs with the values of the
// file in the place of its own. Only commit() changes anything.

namespace ember::nn {
namespace {

constexpr const char* op = "load";

/// Applies rename pairs to one name.
std::string renamed(const std::string& name, const LoadOptions& options) {
  for (const auto& [from, to] : options.rename) {
    if (!nn::matches(from, name)) continue;
    const auto star = from.find('*');
    if (star == from.npos) return to;
    const std::string middle = name.substr(star, name.size() - (from.size() - 1));
    std::string result = to;
    if (const auto place = to.find('*'); place != to.npos) result.replace(place, 1, middle);
    return result;
  }
  return name;
}

void checkOptions(const LoadOptions& options) {
  const auto stars = [](const std::string& text) { return std::count(text.begin(), text.end(), '*'); };
  for (const auto& [from, to] : options.rename) {
    if (stars(from) > 1 || stars(to) > stars(from)) {
      throw ValueError(op, "cannot rename " + io::inQuotes(from) + " to " + io::inQuotes(to), {},
                       "one * on each side at most, as in {\"backbone.*\", \"features.*\"}");
    }
  }
}

bool sameBytes(const core::NDArray& a, const core::NDArray& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::memcmp(a.raw(), b.raw(), static_cast<std::size_t>(a.bytes())) == 0;  // arrays of a file are dense
}

void compareModels(const io::Checkpoint& checkpoint, const nn::Module& module, const std::string& file) {
  if (checkpoint.model.isNull()) return;
  const std::string difference = firstDifference(checkpoint.model, module.architecture());
  if (difference.empty()) return;
  throw IoError(op, io::inQuotes(file) + " was saved from another net",
                {{"differs", difference + " (here: the file, there: the net)"}},
                "build the net as it was saved; compareModel = false loads the values all the same");
}

/// Values that no training gives on purpose: what is no number, and infinities but in buffers, where masks have them.
i64 brokenValues(const io::CheckpointTensor& tensor) {
  const core::NDArray& array = tensor.array;
  if (!isFloating(array.dtype()) || core::allFinite(array)) return 0;
  const bool masks = tensor.role == "buffer";
  i64 count = 0;
  for (const double value : array.toVector<double>()) count += std::isnan(value) || (!masks && std::isinf(value));
  return count;
}

void warnOfBrokenValues(const io::Checkpoint& checkpoint, const std::string& file) {
  i64 values = 0, tensors = 0;
  std::string first;
  for (const io::CheckpointTensor& tensor : checkpoint.tensors) {
    const i64 count = brokenValues(tensor);
    if (count > 0 && tensors++ == 0) first = tensor.name;
    values += count;
  }
  if (values == 0) return;
  warnOnce(file + " has " + std::to_string(values) + " values that are not finite in " + std::to_string(tensors) +
           " tensors, " + io::inQuotes(first) + " first: a net that trains on with them gives no numbers");
}

/// A member of the header that speaks of the net's tensors.
struct MemberOf {
  const std::string& file;
  const char* name;
  [[noreturn]] void refuse(const std::string& what) const {
    throw IoError(op, io::inQuotes(file) + ": \"" + name + "\" " + what, {},
                  "nothing was loaded; the file is damaged: take another copy");
  }
};

}  // namespace

std::set<std::string> frozenNames(const io::Checkpoint& checkpoint, const std::string& file) {
  std::set<std::string> frozen;
  const Value* names = checkpoint.extra.find("frozen");
  if (!names) return frozen;
  const MemberOf member{file, "frozen"};
  if (!names->isArray()) member.refuse("is " + io::shortText(*names) + ", expected an array of names");
  std::unordered_set<std::string_view> parameters;
  for (const io::CheckpointTensor& tensor : checkpoint.tensors) {
    if (tensor.role == "param") parameters.insert(tensor.name);
  }
  for (const Value& name : names->elements()) {
    if (!name.isString() || !parameters.contains(name.as<std::string>()))
      member.refuse("names " + io::shortText(name) + ", which is no parameter of the file");
    frozen.insert(name.as<std::string>());
  }
  return frozen;
}

std::vector<std::pair<std::string, std::string>> aliasesOf(const io::Checkpoint& checkpoint, const std::string& file) {
  std::vector<std::pair<std::string, std::string>> list;
  const Value* aliases = checkpoint.extra.find("aliases");
  if (!aliases) return list;
  const MemberOf member{file, "aliases"};
  if (!aliases->isObject()) member.refuse("is " + io::shortText(*aliases) + ", expected an object");
  std::unordered_set<std::string_view> saved;
  for (const io::CheckpointTensor& tensor : checkpoint.tensors) {
    if (tensor.role == "param" || tensor.role == "buffer") saved.insert(tensor.name);
  }
  for (const auto& [name, first] : aliases->members()) {
    if (!first.isString() || !saved.contains(first.as<std::string>()))
      member.refuse("gives " + io::inQuotes(name) + " as another name of " + io::shortText(first) +
                    ", which is no tensor of the net");
    if (saved.contains(name)) member.refuse("gives " + io::inQuotes(name) + ", which is a tensor of the file itself");
    list.emplace_back(name, first.as<std::string>());
  }
  return list;
}

/// The net's tensors of a file by the names that they have in the net, further names included.
class PlannedLoad::Stored {
 public:
  Stored(const io::Checkpoint& checkpoint, const LoadOptions& options, const std::string& file) {
    std::unordered_map<std::string_view, const io::CheckpointTensor*> saved;
    for (const io::CheckpointTensor& tensor : checkpoint.tensors) {
      if (tensor.role != "param" && tensor.role != "buffer") continue;
      saved.emplace(tensor.name, &tensor);
      add(renamed(tensor.name, options), tensor, file);
    }
    for (const auto& [name, first] : aliasesOf(checkpoint, file)) add(renamed(name, options), *saved.at(first), file);
  }

  const std::vector<std::string>& names() const noexcept { return names_; }
  const io::CheckpointTensor* find(const std::string& name) const {
    const auto found = byName_.find(name);
    return found == byName_.end() ? nullptr : found->second;
  }

 private:
  std::vector<std::string> names_;
  std::unordered_map<std::string, const io::CheckpointTensor*> byName_;

  void add(std::string name, const io::CheckpointTensor& tensor, const std::string& file) {
    if (!byName_.emplace(name, &tensor).second)
      throw ValueError(op, "rename gives two tensors of " + io::inQuotes(file) + " the name " + io::inQuotes(name));
    names_.push_back(std::move(name));
  }
};

/// Makes the tensors of pending modules in the shapes of a file, and takes them back unless they are kept.
class PlannedLoad::Materialised {
 public:
  Materialised(Module& net, const Stored& stored) {
    try {
      for (const auto& [path, module] : net.namedModules()) {
        if (!module->pending()) continue;
        const std::string prefix = path.empty() ? "" : path + ".";
        const auto shapeOf = [&](std::string_view name) -> std::optional<Shape> {
          const io::CheckpointTensor* found = stored.find(prefix + std::string(name));
          return found ? std::optional<Shape>(found->array.shape()) : std::nullopt;
        };
        modules_.push_back(module);  // first: there must be room to know what to undo
        if (!module->materialiseFrom(shapeOf)) modules_.pop_back();
      }
    } catch (...) {
      undo();
      throw;
    }
  }
  ~Materialised() { undo(); }
  Materialised(const Materialised&) = delete;
  Materialised& operator=(const Materialised&) = delete;
  void keep() noexcept { modules_.clear(); }

 private:
  std::vector<Module*> modules_;

  void undo() {
    for (Module* module : modules_) module->dematerialise();
  }
};

PlannedLoad::PlannedLoad(const io::Checkpoint& checkpoint, Module& module, const LoadOptions& options,
                         const std::string& file, Into into)
    : frozen_(frozenNames(checkpoint, file)), net_(module), into_(into) {
  checkOptions(options);
  const Stored stored(checkpoint, options, file);
  try {
    made_ = std::make_unique<Materialised>(module, stored);
  } catch (const Error& error) {
    memory::passShortage();
    throw IoError(op, io::inQuotes(file) + " does not fit a layer built without its size",
                  {{"reason", error.headline()}}, "nothing was loaded; build the layer with its size");
  }
  for (const auto& [path, part] : module.namedModules()) {
    if (!part->pending()) continue;
    throw IoError(
        op, io::inQuotes(file) + " has no tensors that tell the shapes of a layer built without them",
        {{"layer", io::inQuotes(path) + " (" + part->typeName() + ")"}, {"in the file", listed(stored.names())}},
        "nothing was loaded; run one forward first (summary(shape) will do), or build it with its size");
  }
  plan(stored, options, file);
  if (options.strict && options.compareModel && options.only == "*" && options.rename.empty())
    compareModels(checkpoint, module, file);
  if (options.selfTest) checkOutputs(checkpoint, options, file);
  warnOfBrokenValues(checkpoint, file);
}

PlannedLoad::~PlannedLoad() = default;

void PlannedLoad::plan(const Stored& stored, const LoadOptions& options, const std::string& file) {
  Misfits misfits;
  Parameters wanted = net_.namedParameters();
  for (Parameter& buffer : net_.namedBuffers()) wanted.push_back(std::move(buffer));
  std::vector<std::string> inNet;
  std::set<std::string> taken;
  std::unordered_map<const io::CheckpointTensor*, std::string> takenFrom;
  for (const Parameter& entry : wanted) {
    inNet.push_back(entry.name);
    const io::CheckpointTensor* found = stored.find(entry.name);
    if (!matches(options.only, entry.name) || !found) {
      report_.missing.push_back(entry.name);
      if (options.strict && matches(options.only, entry.name)) misfits.missing.push_back(entry.name);
      continue;
    }
    const core::NDArray& array = found->array;
    if (!(array.shape() == entry.tensor.shape())) {
      misfits.shapes.push_back(io::inQuotes(entry.name) + ": " + ember::toString(array.shape()) + " in the file, " +
                               ember::toString(entry.tensor.shape()) + " in the net");
      continue;
    }
    if (array.dtype() != entry.tensor.dtype()) {
      const std::string from(ember::name(array.dtype())), to(ember::name(entry.tensor.dtype()));
      const bool floating = isFloating(array.dtype()) && isFloating(entry.tensor.dtype());
      // The architecture says nothing of types: a net that is built from it takes those of the file.
      if (!floating || (into_ == Into::Values && !options.allowCast)) {
        misfits.dtypes.push_back(io::inQuotes(entry.name) + ": " + from + " in the file, " + to + " in the net");
        continue;
      }
      if (into_ == Into::Values) report_.cast.push_back(entry.name + ": " + from + " -> " + to);
    }
    if (const std::string problem = autograd::writeObstacle(entry.tensor); !problem.empty()) {
      throw IoError(op, io::inQuotes(file) + " cannot be loaded: " + io::inQuotes(entry.name) + " " + problem, {},
                    "nothing was loaded; register a tensor with memory of its own: clone()");
    }
    const auto [before, isNew] = takenFrom.emplace(found, entry.name);
    if (!isNew && options.strict) {
      misfits.sharing.push_back(io::inQuotes(before->second) + " and " + io::inQuotes(entry.name) +
                                " are one tensor in the file, two in the net");
    }
    taken.insert(entry.name);
    report_.taken.push_back(entry.name);
    writes_.push_back({entry.tensor, Tensor(array)});
  }
  // What the net knows under a second name may stand twice in a file if it says the same both times.
  std::set<std::string> known(inNet.begin(), inNet.end());
  for (const auto& [name, first] : net_.aliases()) {
    known.insert(name);
    const io::CheckpointTensor *again = stored.find(name), *once = stored.find(first);
    if (!again || !once || !taken.count(first)) continue;
    taken.insert(name);
    if (again == once || sameBytes(again->array, once->array)) continue;
    misfits.sharing.push_back(io::inQuotes(first) + " and " + io::inQuotes(name) +
                              " are one tensor in the net, two with different values in the file");
  }
  std::unordered_map<std::string, Module*> modules;
  for (const auto& [path, module] : net_.namedModules()) modules.emplace(path, module);
  for (const std::string& name : stored.names()) {
    if (taken.count(name)) continue;
    const io::CheckpointTensor& tensor = *stored.find(name);
    const auto dot = name.rfind('.');
    const auto owner = modules.find(dot == name.npos ? std::string() : name.substr(0, dot));
    if (owner != modules.end() &&
        owner->second->ignoresStored(dot == name.npos ? name : name.substr(dot + 1), tensor.array))
      continue;
    report_.left.push_back(tensor.name);
    if (options.strict && matches(options.only, name) && !known.count(name)) misfits.unexpected.push_back(name);
  }
  if (misfits.any()) {
    std::string help = "nothing was loaded; ";
    if (!misfits.shapes.empty())
      help += "build the net as it was saved, or choose by LoadOptions::only what fits";
    else if (!misfits.missing.empty() || !misfits.unexpected.empty())
      help += "strict = false takes what both have, rename = {{\"old.*\", \"new.*\"}} maps names";
    else if (!misfits.dtypes.empty())
      help += "allowCast = true converts floating types";
    else
      help += "share the same tensors as the net that was saved";
    throw IoError(op, io::inQuotes(file) + " does not fit the net: " + misfits.counts(),
                  misfits.details(stored.names(), inNet), help);
  }
  if (writes_.empty() && !inNet.empty()) {
    throw IoError(op,
                  io::inQuotes(file) + " has no tensor that the net takes" +
                      (options.only == "*" ? "" : " under " + io::inQuotes(options.only)),
                  {{"in the file", listed(stored.names())}, {"in the net", listed(inNet)}},
                  "nothing was loaded; rename maps names");
  }
}

void PlannedLoad::checkOutputs(const io::Checkpoint& checkpoint, const LoadOptions& options, const std::string& file) {
  const Value& test = checkpoint.selfTest;
  // Another net, or one that takes a part of the values or converts them, computes something else.
  const bool whole = report_.missing.empty() && report_.left.empty() && report_.cast.empty() && options.only == "*";
  if (test.isNull() || !whole || checkpoint.model.isNull() || !(checkpoint.model == net_.architecture())) return;
  autograd::Exchange exchange;
  for (const Write& write : writes_) exchange.lend(write.tensor, write.values.array());
  checkSelfTest(test, net_, file);
  if (!net_.seenInputs().any()) seen_.note(selfTestInputs(test, file));
}

LoadReport PlannedLoad::commit() {
  const NoGrad guard;
  for (Write& write : writes_) {
    if (into_ == Into::Built || write.tensor.isShapeOnly())
      write.tensor.setArray(write.values.array());
    else
      write.tensor.copy_(write.values, op);
  }
  made_->keep();
  if (seen_.any()) net_.setSeenInputs(std::move(seen_));
  return std::move(report_);
}

}  // namespace ember::nn
