#include <string>

#include <ember/core/Error.h>
#include <ember/core/io/Value.h>

#include "fuzz/Targets.h"

namespace ember::fuzz {
namespace {

/// Asks a value for everything it could be; what it isn't is a ValueError.
template <class T>
void ask(const Value& value) {
  try {
    static_cast<void>(value.as<T>());
  } catch (const ValueError&) {
  }
}

void askAll(const Value& value) {
  ask<bool>(value);
  ask<int>(value);
  ask<u64>(value);
  ask<float>(value);
  ask<std::string>(value);
  ask<std::vector<i64>>(value);
  for (std::size_t i = 0; value.isArray() && i < value.size(); ++i) askAll(value[i]);
  if (!value.isObject()) return;
  for (const auto& [key, member] : value.members()) {
    require(value.find(key) == &member, "an object finds its members");
    askAll(member);
  }
}

}  // namespace

void Json(std::string_view bytes) {
  Value value;
  try {
    value = Value::parse(bytes);
  } catch (const IoError&) {
    return;
  }
  const std::string text = value.dump();
  const Value again = Value::parse(text);
  require(again == value, "parse(dump(value)) is the value");
  require(again.dump() == text, "the same value has the same text");
  require(firstDifference(value, again).empty(), "equal values have no first difference");
  // Not each time: reading it thrice is slow, and so is refusing, for each refusal is an exception.
  if (text.size() % 4 == 0)
    require(Value::parse(value.dumpReadable(20)) == value, "parse(dumpReadable(value)) is the value");
  if (text.size() % 8 == 1) askAll(value);
}

}  // namespace ember::fuzz
