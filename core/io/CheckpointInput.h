#pragma once
#include <string>
#include <string_view>

#include <ember/core/Error.h>
#include <ember/core/io/JsonReader.h>

namespace ember::io {

/// The file a checkpoint is read from, as all parts of its reader know it.
struct CheckpointInput {
  explicit CheckpointInput(RewindableSource& s) : source(s), json(s, op) {}
  CheckpointInput(const CheckpointInput&) = delete;
  CheckpointInput& operator=(const CheckpointInput&) = delete;

  /// Refuses the file for what was read last: `what` follows its name.
  [[noreturn]] void refuse(const std::string& what, Error::Details details = {}, std::string_view help = {}) const;
  /// Refuses it for what it holds or lacks as a whole.
  [[noreturn]] void refuseWhole(const std::string& what, const Error::Details& details = {},
                                std::string_view help = {}) const;

  static constexpr const char* op = "load";
  RewindableSource& source;
  JsonReader json;
};

}  // namespace ember::io
