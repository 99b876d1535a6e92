#include "Show.h"

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include <fmt/core.h>

#include <ember/core/io/Text.h>

using namespace ember;

namespace {

// A file may hold anything: text goes through io::printable before a terminal sees it, columns have a widest.
constexpr std::size_t longestText = 100, longestKey = 60, widestColumn = 48, mostMembers = 500;

std::string keyText(std::string_view text) { return io::printable(text, longestKey); }

/// A member as text: strings without quotes, the rest as JSON, long ones cut.
std::string brief(const Value& value) {
  return io::printable(value.isString() ? value.as<std::string>() : value.dump(), longestText);
}

std::string textOr(const Value& object, const char* key, const char* fallback) {
  const Value* member = object.find(key);
  return member ? brief(*member) : fallback;
}

/// The net and all inside it, one line each: what has a type and stands in the arguments of another is a part of it.
void describeModule(std::string& out, const Value& module, const std::string& name, int depth) {
  Value own = Value::object();
  std::string parts;
  const auto isModule = [](const Value& value) { return value.find("type") != nullptr; };
  const auto describePart = [&](const Value& part, const std::string& otherwise) {
    describeModule(parts, part, textOr(part, "name", otherwise.c_str()), depth + 1);
  };
  if (const Value* args = module.find("args"); args && args->isObject()) {
    for (const auto& [key, value] : args->members()) {
      if (isModule(value)) {
        describePart(value, key);
      } else if (value.isArray() && value.size() > 0 && isModule(value[0])) {
        for (std::size_t i = 0; i < value.size(); ++i) describePart(value[i], std::to_string(i));
      } else {
        own.append(key, value);
      }
    }
  }
  out.append(static_cast<std::size_t>(2 * depth + 2), ' ').append(name.empty() ? "" : keyText(name) + "  ");
  out += textOr(module, "type", "?") + (own.size() > 0 ? "  " + brief(own) : "") + '\n' + parts;
}

void describeMembers(std::string& out, const char* title, const Value& object) {
  if (!object.isObject()) return;
  out += fmt::format("\n{}\n", title);
  std::size_t width = 0, shown = 0;
  for (const auto& [name, value] : object.members()) width = std::max(width, std::min(name.size(), widestColumn));
  for (const auto& [name, value] : object.members()) {
    if (shown++ == mostMembers) {
      out += fmt::format("  ... and {} more\n", object.size() - mostMembers);
      return;
    }
    out += fmt::format("  {:<{}}  {}\n", keyText(name), width, brief(value));
  }
}

void describeTensors(std::string& out, const io::Checkpoint& checkpoint) {
  using Row = std::array<std::string, 5>;
  std::vector<Row> rows{{"tensor", "role", "type", "shape", "bytes"}};
  struct Sum {
    i64 tensors = 0, elements = 0, bytes = 0;
  };
  std::map<std::string, Sum> sums;  // by role
  for (const io::CheckpointTensor& tensor : checkpoint.tensors) {
    const core::NDArray& array = tensor.array;
    rows.push_back({io::printable(tensor.name, 1024), keyText(tensor.role), std::string(name(array.dtype())),
                    toString(array.shape()), grouped(array.bytes())});
    Sum& sum = sums[tensor.role];
    ++sum.tensors;
    sum.elements += array.numel();
    sum.bytes += array.bytes();
  }
  std::array<std::size_t, 5> widths{};
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], std::min(row[i].size(), widestColumn));
  }
  out += '\n';
  for (const Row& row : rows) {
    out += fmt::format("{:<{}}  {:<{}}  {:<{}}  {:<{}}  {:>{}}\n", row[0], widths[0], row[1], widths[1], row[2],
                       widths[2], row[3], widths[3], row[4], widths[4]);
  }
  out += '\n';
  for (const auto& [role, sum] : sums) {
    out += fmt::format("{}: {} tensors, {} elements, {} bytes\n", keyText(role), sum.tensors, grouped(sum.elements),
                       grouped(sum.bytes));
  }
}

}  // namespace

std::string grouped(i64 number) {
  std::string digits = std::to_string(number);
  const std::size_t sign = number < 0;
  for (std::size_t i = digits.size(); i > sign + 3;) digits.insert(i -= 3, 1, ',');
  return digits;
}

std::string description(const std::string& file, const io::Checkpoint& checkpoint) {
  const Value& writer = checkpoint.writer;
  std::string out =
      fmt::format("{}: an ember checkpoint of {} tensors\n", io::printable(file, 1024), checkpoint.tensors.size());
  out += fmt::format("written by {} {} (commit {}), oneDNN {}, {}, threads {}\n", textOr(writer, "program", "?"),
                     textOr(writer, "version", "?"), textOr(writer, "git", "unknown"), textOr(writer, "onednn", "?"),
                     textOr(writer, "isa", "?"), textOr(writer, "threads", "?"));
  if (!checkpoint.model.isNull()) {
    out += "\nmodel\n";
    describeModule(out, checkpoint.model, "", 0);
  }
  describeMembers(out, "train", checkpoint.train);
  describeMembers(out, "optimizer", checkpoint.optimizer);
  describeMembers(out, "scheduler", checkpoint.scheduler);
  describeMembers(out, "self_test", checkpoint.selfTest);
  describeMembers(out, "other members", checkpoint.extra);
  describeTensors(out, checkpoint);
  return out;
}
