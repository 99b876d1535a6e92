#include <ember/core/io/CheckpointEntry.h>

#include <algorithm>

#include <ember/core/Error.h>
#include <ember/core/io/Text.h>

namespace ember::io {
namespace {

/// Only JSON integers are sizes: a string, a fraction or a bool is none.
EntryProblem parseShape(const Value& shape, CheckpointEntry& entry) {
  if (!shape.isArray()) return {"\"shape\" is " + shortText(shape) + ", expected an array", {}};
  if (shape.size() > static_cast<std::size_t>(Dims::maxRank)) {
    return {"it has " + std::to_string(shape.size()) + " axes, at most 8 are possible", {}};
  }
  for (const Value& size : shape.elements()) {
    if (!size.isInt() || size.as<i64>() < 0) {
      return {"its shape has the size " + shortText(size) + ", expected an integer, 0 or more", {}};
    }
    entry.shape.push(size.as<i64>());
  }
  try {
    entry.bytes = static_cast<u64>(checkedMul(numel(entry.shape), static_cast<i64>(itemSize(entry.dtype))));
  } catch (const ShapeError&) {
    return {"its shape " + toString(entry.shape) + " overflows", {}};
  }
  return {};
}

bool isText(const Value& value, const std::vector<std::string>& largeIntegers) {
  return value.isString() &&
         std::find(largeIntegers.begin(), largeIntegers.end(), value.as<std::string>()) == largeIntegers.end();
}

/// Everything but the name.
EntryProblem parseFields(const Value& row, const std::vector<std::string>& largeIntegers, CheckpointEntry& entry) {
  for (const char* key : {"role", "dtype", "shape", "bytes", "crc32"}) {
    if (!row.has(key)) return {"it has no \"" + std::string(key) + "\"", {}};
  }
  for (const char* key : {"role", "dtype", "crc32", "encoding"}) {
    const Value* field = row.find(key);
    if (field && !isText(*field, largeIntegers)) {
      const std::string found = field->isString() ? printable(field->as<std::string>()) : shortText(*field);
      return {"\"" + std::string(key) + "\" is " + found + ", expected a string", {}};
    }
  }
  entry.role = row.get<std::string>("role");
  if (const std::string problem = nameProblem(entry.role); !problem.empty()) {
    return {"its role " + inQuotes(entry.role) + " " + problem, {}};
  }
  const auto dtype = row.get<std::string>("dtype");
  try {
    entry.dtype = dtypeFromName(dtype);
  } catch (const ValueError&) {
    return {"it has the unknown dtype " + inQuotes(dtype), "known are f32, f64, bf16, i64, i32, i8, u8, bool"};
  }
  if (EntryProblem problem = parseShape(row.at("shape"), entry); !problem.what.empty()) return problem;
  const Value& bytes = row.at("bytes");
  if (!(bytes == Value(entry.bytes)) && !(bytes == Value::counter(entry.bytes))) {
    return {"\"bytes\" is " + shortText(bytes) + ", its shape " + toString(entry.shape) + " and dtype " + dtype +
                " make " + std::to_string(entry.bytes),
            {}};
  }
  const auto crcText = row.get<std::string>("crc32");
  const auto crc = parseCrc(crcText);
  if (!crc) return {"\"crc32\" is " + inQuotes(crcText) + ", expected eight hexadecimal digits", {}};
  entry.crc = *crc;
  const auto encoding = row.get<std::string>("encoding", "base64");
  if (encoding != "base64" && encoding != "decimal") {
    return {"it has the unknown encoding " + inQuotes(encoding), "known are base64, decimal"};
  }
  entry.encoding = encoding == "decimal" ? Encoding::Decimal : Encoding::Base64;
  for (const auto& [key, value] : row.members()) {
    if (!isKnownField(key)) entry.extra.set(key, value);
  }
  return {};
}

}  // namespace

bool isKnownField(std::string_view key) noexcept {
  for (const char* known : {"name", "role", "dtype", "shape", "bytes", "crc32", "encoding"}) {
    if (key == known) return true;
  }
  return false;
}

std::string shortText(const Value& value) {
  constexpr std::size_t longest = 80;
  if (value.isString()) return inQuotes(value.as<std::string>());
  const std::string text = value.dump();
  return text.size() <= longest ? printable(text) : printable(text.substr(0, longest - 3)) + "...";
}

EntryProblem parseEntry(const Value& row, const std::vector<std::string>& largeIntegers, std::size_t number,
                        CheckpointEntry& entry) {
  const std::string which = "entry " + std::to_string(number) + " of \"tensors\"";
  const Value* name = row.find("name");
  if (!name) return {which + " has no \"name\"", {}};
  if (!isText(*name, largeIntegers))
    return {"the name in " + which + " is " + std::string(name->isString() ? "an integer" : name->kindName()), {}};
  entry.name = name->as<std::string>();
  if (const std::string problem = nameProblem(entry.name); !problem.empty()) {
    return {"the tensor name " + inQuotes(entry.name) + " " + problem, {}};
  }
  EntryProblem problem = parseFields(row, largeIntegers, entry);
  if (!problem.what.empty()) problem.what = "tensor " + inQuotes(entry.name) + ": " + problem.what;
  return problem;
}

}  // namespace ember::io
