#include <ember/core/io/Crc32.h>

#include <algorithm>
#include <charconv>
#include <system_error>

#include <zlib.h>

namespace ember::io {

void Crc32::update(const void* bytes, std::size_t count) noexcept {
  const auto* at = static_cast<const Bytef*>(bytes);
  while (count > 0) {
    const auto part = static_cast<uInt>(std::min<std::size_t>(count, std::size_t{1} << 30));  // zlib counts in 32 bits
    value_ = static_cast<u32>(::crc32(value_, at, part));
    at += part;
    count -= part;
  }
}

std::string crcText(u32 crc) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (int shift = 28; shift >= 0; shift -= 4) text += digits[crc >> shift & 15];
  return text;
}

std::optional<u32> parseCrc(std::string_view text) noexcept {
  u32 value = 0;
  if (text.size() != 8) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace ember::io
