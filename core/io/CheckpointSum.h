#pragma once
#include <string_view>

#include <ember/core/io/CheckpointInput.h>
#include <ember/core/io/Value.h>

namespace ember::io {

/// Check sum of what a checkpoint says beside its data: a damaged digit of a learning rate or a step is no other valid
/// run. It is the sum, modulo 2^32, of a CRC-32 for each member of the root object and each row of "tensors", of
/// `NAME: JSON` in one spelling: on one line, ", " and ": " between, members of nested objects sorted by name, whole
/// numbers below 2^53 without a point. So tools that write JSON anew (jq, JavaScript, Python) do not change it. "data"
/// has sums of its own, "end" holds this one as "header_crc32". Files without it are taken as they are.
class CheckpointSum {
 public:
  static constexpr const char* field = "header_crc32";

  void add(std::string_view member, const Value& value);
  u32 value() const noexcept { return total_; }
  /// Refuses a file whose record `end` holds another sum, or anything that is no field of it: the name of the sum could
  /// be what was damaged, and no minor version adds one. Returns whether there is a sum.
  bool check(const Value& end, const CheckpointInput& input) const;

 private:
  u32 total_ = 0;
};

}  // namespace ember::io
