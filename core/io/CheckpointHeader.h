#pragma once
#include <string>

#include <ember/core/io/Checkpoint.h>
#include <ember/core/io/CheckpointInput.h>

namespace ember::io {

/// The members of a checkpoint's root object but "tensors" and "data", as they are read.
class CheckpointHeader {
 public:
  explicit CheckpointHeader(const CheckpointInput& input) : input_(input) {}

  /// To be called with the name of every member, before its value is read: a file of another version is refused before
  /// anything is made of it, but after its writer is known if that comes next.
  void begin(const std::string& key) const;
  /// Keeps a member. "format", "format_version" and "required_features" say whether the rest can be understood.
  void add(const std::string& key, Value value);
  /// Refuses a header that lacks something or has a part of a wrong kind.
  void checkWhole() const;

  /// "end", or null.
  const Value* end() const noexcept { return members_.find("end"); }
  /// Moves everything where it belongs.
  void moveInto(Checkpoint& checkpoint);

 private:
  void checkFormat(const Value& format) const;
  void checkVersion(const Value& version);
  void checkFeatures(const Value& features);
  [[noreturn]] void refuseUnknown() const;

  const CheckpointInput& input_;
  Value members_ = Value::object();
  std::string unknown_;  // why this release cannot read the file, until its writer is known too
};

}  // namespace ember::io
