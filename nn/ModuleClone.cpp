// What a module is without its values, and a second one like it.
#include <ember/nn/Module.h>

#include <typeinfo>

#include <ember/core/Error.h>
#include <ember/nn/Init.h>
#include <ember/nn/Registry.h>

namespace ember::nn {

Value Module::architecture() const {
  Value value = Value::object();
  value.set("type", typeName());
  if (!registeredName(typeid(*this)).empty()) {
    value.set("args", args());
  } else {
    Value list = Value::array();
    for (const auto& child : children_) {
      Value entry = Value::object();
      entry.set("name", child->name_);
      entry.set("module", child->architecture());
      list.push(std::move(entry));
    }
    value.set("children", std::move(list));
  }
  return value;
}

std::unique_ptr<Module> Module::clone() const {
  std::unique_ptr<Module> copy;
  try {
    const init::Skip skip;  // every value is copied below
    copy = build(architecture());
  } catch (const OutOfMemory&) {
    throw;
  } catch (const Error& error) {
    throw StateError("clone", typeName() + " cannot be rebuilt", {{"because", error.headline()}},
                     "call nn::registerModule(NAME, factory) for types of your own; see nn/Registry.h");
  }
  const auto here = namedModules(), there = copy->namedModules();
  if (here.size() != there.size()) {
    throw StateError("clone",
                     typeName() + " has " + std::to_string(here.size()) + " modules, its rebuilt copy " +
                         std::to_string(there.size()),
                     {}, "make args() and the registered factory agree");
  }
  const auto copyAll = [&](const Parameters& from, Parameters to) {
    if (from.size() != to.size()) {
      throw StateError("clone",
                       typeName() + " has " + std::to_string(from.size()) + " tensors, its rebuilt copy " +
                           std::to_string(to.size()),
                       {}, "make args() and the registered factory agree");
    }
    for (std::size_t i = 0; i < from.size(); ++i) {
      if (from[i].name != to[i].name)
        throw StateError("clone", "the rebuilt copy has " + to[i].name + " where " + from[i].name + " was expected");
      to[i].tensor.setArray(from[i].tensor.array().copy());
      if (to[i].tensor.requiresGrad() != from[i].tensor.requiresGrad())
        to[i].tensor.setRequiresGrad(from[i].tensor.requiresGrad());
    }
  };
  for (std::size_t i = 0; i < here.size(); ++i) there[i].second->takeOver(*here[i].second);
  copyAll(namedParameters(), copy->namedParameters());
  copyAll(namedBuffers(), copy->namedBuffers());
  for (const Parameter& p : namedParameters()) copy->parameterSettings(p.name) = p.settings;
  for (std::size_t i = 0; i < here.size(); ++i) {
    there[i].second->training_ = here[i].second->training_;
    there[i].second->randomCalls_ = here[i].second->randomCalls_;
  }
  copy->name_ = name_;
  copy->seen_.note(seen_.get());
  return copy;
}

}  // namespace ember::nn
