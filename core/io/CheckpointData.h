#pragma once
#include <string>
#include <utility>
#include <vector>

#include <ember/core/io/CheckpointInput.h>
#include <ember/core/io/CheckpointPayload.h>
#include <ember/core/io/CheckpointTable.h>

namespace ember::io {

/// The object "data" of a checkpoint: payload after payload goes into the arrays of the table.
class CheckpointData {
 public:
  CheckpointData(const CheckpointInput& input, CheckpointTable& table) : input_(input), table_(table) {}

  /// The payload of that tensor follows. Allocates its array.
  void begin(const std::string& name);
  /// One element of the payload's JSON array.
  void text(std::string_view text) { check(payload_.text(text)); }
  void scalar(const Value& value) { check(payload_.scalar(value)); }
  void number(std::string_view digits) { check(payload_.number(digits)); }
  /// The payload ends: it must be complete and have its check sum.
  void end();

  /// Name of the payload that was begun last.
  const std::string& current() const noexcept { return entry_->name; }
  /// What is there of a file that ends too early.
  std::vector<std::pair<std::string, std::string>> progress() const;

 private:
  void check(const std::string& problem) const;

  const CheckpointInput& input_;
  CheckpointTable& table_;
  CheckpointEntry* entry_ = nullptr;
  PayloadReader payload_;
  std::size_t whole_ = 0;  // payloads
  u64 wholeBytes_ = 0;
  std::string lastWhole_;
};

}  // namespace ember::io
