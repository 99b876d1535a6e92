#include <ember/nn/Checkpoint.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <set>
#include <unordered_map>

#include <ember/core/Error.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/core/io/Text.h>
#include <ember/nn/Init.h>
#include <ember/nn/Pattern.h>
#include <ember/nn/PlannedLoad.h>
#include <ember/nn/Registry.h>

namespace ember {
namespace {

constexpr const char* op = "load";
constexpr std::size_t longestList = 20;

/// "a", "b", ... and 3 more.
std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), longestList); ++i) text.append(i ? ", " : "").append(names[i]);
  if (names.size() > longestList) text += ", ... and " + std::to_string(names.size() - longestList) + " more";
  return text;
}

std::string countText(std::size_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

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

/// All that is wrong between file and net, collected before it is thrown.
struct Misfits {
  std::vector<std::string> missing, unexpected, shapes, dtypes;

  bool any() const { return !(missing.empty() && unexpected.empty() && shapes.empty() && dtypes.empty()); }

  [[noreturn]] void raise(const std::string& file, const std::vector<std::string>& inFile,
                          const std::vector<std::string>& inNet) const {
    Error::Details details;
    const auto add = [&](const char* label, const std::vector<std::string>& names,
                         const std::vector<std::string>* others) {
      for (std::size_t i = 0; i < std::min(names.size(), longestList); ++i) {
        const auto near = others ? nn::nearestName(names[i], *others) : std::nullopt;
        details.emplace_back(label, (others ? io::inQuotes(names[i]) : names[i]) +
                                        (near ? "; did you mean " + io::inQuotes(*near) + "?" : std::string()));
      }
      if (names.size() > longestList)
        details.emplace_back(label, "... and " + std::to_string(names.size() - longestList) + " more");
    };
    add("missing", missing, &inFile);
    add("unexpected", unexpected, &inNet);
    add("shape", shapes, nullptr);
    add("dtype", dtypes, nullptr);
    std::string what;
    const auto count = [&](const std::vector<std::string>& names, const char* kind) {
      if (!names.empty()) what.append(what.empty() ? "" : ", ").append(std::to_string(names.size())).append(kind);
    };
    count(missing, " missing in the file");
    count(unexpected, " unexpected");
    count(shapes, " of another shape");
    count(dtypes, " of another dtype");
    std::string help = "nothing was loaded; ";
    if (!shapes.empty())
      help += "build the net as it was saved, or choose by LoadOptions::only what fits";
    else if (!missing.empty() || !unexpected.empty())
      help += "strict = false takes what both have, rename = {{\"old.*\", \"new.*\"}} maps names";
    else
      help += "allowCast = true converts floating types";
    throw IoError(op, io::inQuotes(file) + " does not fit the net: " + what, details, help);
  }
};

void compareModels(const io::Checkpoint& checkpoint, const nn::Module& module, const std::string& file) {
  if (checkpoint.model.isNull()) return;
  const std::string difference = firstDifference(checkpoint.model, module.architecture());
  if (difference.empty()) return;
  throw IoError(op, io::inQuotes(file) + " was saved from another net",
                {{"differs", difference + " (here: the file, there: the net)"}},
                "build the net as it was saved; compareModel = false loads the values all the same");
}

}  // namespace

std::string LoadReport::toString() const {
  std::string text = "took " + countText(taken.size(), "tensor");
  if (!cast.empty()) text += "; converted " + listed(cast);
  if (!left.empty()) text += "; left " + std::to_string(left.size()) + " in the file: " + listed(left);
  if (!missing.empty())
    text += "; " + std::to_string(missing.size()) + " of the net kept their values: " + listed(missing);
  return text;
}

namespace nn {

io::Checkpoint checkpointOf(const Module& module) {
  io::Checkpoint checkpoint;
  checkpoint.model = module.architecture();
  Value frozen = Value::array();
  for (const Parameter& parameter : module.namedParameters()) {
    checkpoint.tensors.push_back({parameter.name, "param", parameter.tensor.array()});
    if (!parameter.tensor.requiresGrad()) frozen.push(parameter.name);
  }
  for (const Parameter& buffer : module.namedBuffers())
    checkpoint.tensors.push_back({buffer.name, "buffer", buffer.tensor.array()});
  if (frozen.size() > 0) checkpoint.extra = {{"frozen", frozen}};
  return checkpoint;
}

namespace {

/// Makes the tensors of pending modules in the shapes of a file; where the load does not come about, takes them back.
class Materialised {
 public:
  template <class ShapeOf> Materialised(Module& net, ShapeOf&& shapeOf) : exceptions_(std::uncaught_exceptions()) {
    for (const auto& [path, module] : net.namedModules()) {
      if (!module->pending()) continue;
      try {
        const std::string prefix = path.empty() ? "" : path + ".";
        modules_.push_back(module);  // first: there must be room to know what to undo
        if (!module->materialiseFrom([&](std::string_view name) { return shapeOf(prefix + std::string(name)); }))
          modules_.pop_back();
      } catch (...) {
        undo();
        throw;
      }
    }
  }
  ~Materialised() {
    if (std::uncaught_exceptions() > exceptions_) undo();
  }
  Materialised(const Materialised&) = delete;
  Materialised& operator=(const Materialised&) = delete;

 private:
  std::vector<Module*> modules_;
  int exceptions_;

  void undo() {
    for (Module* module : modules_) module->dematerialise();
  }
};

/// Whether the module that a tensor of the file belongs to may pass over it.
bool saysNothing(Module& net, const std::string& name, const core::NDArray& values) {
  const auto dot = name.rfind('.');
  const std::string path = dot == name.npos ? "" : name.substr(0, dot);
  for (const auto& [at, module] : net.namedModules()) {
    if (at == path) return module->ignoresStored(dot == name.npos ? name : name.substr(dot + 1), values);
  }
  return false;
}

}  // namespace

PlannedLoad::PlannedLoad(const io::Checkpoint& checkpoint, Module& module, const LoadOptions& options,
                         const std::string& file) {
  checkOptions(options);
  Misfits misfits;
  std::unordered_map<std::string, const io::CheckpointTensor*> available;  // by name in the net
  std::vector<std::string> inFile, inNet;
  for (const io::CheckpointTensor& tensor : checkpoint.tensors) {
    if (tensor.role != "param" && tensor.role != "buffer") continue;
    const std::string name = renamed(tensor.name, options);
    if (!available.emplace(name, &tensor).second) {
      throw ValueError(op, "rename gives two tensors of " + io::inQuotes(file) + " the name " + io::inQuotes(name));
    }
    inFile.push_back(name);
  }

  const Materialised made(module, [&](const std::string& name) -> std::optional<Shape> {
    const auto found = available.find(name);
    return found == available.end() ? std::nullopt : std::optional<Shape>(found->second->array.shape());
  });
  for (const auto& [path, part] : module.namedModules()) {
    if (!part->pending()) continue;
    throw IoError(op, io::inQuotes(file) + " has no tensors that tell the shapes of a layer built without them",
                  {{"layer", io::inQuotes(path) + " (" + part->typeName() + ")"}, {"in the file", listed(inFile)}},
                  "nothing was loaded; run one forward first (summary(shape) will do), or build it with its size");
  }
  Parameters wanted = module.namedParameters();
  for (Parameter& buffer : module.namedBuffers()) wanted.push_back(std::move(buffer));
  std::set<std::string> taken;
  for (const Parameter& entry : wanted) {
    inNet.push_back(entry.name);
    const auto found = available.find(entry.name);
    if (!matches(options.only, entry.name) || found == available.end()) {
      report_.missing.push_back(entry.name);
      if (options.strict && matches(options.only, entry.name)) misfits.missing.push_back(entry.name);
      continue;
    }
    core::NDArray array = found->second->array;
    if (!(array.shape() == entry.tensor.shape())) {
      misfits.shapes.push_back(io::inQuotes(entry.name) + ": " + ember::toString(array.shape()) + " in the file, " +
                               ember::toString(entry.tensor.shape()) + " in the net");
      continue;
    }
    if (array.dtype() != entry.tensor.dtype()) {
      const std::string from(ember::name(array.dtype())), to(ember::name(entry.tensor.dtype()));
      if (!options.allowCast || !isFloating(array.dtype()) || !isFloating(entry.tensor.dtype())) {
        misfits.dtypes.push_back(io::inQuotes(entry.name) + ": " + from + " in the file, " + to + " in the net");
        continue;
      }
      array = array.to(entry.tensor.dtype());
      report_.cast.push_back(entry.name + ": " + from + " -> " + to);
    }
    taken.insert(entry.name);
    report_.taken.push_back(entry.name);
    writes_.emplace_back(entry.tensor, Tensor(std::move(array)));
  }
  const std::set<std::string> known(inNet.begin(), inNet.end());
  for (const std::string& name : inFile) {
    if (taken.count(name)) continue;
    if (saysNothing(module, name, available.at(name)->array)) continue;
    report_.left.push_back(available.at(name)->name);
    if (options.strict && matches(options.only, name) && !known.count(name)) misfits.unexpected.push_back(name);
  }
  if (misfits.any()) misfits.raise(file, inFile, inNet);
  if (options.strict && options.compareModel && options.only == "*" && options.rename.empty())
    compareModels(checkpoint, module, file);
  if (writes_.empty() && !inNet.empty()) {
    throw IoError(op,
                  io::inQuotes(file) + " has no tensor that the net takes" +
                      (options.only == "*" ? "" : " under " + io::inQuotes(options.only)),
                  {{"in the file", listed(inFile)}, {"in the net", listed(inNet)}},
                  "nothing was loaded; rename maps names");
  }
}

LoadReport PlannedLoad::commit() {
  const NoGrad guard;
  for (auto& [tensor, values] : writes_) tensor.copy_(values, op);
  return std::move(report_);
}

std::unique_ptr<Module> load(const std::string& path) {
  const io::Checkpoint checkpoint = io::readCheckpoint(path);
  const std::string file = io::inQuotes(path);
  if (checkpoint.model.isNull()) {
    throw IoError(op, file + " has no architecture to build a net from", {},
                  "build the net in code and load() the file into it");
  }
  std::unique_ptr<Module> module;
  try {
    const init::Skip skip;  // every value comes from the file
    module = build(checkpoint.model);
  } catch (const OutOfMemory&) {  // no fault of the file's
    throw;
  } catch (const Error& error) {
    throw IoError(op, file + " holds a net that cannot be built here", {{"reason", error.headline()}},
                  "call nn::registerModule(NAME, factory) for types of your own, or build the net in code and load() "
                  "the file into it");
  }
  {
    const init::Skip skip;
    const Materialised made(*module, [&](const std::string& name) -> std::optional<Shape> {
      for (const io::CheckpointTensor& saved : checkpoint.tensors) {
        if (saved.name == name && (saved.role == "param" || saved.role == "buffer")) return saved.array.shape();
      }
      return {};
    });
  }
  // The architecture says nothing of types: each floating tensor takes that of the file (a net after to(DType::F64)).
  const auto takeTypes = [&](const Parameters& tensors) {
    for (const Parameter& p : tensors) {
      for (const io::CheckpointTensor& saved : checkpoint.tensors) {
        if (saved.name != p.name || (saved.role != "param" && saved.role != "buffer")) continue;
        if (!isFloating(saved.array.dtype()) || !isFloating(p.tensor.dtype())) continue;
        if (saved.array.dtype() != p.tensor.dtype())
          Tensor(p.tensor).setArray(p.tensor.array().to(saved.array.dtype()));
      }
    }
  };
  takeTypes(module->namedParameters());
  takeTypes(module->namedBuffers());
  PlannedLoad plan(checkpoint, *module, {.compareModel = false}, path);
  plan.commit();
  if (const Value* frozen = checkpoint.extra.find("frozen")) {
    for (const auto& name : frozen->as<std::vector<std::string>>()) {
      for (Parameter& parameter : module->namedParameters()) {
        if (parameter.name == name) parameter.tensor.setRequiresGrad(false);
      }
    }
  }
  return module;
}

}  // namespace nn

void save(const std::string& path, const nn::Module& module, const SaveOptions& options) {
  io::writeCheckpoint(path, nn::checkpointOf(module),
                      {.readable = options.readable, .keepPrevious = options.keepPrevious});
}

LoadReport load(const std::string& path, nn::Module& module, const LoadOptions& options) {
  nn::PlannedLoad plan(io::readCheckpoint(path), module, options, path);
  return plan.commit();
}

}  // namespace ember
