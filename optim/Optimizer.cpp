#include <ember/optim/Optimizer.h>

#include <cmath>
#include <map>
#include <set>

#include <ember/core/Error.h>
#include <ember/core/Threads.h>
#include <ember/core/TraceSpan.h>
#include <ember/core/Warn.h>
#include <ember/core/kernels/Elementwise.h>
#include <ember/nn/Pattern.h>

namespace ember::optim {
namespace {

constexpr i64 grain = 16384;  // elements below which a second thread costs more than it brings

void checkRate(const char* what, double value) {
  if (!(value >= 0) || !std::isfinite(value)) {
    throw ValueError("optimizer", std::string(what) + " is " + std::to_string(value), {},
                     "use a finite number, 0 or more");
  }
}

// `object` without that member.
Value without(const Value& object, std::string_view key) {
  Value rest = Value::object();
  for (const auto& [name, value] : object.members()) {
    if (name != key) rest.set(name, value);
  }
  return rest;
}

}  // namespace

void Optimizer::require(bool holds, const char* op, const char* what, double got) {
  if (!holds) throw ValueError(op, std::string(what) + ", got " + std::to_string(got));
}

void Optimizer::requireShare(const char* op, const char* name, double got) {
  require(got >= 0 && got < 1, op, (std::string(name) + " must be in [0, 1)").c_str(), got);
}

void Optimizer::requirePositive(const char* op, const char* name, double got) {
  require(got > 0 && std::isfinite(got), op, (std::string(name) + " must be above 0").c_str(), got);
}

Optimizer::Optimizer(nn::Parameters parameters, double lr, double weightDecay, std::vector<Group> groups,
                     std::vector<std::string> slotNames)
    : parameters_(std::move(parameters)), slotNames_(std::move(slotNames)), groups_(std::move(groups)), lr_(lr) {
  checkRate("the learning rate", lr);
  checkRate("the weight decay", weightDecay);
  if (parameters_.empty())
    throw ValueError("optimizer", "the list of parameters is empty", {}, "pass net.namedParameters()");
  std::map<const void*, std::string> tensors;
  std::set<std::string> names;
  for (const nn::Parameter& p : parameters_) {
    if (!p.tensor.defined()) throw ValueError("optimizer", "the parameter \"" + p.name + "\" is undefined");
    if (const auto [entry, isNew] = tensors.emplace(p.tensor.impl().get(), p.name); !isNew) {
      throw ValueError(
          "optimizer", "the parameter \"" + p.name + "\" is given twice", {{"before", "as \"" + entry->second + "\""}},
          "it would be stepped twice: pass it once, and let one module only add a tensor that several use");
    }
    if (!names.insert(p.name).second) {
      throw ValueError("optimizer", "two parameters have the name \"" + p.name + "\"", {},
                       "momentum and other state is kept by name: put the nets into one module, whose "
                       "namedParameters() differ, or make an optimiser for each");
    }
  }
  std::vector<bool> used(groups_.size(), false);
  for (const nn::Parameter& p : parameters_) {
    State state{lr, weightDecay, 0, {}};
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      if (!nn::matches(groups_[g].pattern, p.name)) continue;
      used[g] = true;
      state.lr = groups_[g].lr.value_or(lr);
      state.weightDecay = groups_[g].weightDecay.value_or(weightDecay);
      checkRate("a group's learning rate", state.lr);
      checkRate("a group's weight decay", state.weightDecay);
      break;
    }
    state.lr *= p.settings.lrMultiplier;
    state.weightDecay *= p.settings.weightDecayMultiplier;
    checkRate("a parameter's learning rate", state.lr);
    checkRate("a parameter's weight decay", state.weightDecay);
    for (std::size_t s = 0; s < slotNames_.size(); ++s)
      state.slots.push_back(Tensor::zeros(p.tensor.shape(), p.tensor.dtype()));
    states_.push_back(std::move(state));
  }
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    if (used[g]) continue;
    std::vector<std::string> known(names.begin(), names.end());
    throw ValueError("optimizer", "no parameter falls to the group \"" + groups_[g].pattern + "\"", {},
                     nn::nearestHint(groups_[g].pattern, known));
  }
}

void Optimizer::step() {
  const NoGrad guard;
  const core::TraceSpan span(core::TraceSpan::Kind::Other, "optimiser step");
  struct Due {
    std::size_t index;
    core::NDArray value, gradient;  // row-major; copies where the parameter's own are not
  };
  // All checks, and all memory, before the first write.
  std::vector<Due> due;
  due.reserve(parameters_.size());
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    Tensor& parameter = parameters_[i].tensor;
    const State& state = states_[i];
    if (!parameter.requiresGrad()) continue;
    const Tensor gradient = parameter.grad();
    if (!gradient.defined()) {
      if (state.step == 0) {
        warnOnce("the parameter \"" + parameters_[i].name +
                 "\" had no gradient at the optimiser's step; is it part of the loss?");
      }
      continue;
    }
    if (gradient.dtype() != parameter.dtype() ||
        (!state.slots.empty() && state.slots[0].dtype() != parameter.dtype())) {
      throw StateError(typeName() + ".step",
                       "the parameter \"" + parameters_[i].name + "\" changed its type after the optimiser was made",
                       {}, "make the optimiser after net.to(...)");
    }
    due.push_back({i, parameter.array().contiguous(), gradient.array().contiguous()});
  }
  std::vector<Chunk> work;
  work.reserve(due.size());
  for (const Due& d : due) (void)parameters_[d.index].tensor.writable("optimizer step");
  // Nothing below can fail.
  i64 elements = 0, lastStep = 0;
  double ofStep = 0;
  for (const Due& d : due) {
    State& state = states_[d.index];
    if (++state.step != lastStep) ofStep = stepValue(lastStep = state.step);  // all parameters have one step mostly
    Chunk chunk{d.value.raw(), d.gradient.raw(), {},    d.value.numel(), state.lr * lrFactor_, state.weightDecay,
                state.step,    d.value.dtype(),  ofStep};
    for (std::size_t s = 0; s < state.slots.size(); ++s)
      chunk.slots[s] = state.slots[s].writable("optimizer step").raw();
    work.push_back(chunk);
    elements += chunk.count;
  }
  // Every thread takes its share of every parameter: one large matrix among many biases must not be one thread's work,
  // and the share is about what the thread computes in products with it, so that it stays in the thread's cache.
  const core::ComputeScope scope;
  const i64 shares = elements < grain ? 1 : core::ComputeScope::threads();
  core::parallelFor(shares, 1, [&](i64 begin, i64 end) {
    for (const Chunk& whole : work) {
      const i64 from = whole.count * begin / shares, to = whole.count * end / shares;
      if (from == to) continue;
      Chunk chunk = whole;
      chunk.count = to - from;
      const i64 bytes = from * static_cast<i64>(itemSize(chunk.dtype));
      chunk.value = static_cast<std::byte*>(chunk.value) + bytes;
      chunk.gradient = static_cast<const std::byte*>(chunk.gradient) + bytes;
      for (std::size_t s = 0; s < slotNames_.size(); ++s)
        chunk.slots[s] = static_cast<std::byte*>(chunk.slots[s]) + bytes;
      update(chunk);
    }
  });
  for (const Due& d : due) {
    Tensor& parameter = parameters_[d.index].tensor;
    if (parameter.array().raw() != d.value.raw())
      core::copyInto(parameter.writable("optimizer step"), d.value, nullptr);
  }
  ++steps_;
}

void Optimizer::zeroGrad() {
  for (nn::Parameter& p : parameters_) p.tensor.zeroGrad();
}

void Optimizer::setLrFactor(double factor) {
  checkRate("the learning-rate factor", factor);
  lrFactor_ = factor;
}

Value Optimizer::state() const {
  Value value = Value::object();
  value.set("type", typeName());
  value.set("step", std::to_string(steps_));
  value.set("lr", lr_);
  value.set("lr_factor", lrFactor_);
  value.set("options", options());
  Value list = Value::array();
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    Value entry = Value::object();
    entry.set("name", parameters_[i].name);
    entry.set("lr", states_[i].lr);
    entry.set("weight_decay", states_[i].weightDecay);
    entry.set("step", std::to_string(states_[i].step));
    list.push(std::move(entry));
  }
  value.set("parameters", std::move(list));
  return value;
}

nn::Parameters Optimizer::namedSlots() const {
  nn::Parameters list;
  for (std::size_t s = 0; s < slotNames_.size(); ++s) {
    for (std::size_t i = 0; i < parameters_.size(); ++i)
      list.push_back({slotNames_[s] + "/" + parameters_[i].name, states_[i].slots[s], {}});
  }
  return list;
}

void Optimizer::checkState(const Value& state, const std::string& file) const {
  const auto refuse = [&](const std::string& what) {
    Error::Details details;
    if (!file.empty()) details = {{"file", file}, {"state", "nothing was changed"}};
    throw ValueError(typeName(), "the saved optimiser does not fit: " + what, details,
                     "make the optimiser as it was when the run was saved");
  };
  const std::string type = state.get<std::string>("type");
  if (type != typeName()) refuse("it is " + type + ", this one is " + typeName());
  const Value own = options();
  Value expected = own;
  for (const auto& [key, value] : own.members()) {
    // A switch that was added since an older version saved the file is off there.
    if (!state.at("options").has(key) && value == Value(false)) expected = without(expected, key);
  }
  if (!(state.at("options") == expected))
    refuse("its options are " + state.at("options").dump() + ", here " + own.dump());
  const auto& list = state.at("parameters").elements();
  if (list.size() != parameters_.size())
    refuse("it has " + std::to_string(list.size()) + " parameters, here are " + std::to_string(parameters_.size()));
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string name = list[i].get<std::string>("name");
    if (name != parameters_[i].name)
      refuse("its parameter " + std::to_string(i) + " is \"" + name + "\", here \"" + parameters_[i].name + "\"");
    for (const auto& [key, here] :
         {std::pair("lr", states_[i].lr), std::pair("weight_decay", states_[i].weightDecay)}) {
      const double saved = list[i].get<double>(key);
      if (saved != here)
        refuse("the " + std::string(key) + " of \"" + name + "\" was " + Value(saved).dump() + ", here " +
               Value(here).dump());
    }
    list[i].get<i64>("step");
  }
  state.get<i64>("step");
  state.get<double>("lr_factor");
}

void Optimizer::restore(const Value& state) {
  const auto& list = state.at("parameters").elements();
  for (std::size_t i = 0; i < list.size(); ++i) states_[i].step = list[i].get<i64>("step");
  steps_ = state.get<i64>("step");
  lrFactor_ = state.get<double>("lr_factor");
}

}  // namespace ember::optim
