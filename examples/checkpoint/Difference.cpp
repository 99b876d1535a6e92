#include "Difference.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>
#include <unordered_map>

#include <fmt/core.h>

#include <ember/core/io/Text.h>

#include "Show.h"

using namespace ember;

namespace {

using Lines = std::vector<std::string>;

std::string brief(const Value* value) {
  constexpr std::size_t longest = 60;
  if (!value) return "missing";
  return io::printable(value->dump(), longest);
}

/// Descends to the fields that differ.
void compareValues(Lines& lines, const std::string& path, const Value* a, const Value* b) {
  if ((!a && !b) || (a && b && *a == *b)) return;
  if (a && b && a->isObject() && b->isObject()) {
    std::unordered_map<std::string_view, const Value*> rest;  // an object may have a million members
    for (const auto& [key, value] : b->members()) rest.emplace(key, &value);
    for (const auto& [key, value] : a->members()) {
      const auto other = rest.find(key);
      compareValues(lines, path + "." + key, &value, other == rest.end() ? nullptr : other->second);
      if (other != rest.end()) other->second = nullptr;
    }
    for (const auto& [key, value] : b->members()) {
      if (rest.at(key)) compareValues(lines, path + "." + key, nullptr, &value);
    }
  } else if (a && b && a->isArray() && b->isArray() && a->size() == b->size()) {
    for (std::size_t i = 0; i < a->size(); ++i)
      compareValues(lines, path + "[" + std::to_string(i) + "]", &(*a)[i], &(*b)[i]);
  } else {
    lines.push_back(fmt::format("{}: {} | {}", io::printable(path, 1024), brief(a), brief(b)));
  }
}

/// Two arrays of one shape and type, element by element.
std::string compareElements(const core::NDArray& a, const core::NDArray& b) {
  const auto size = static_cast<i64>(itemSize(a.dtype()));
  const auto *x = static_cast<const char*>(a.raw()), *y = static_cast<const char*>(b.raw());
  i64 count = 0, place = -1;
  double largest = -1;
  const auto valueOf = [&](const core::NDArray& array, i64 i) {
    return dispatch(array.dtype(), [&](auto zero) {
      using T = decltype(zero);
      if constexpr (std::is_same_v<T, bf16>)
        return static_cast<double>(static_cast<float>(array.data<T>()[i]));
      else
        return static_cast<double>(array.data<T>()[i]);
    });
  };
  for (i64 i = 0; i < a.numel(); ++i) {
    if (std::memcmp(x + i * size, y + i * size, static_cast<std::size_t>(size)) == 0) continue;
    ++count;
    double difference = std::fabs(valueOf(a, i) - valueOf(b, i));
    if (std::isnan(difference)) difference = HUGE_VAL;  // a NaN or opposite infinities
    if (difference > largest) {
      largest = difference;
      place = i;
    }
  }
  if (count == 0) return {};
  return fmt::format("{} of {} elements differ, by {:.3g} at most (element {}: {} | {})", grouped(count),
                     grouped(a.numel()), largest, place, valueOf(a, place), valueOf(b, place));
}

std::string compareTensors(const io::CheckpointTensor& a, const io::CheckpointTensor& b) {
  if (a.role != b.role) return fmt::format("role {} | {}", io::printable(a.role), io::printable(b.role));
  if (!(a.array.shape() == b.array.shape()))
    return fmt::format("shape {} | {}", toString(a.array.shape()), toString(b.array.shape()));
  if (a.array.dtype() != b.array.dtype())
    return fmt::format("type {} | {}", name(a.array.dtype()), name(b.array.dtype()));
  return compareElements(a.array, b.array);
}

}  // namespace

std::vector<std::string> differences(const io::Checkpoint& a, const io::Checkpoint& b) {
  Lines lines;
  const auto member = [&](const char* name, const Value& here, const Value& there) {
    compareValues(lines, name, here.isNull() ? nullptr : &here, there.isNull() ? nullptr : &there);
  };
  member("writer", a.writer, b.writer);
  member("model", a.model, b.model);
  member("train", a.train, b.train);
  member("optimizer", a.optimizer, b.optimizer);
  member("scheduler", a.scheduler, b.scheduler);
  member("self_test", a.selfTest, b.selfTest);
  member("other members", a.extra, b.extra);
  std::unordered_map<std::string_view, const io::CheckpointTensor*> rest;
  for (const io::CheckpointTensor& tensor : b.tensors) rest.emplace(tensor.name, &tensor);
  const auto add = [&](const io::CheckpointTensor& tensor, const std::string& text) {
    if (!text.empty()) lines.push_back(fmt::format("tensor {}: {}", io::printable(tensor.name, 1024), text));
  };
  for (const io::CheckpointTensor& tensor : a.tensors) {
    const auto other = rest.find(tensor.name);
    add(tensor, other == rest.end() ? "only in the first" : compareTensors(tensor, *other->second));
    if (other != rest.end()) other->second = nullptr;
  }
  for (const io::CheckpointTensor& tensor : b.tensors) {
    if (rest.at(tensor.name)) add(tensor, "only in the second");
  }
  return lines;
}
