#include <ember/core/io/CheckpointTable.h>

#include <ember/core/io/CheckpointLimits.h>
#include <ember/core/io/Text.h>

namespace ember::io {

void CheckpointTable::add(const Value& row) {
  if (entries_.size() >= maxTensors) input_.refuse(" lists more than 500,000 tensors");
  CheckpointEntry entry;
  if (const EntryProblem problem = parseEntry(row, entries_.size(), entry); !problem.what.empty())
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
  input_.refuse(tensor + " cannot be in this file: up to it, tensors of " + bytesText(bytes_) +
                    " are declared, the file has " + bytesText(size),
                {}, "it was not written or copied completely, or is damaged");
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
