#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <ember/core/DType.h>

namespace ember::io {

/// CRC-32 as in gzip and PNG, over pieces: finds damage, no protection against intent.
class Crc32 {
 public:
  void update(const void* bytes, std::size_t count) noexcept;
  u32 value() const noexcept { return value_; }

 private:
  u32 value_ = 0;
};

/// Eight lower-case hexadecimal digits.
std::string crcText(u32 crc);
/// The inverse; nothing unless it is exactly eight hexadecimal digits.
std::optional<u32> parseCrc(std::string_view text) noexcept;

}  // namespace ember::io
