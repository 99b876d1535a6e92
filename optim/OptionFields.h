#pragma once
#include <initializer_list>
#include <variant>

#include <ember/core/io/Value.h>

namespace ember::optim {

/// One option of an optimiser beside rate, weight decay and groups: what files call it and where it is kept.
template <class Options>
struct OptionField {
  const char* name;
  std::variant<double Options::*, bool Options::*> member;
};

/// The list from which an optimiser reads its options and writes them.
template <class Options>
using OptionFields = std::initializer_list<OptionField<Options>>;

/// Options from {"lr": ..., "weightDecay": ..., and the fields}; what is not given keeps its default.
template <class Options>
Options readOptions(const Value& from, OptionFields<Options> fields) {
  Options options;
  options.lr = from.get("lr", options.lr);
  if (from.has("weightDecay")) options.weightDecay = from.get<double>("weightDecay");
  for (const OptionField<Options>& field : fields) {
    std::visit([&](auto member) { options.*member = from.get(field.name, options.*member); }, field.member);
  }
  return options;
}

/// The fields as they stand in a state: {"momentum": 0.9, ...}.
template <class Options>
Value writeOptions(const Options& options, OptionFields<Options> fields) {
  Value value = Value::object();
  for (const OptionField<Options>& field : fields)
    std::visit([&](auto member) { value.set(field.name, options.*member); }, field.member);
  return value;
}

}  // namespace ember::optim
