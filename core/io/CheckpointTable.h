#pragma once
#include <string>
#include <unordered_map>
#include <vector>

#include <ember/core/io/Checkpoint.h>
#include <ember/core/io/CheckpointEntry.h>
#include <ember/core/io/CheckpointInput.h>

namespace ember::io {

/// The list "tensors" of a checkpoint, in its order and by name.
class CheckpointTable {
 public:
  explicit CheckpointTable(const CheckpointInput& input) : input_(input) {}

  /// Appends a row; refuses one that is malformed, has a name for the second time, or declares more than the file can
  /// hold. `largeIntegers`: the integers in it beyond 2^53, which are strings in a Value.
  void add(const Value& row, const std::vector<std::string>& largeIntegers);
  /// The row of that name, or null.
  CheckpointEntry* find(const std::string& name);
  std::size_t size() const noexcept { return entries_.size(); }
  /// Of all rows' tensors.
  u64 bytes() const noexcept { return bytes_; }

  /// Refuses a file in which a listed tensor has no data, or whose record `end` (null: missing) does not agree.
  void checkWhole(const Value* end) const;
  void moveInto(Checkpoint& checkpoint);

 private:
  void checkRoom(const CheckpointEntry& entry, const std::string& tensor);

  const CheckpointInput& input_;
  std::vector<CheckpointEntry> entries_;
  std::unordered_map<std::string, std::size_t> index_;
  u64 bytes_ = 0;
  u64 characters_ = 0;  // that all payloads have at least
};

}  // namespace ember::io
