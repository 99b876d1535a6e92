#pragma once
#include <string>
#include <vector>

#include <ember/core/io/CheckpointPayload.h>
#include <ember/core/io/Value.h>

namespace ember::io {

/// One row of "tensors" in a checkpoint.
struct CheckpointEntry {
  std::string name, role;
  Shape shape;
  DType dtype = DType::F32;
  Encoding encoding = Encoding::Base64;
  u64 bytes = 0;
  u32 crc = 0;
  Value extra;          ///< the fields that have no meaning here, an object or null
  core::NDArray array;  ///< once its payload is read
};

/// Whether a field of a row has a meaning of its own ("name", "shape", ...).
bool isKnownField(std::string_view key) noexcept;

/// A sentence and what to do; empty if all is well.
struct EntryProblem {
  std::string what, help;
};
/// Checks every field of a row and fills `entry`. `largeIntegers`: of the row's strings, those that are integers in the
/// file; `number`: the row's place in the list.
EntryProblem parseEntry(const Value& row, const std::vector<std::string>& largeIntegers, std::size_t number,
                        CheckpointEntry& entry);

/// A value in a message: text in quotes, anything else as JSON, cut after 80 characters.
std::string shortText(const Value& value);

}  // namespace ember::io
