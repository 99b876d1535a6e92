#include <ember/core/io/CheckpointTable.h>

#include <array>

#include <ember/core/io/CheckpointLimits.h>
#include <ember/core/io/Text.h>

namespace ember::io {
namespace {

/// Whether the text ends within a string, an array or an object. Reads it from its start.
bool endsEarly(RewindableSource& source) {
  source.rewind();
  std::array<char, 1 << 14> buffer;
  i64 depth = 0;
  bool inText = false, escape = false;
  while (const std::size_t count = source.read(buffer.data(), buffer.size())) {
    for (const char c : std::string_view(buffer.data(), count)) {
      if (inText) {
        inText = escape || c != '"';
        escape = !escape && c == '\\';
      } else if (c == '"') {
        inText = true;
      } else if (c == '{' || c == '[') {
        ++depth;
      } else if (c == '}' || c == ']') {
        --depth;
      }
    }
  }
  return inText || depth > 0;
}

}  // namespace

void CheckpointTable::add(const Value& row, const std::vector<std::string>& largeIntegers) {
  if (entries_.size() >= maxTensors) input_.refuse(" lists more than 500,000 tensors");
  CheckpointEntry entry;
  if (const EntryProblem problem = parseEntry(row, largeIntegers, entries_.size(), entry); !problem.what.empty())
    input_.refuse(": " + problem.what, {}, problem.help);
  const std::string tensor = ": tensor " + inQuotes(entry.name);
  checkRoom(entry, tensor);
  if (!index_.emplace(entry.name, entries_.size()).second) input_.refuse(tensor + " is listed twice");
  entries_.push_back(std::move(entry));
}

// Before anything is allocated for it.
void CheckpointTable::checkRoom(const CheckpointEntry& entry, const std::string& tensor) {
  const u64 elements = entry.bytes / itemSize(entry.dtype);
  const u64 characters = entry.encoding == Encoding::Decimal ? elements : entry.bytes;  // fewer than its text can have
  bytes_ += entry.bytes;
  characters_ += characters;
  const u64 size = input_.source.size();
  if (characters_ <= size) return;
  const std::string room =
      "up to it, tensors of " + bytesText(bytes_) + " are declared, the file has " + bytesText(size);
  if (endsEarly(input_.source)) {
    input_.refuseWhole(" is cut off",
                       {{"ends", "after " + bytesText(size)}, {"last", inQuotes(entry.name) + ": " + room}},
                       "it was not written or copied completely: take another copy");
  }
  input_.refuse(tensor + " cannot be in this file: " + room, {}, "the file is damaged: take another copy");
}

CheckpointEntry* CheckpointTable::find(const std::string& name) {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &entries_[found->second];
}

void CheckpointTable::checkWhole(const Value* end) const {
  constexpr std::size_t longestList = 20;
  std::string missing;
  std::size_t count = 0;
  for (const CheckpointEntry& entry : entries_) {
    if (entry.array.defined()) continue;
    if (count++ < longestList) missing.append(missing.empty() ? "" : ", ").append(inQuotes(entry.name));
  }
  if (count > 0) {
    input_.refuseWhole(" has no data of " + std::to_string(count) + " listed tensors",
                       {{"missing", missing + (count > longestList ? ", ..." : "")}});
  }
  if (!end) input_.refuseWhole(": no field \"end\"", {}, "it was not written or copied completely");
  const auto agrees = [&](const char* key, u64 found) {
    const Value* field = end->find(key);
    if (field && (*field == Value(found) || *field == Value::counter(found))) return;
    input_.refuseWhole(
        ": \"end\" does not agree with the content",
        {{std::string("end.") + key, field ? shortText(*field) : "missing"}, {"found", std::to_string(found)}});
  };
  agrees("tensors", entries_.size());
  agrees("bytes", bytes_);
}

void CheckpointTable::moveInto(Checkpoint& checkpoint) {
  checkpoint.tensors.reserve(entries_.size());
  for (CheckpointEntry& entry : entries_)
    checkpoint.tensors.push_back(
        {std::move(entry.name), std::move(entry.role), std::move(entry.array), std::move(entry.extra)});
  entries_.clear();
  index_.clear();
}

}  // namespace ember::io
