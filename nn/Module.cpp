#include <ember/nn/Module.h>

#include <algorithm>
#include <optional>
#include <typeinfo>
#include <unordered_map>

#include <ember/autograd/Deferred.h>
#include <ember/core/Error.h>
#include <ember/core/Scope.h>
#include <ember/core/TraceSpan.h>
#include <ember/core/TypeName.h>
#include <ember/core/io/Text.h>
#include <ember/nn/Init.h>
#include <ember/nn/Pattern.h>
#include <ember/nn/Registry.h>
#include <ember/nn/SummaryRecorder.h>

namespace ember::nn {
namespace {

std::string join(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

}  // namespace

// ---- running ----

Tensors Module::forward(const Tensors& inputs) {
  checkInputs(inputs, 1, 1);
  return {forward(inputs[0])};
}

void Module::checkInputs(const Tensors& inputs, std::size_t least, std::size_t most) const {
  if (inputs.size() >= least && (most == 0 || inputs.size() <= most)) return;
  const auto count = [](std::size_t n) { return n == 1 ? std::string("one") : std::to_string(n); };
  const std::string expected = most == 0      ? count(least) + " tensor" + (least == 1 ? "" : "s") + " or more"
                               : least < most ? count(least) + " to " + count(most) + " tensors"
                                              : count(least) + " tensor" + (least == 1 ? "" : "s");
  throw StateError(typeName(), "forward takes " + expected + ", got " + std::to_string(inputs.size()), {},
                   most == 1 ? "override forward(const Tensors&) for several" : "call it with Tensors{a, b, ...}");
}

Tensor Module::forward(const Tensor&) {
  throw StateError(typeName(), "the module has no forward", {},
                   "override forward(const Tensor&) or forward(const Tensors&)");
}

Tensors Module::operator()(const Tensors& inputs) {
  return callAs(inputs, [&] { return forward(inputs); });
}

Tensors Module::callAs(const Tensors& inputs, const std::function<Tensors()>& body) {
  if (moved_.away) {
    throw StateError(typeName(), "the module was moved from: its parameters and children are elsewhere", {},
                     "call the module that it was moved into; add() and Sequential return a reference to theirs");
  }
  const auto type = [](const void* module) { return static_cast<const Module*>(module)->typeName(); };
  const auto describe = [](const void* module) { return static_cast<const Module*>(module)->details(); };
  const auto isShape = [](const Tensor& t) { return t.defined() && t.isShapeOnly(); };
  const bool trains = training_ && !SummaryRecorder::recording() && std::none_of(inputs.begin(), inputs.end(), isShape);
  const bool watched = !core::Unwatched::current(), outermost = watched && !core::ModuleScope::current();
  const core::ModuleScope scope(name_, type, &randomCalls_, describe, this, trains);
  core::TraceSpan span(core::TraceSpan::Kind::Layer);
  SummaryRecorder::Entry entry(*this);
  // Containers alone: what a lone layer computes has no consumer to join.
  std::optional<autograd::DeferScope> defer;
  if (!children_.empty()) defer.emplace();
  Tensors outputs = body();
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].defined()) continue;
    throw StateError(typeName(), "forward returned an undefined tensor",
                     {{"output", std::to_string(i) + " of " + std::to_string(outputs.size())}},
                     "return a tensor on every path through forward");
  }
  entry.finish(outputs);
  if (span.open()) {
    for (const Tensor& output : outputs) span.output(output.numel() * static_cast<i64>(itemSize(output.dtype())));
  }
  if (watched) {
    for (const ForwardHook& hook : hooks_) hook(*this, inputs, outputs);
  }
  if (defer) defer->finish();
  if (outermost) seen_.note(inputs);
  return outputs;
}

Tensor Module::operator()(const Tensor& input) { return (*this)(Tensor(input)); }

Tensor Module::operator()(Tensor&& input) {
  Tensors outputs;
  {
    Tensors inputs;
    inputs.push_back(std::move(input));
    outputs = (*this)(inputs);
  }
  if (outputs.size() != 1)
    throw StateError(typeName(), "forward gave " + std::to_string(outputs.size()) + " tensors where one was expected",
                     {}, "call it with Tensors{...}");
  return std::move(outputs[0]);
}

// ---- parts ----

void Module::checkName(std::string_view name) const {
  const auto refuse = [&](const std::string& why, const char* help) {
    throw ValueError(typeName(), "the name " + io::inQuotes(name) + " " + why, {}, help);
  };
  const char* form = "names are 1 to 1024 bytes of printable UTF-8 without a dot";
  if (name.find('.') != name.npos) refuse("has a dot, which separates levels", form);
  if (const std::string problem = io::nameProblem(name); !problem.empty()) refuse(problem, form);
  const auto taken = [&](const auto& list) {
    for (const auto& entry : list) {
      if (entry->name == name) {
        refuse("is already taken",
               "give it another name; a tensor that serves in two places is added once and used in both");
      }
    }
  };
  taken(parameters_);
  taken(buffers_);
  for (const auto& child : children_) {
    if (child->name_ == name) {
      refuse("is already taken", "give it another name; a module that runs twice is added once and called twice");
    }
  }
}

Module& Module::addChild(std::string_view name, std::unique_ptr<Module> child) {
  checkName(name);
  if (!child) throw ValueError(typeName(), "the child \"" + std::string(name) + "\" is null");
  for (const auto& [path, module] : child->namedModules()) {
    if (module != this) continue;
    throw ValueError(typeName(), "the child " + io::inQuotes(name) + " would contain itself",
                     {{"cycle", path.empty() ? "it is this module" : "this module is its \"" + path + "\""}},
                     "add each module to one parent, below which it is not");
  }
  child->name_ = name;
  children_.push_back(std::move(child));
  return *children_.back();
}

namespace {

void checkDefined(const Module& module, std::string_view name, const Tensor& value) {
  if (value.defined()) return;
  throw ValueError(module.typeName(), "the tensor " + io::inQuotes(name) + " is undefined", {},
                   "give it a shape at least: Tensor::zeros({...})");
}

}  // namespace

namespace {

Tensor shapeOf(const Tensor& value) { return Tensor::shapeOnly(value.shape(), value.dtype()); }

}  // namespace

Tensor Module::addParameter(std::string_view name, Tensor value, ParameterSettings settings) {
  checkName(name);
  checkDefined(*this, name, value);
  if (init::ShapesOnly::active() && !value.isShapeOnly()) value = shapeOf(value);
  value.setRequiresGrad();
  parameters_.push_back(std::make_unique<Parameter>(Parameter{std::string(name), value, settings}));
  return value;
}

Tensor Module::addBuffer(std::string_view name, Tensor value, ParameterSettings settings) {
  checkName(name);
  checkDefined(*this, name, value);
  if (init::ShapesOnly::active() && !value.isShapeOnly()) value = shapeOf(value);
  buffers_.push_back(std::make_unique<Parameter>(Parameter{std::string(name), value, settings}));
  return value;
}

void Module::setName(std::string_view name) {
  checkName(name);
  name_ = name;
}

void Module::dropTensors() noexcept {
  parameters_.clear();
  buffers_.clear();
}

void Module::dropParameter(std::string_view name) noexcept {
  std::erase_if(parameters_, [&](const auto& parameter) { return parameter->name == name; });
}

std::string Module::typeName() const {
  const std::type_info& type = typeid(*this);
  std::string registered = registeredName(type);
  return registered.empty() ? core::typeName(type) : registered;
}

template <class Visit>
void Module::walk(const std::string& prefix, Visit&& visit) const {
  visit(prefix, *this);
  for (const auto& child : children_) std::as_const(*child).walk(join(prefix, child->name_), visit);
}

template <class Visit>
void Module::walk(const std::string& prefix, Visit&& visit) {
  visit(prefix, *this);
  for (const auto& child : children_) child->walk(join(prefix, child->name_), visit);
}

namespace {

/// Parameters that do not exist yet must not be left out silently: an optimiser would never see them.
void checkThere(const std::string& path, const Module& module) {
  if (!module.pending()) return;
  throw StateError(module.typeName(), "the layer has no tensors yet",
                   {{"at", path.empty() ? "the module itself" : path}},
                   "run one forward first (summary(shape) will do), load() a file, or call materialise()");
}

}  // namespace

/// Calls visit(dotted name, entry, first name) for all of one list; the first name is empty unless the tensor was
/// visited before.
template <class Visit>
void Module::walkTensors(std::vector<std::unique_ptr<Parameter>> Module::*list, Visit&& visit) const {
  std::unordered_map<const void*, std::string> first;
  walk("", [&](const std::string& path, const Module& module) {
    checkThere(path, module);
    for (const auto& entry : module.*list) {
      const std::string name = join(path, entry->name);
      const auto [known, isNew] = first.emplace(entry->tensor.impl().get(), name);
      visit(name, *entry, isNew ? std::string() : known->second);
    }
  });
}

Parameters Module::namedParameters() const {
  Parameters list;
  walkTensors(&Module::parameters_, [&](const std::string& name, const Parameter& p, const std::string& first) {
    if (first.empty()) list.push_back({name, p.tensor, p.settings});
  });
  return list;
}

Parameters Module::namedBuffers() const {
  Parameters list;
  walkTensors(&Module::buffers_, [&](const std::string& name, const Parameter& b, const std::string& first) {
    if (first.empty()) list.push_back({name, b.tensor, b.settings});
  });
  return list;
}

std::vector<std::pair<std::string, std::string>> Module::aliases() const {
  std::vector<std::pair<std::string, std::string>> list;
  const auto add = [&](const std::string& name, const Parameter&, const std::string& first) {
    if (!first.empty()) list.emplace_back(name, first);
  };
  walkTensors(&Module::parameters_, add);
  walkTensors(&Module::buffers_, add);
  return list;
}

std::vector<std::pair<std::string, Module*>> Module::namedModules() const {
  std::vector<std::pair<std::string, Module*>> list;
  const_cast<Module*>(this)->walk("",
                                  [&](const std::string& path, Module& module) { list.emplace_back(path, &module); });
  return list;
}

Module& Module::child(std::size_t index) const {
  if (index >= children_.size())
    throw ValueError(typeName(),
                     "no child " + std::to_string(index) + ", there are " + std::to_string(children_.size()));
  return *children_[index];
}

Module& Module::child(std::string_view path) const {
  std::vector<std::string> known;
  for (const auto& [name, module] : namedModules()) {
    if (name.empty()) continue;  // the module itself
    if (name == path) return *module;
    known.push_back(name);
  }
  throw ValueError(typeName(), "no child \"" + std::string(path) + "\"", {}, nearestHint(path, known));
}

ParameterSettings& Module::parameterSettings(std::string_view name) {
  ParameterSettings* found = nullptr;
  std::vector<std::string> known;
  std::unordered_map<const void*, ParameterSettings*> first;  // of a tensor with several names that of the first counts
  walk("", [&](const std::string& path, Module& module) {
    for (const auto& p : module.parameters_) {
      known.push_back(join(path, p->name));
      ParameterSettings* settings = first.emplace(p->tensor.impl().get(), &p->settings).first->second;
      if (known.back() == name) found = settings;
    }
  });
  if (!found) throw ValueError(typeName(), "no parameter \"" + std::string(name) + "\"", {}, nearestHint(name, known));
  return *found;
}

i64 Module::parameterCount() const {
  i64 count = 0;
  for (const Parameter& p : namedParameters()) count += p.tensor.numel();
  return count;
}

// ---- modes ----

void Module::train(bool on) noexcept {
  training_ = on;
  for (const auto& child : children_) child->train(on);
}

namespace {

int setTrainable(const Module& module, std::string_view pattern, bool on) {
  int count = 0;
  std::vector<std::string> known;
  for (Parameter& p : module.namedParameters()) {
    known.push_back(p.name);
    if (!matches(pattern, p.name)) continue;
    p.tensor.setRequiresGrad(on);
    if (!on) p.tensor.zeroGrad();
    ++count;
  }
  if (count == 0)
    throw ValueError(on ? "unfreeze" : "freeze", "no parameter matches \"" + std::string(pattern) + "\"", {},
                     nearestHint(pattern, known));
  return count;
}

}  // namespace

int Module::freeze(std::string_view pattern) { return setTrainable(*this, pattern, false); }
int Module::unfreeze(std::string_view pattern) { return setTrainable(*this, pattern, true); }

Module& Module::to(DType dtype) {
  if (dtype != DType::F32 && dtype != DType::F64)
    throw DtypeError(typeName(), "parameters are f32 or f64, not " + std::string(ember::name(dtype)));
  for (Parameter& p : namedParameters()) p.tensor.setArray(p.tensor.array().to(dtype));
  for (Parameter& b : namedBuffers()) {
    if (isFloating(b.tensor.dtype())) b.tensor.setArray(b.tensor.array().to(dtype));
  }
  seen_.convert(dtype);
  return *this;
}

void Module::zeroGrad() {
  for (Parameter& p : namedParameters()) p.tensor.zeroGrad();
}

// ---- random numbers ----

std::vector<std::pair<std::string, i64>> Module::streams() const {
  std::vector<std::pair<std::string, i64>> list;
  walk("", [&](const std::string& path, const Module& module) {
    if (module.randomCalls_ != 0) list.emplace_back(path, module.randomCalls_);
  });
  return list;
}

void Module::setStreams(const std::vector<std::pair<std::string, i64>>& streams) {
  const auto modules = namedModules();
  for (const auto& [path, calls] : streams) {
    bool known = false;
    for (const auto& entry : modules) known = known || entry.first == path;
    if (!known) throw ValueError("setStreams", "no module \"" + path + "\" for the random stream of that name");
  }
  for (const auto& [path, module] : modules) {
    module->randomCalls_ = 0;
    for (const auto& [name, calls] : streams) {
      if (name == path) module->randomCalls_ = calls;
    }
  }
}

// ---- showing ----

std::string Module::toString() const {
  std::string text;
  const auto print = [&](const auto& self, const Module& module, int depth) -> void {
    text += std::string(static_cast<std::size_t>(depth) * 2, ' ');
    if (depth > 0) text += module.name_ + ": ";
    text += module.typeName();
    if (const std::string what = module.details(); !what.empty()) text += "(" + what + ")";
    text += '\n';
    for (const auto& child : module.children_) self(self, *child, depth + 1);
  };
  print(print, *this, 0);
  return text;
}

Summary Module::summary(const Shape& input, DType dtype) {
  return summarise({Tensor::shapeOnly(input, dtype)});
}

Summary Module::summarise(const Tensors& inputs) {
  const NoGrad guard;
  Tensors shapes;
  for (const Tensor& input : inputs) shapes.push_back(Tensor::shapeOnly(input.shape(), input.dtype()));
  SummaryRecorder recorder(shapes);
  (*this)(shapes);
  return recorder.finish(*this);
}

}  // namespace ember::nn
