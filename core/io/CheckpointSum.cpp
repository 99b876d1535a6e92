#include <ember/core/io/CheckpointSum.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <ember/core/io/CheckpointEntry.h>
#include <ember/core/io/Crc32.h>
#include <ember/core/io/JsonWriter.h>
#include <ember/core/io/Text.h>

namespace ember::io {
namespace {

void appendSpelled(std::string& out, const Value& value) {
  constexpr double exact = 9007199254740992;  // 2^53
  std::size_t count = 0;
  const auto separate = [&] {
    if (count++ > 0) out += ", ";
  };
  if (value.isObject()) {
    std::vector<const Value::Members::value_type*> sorted;
    for (const auto& member : value.members()) sorted.push_back(&member);
    std::sort(sorted.begin(), sorted.end(), [](auto* a, auto* b) { return a->first < b->first; });
    out += '{';
    for (const auto* member : sorted) {
      separate();
      appendJsonString(out, member->first);
      out += ": ";
      appendSpelled(out, member->second);
    }
    out += '}';
  } else if (value.isArray()) {
    out += '[';
    for (const Value& element : value.elements()) {
      separate();
      appendSpelled(out, element);
    }
    out += ']';
  } else if (value.kind() == Value::Kind::Double && std::abs(value.as<double>()) < exact &&
             std::trunc(value.as<double>()) == value.as<double>()) {
    if (value.as<double>() == 0 && std::signbit(value.as<double>())) out += '-';
    out += std::to_string(static_cast<i64>(value.as<double>()));
  } else {
    appendJson(out, value);
  }
}

}  // namespace

void CheckpointSum::add(std::string_view member, const Value& value) {
  std::string text(member);
  text += ": ";
  appendSpelled(text, value);
  Crc32 crc;
  crc.update(text.data(), text.size());
  total_ += crc.value();
}

bool CheckpointSum::check(const Value& end, const CheckpointInput& input) const {
  for (const auto& [name, value] : end.members()) {
    if (name == "tensors" || name == "bytes" || name == field) continue;
    input.refuseWhole(": \"end\" has a field " + inQuotes(std::string_view(name).substr(0, 80)) + ", expected tensors, bytes and " + field,
                      {}, "the file is damaged: take another copy");
  }
  const Value* written = end.find(field);
  if (written && *written != Value(crcText(total_))) {
    input.refuseWhole(": the header is not the one that was written",
                      {{std::string("end.") + field, shortText(*written)}, {"found", inQuotes(crcText(total_))}},
                      "the file is damaged: take another copy; or, if you changed it yourself, write the sum that was "
                      "found into \"end\"");
  }
  return written != nullptr;
}

}  // namespace ember::io
