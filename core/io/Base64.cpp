#include <ember/core/io/Base64.h>

#include <array>

#include <ember/core/io/Text.h>

namespace ember::io {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr u32 notADigit = u32{1} << 31;

/// What a character adds to the 24 bits of a group of four, by its place in the group.
using Digits = std::array<std::array<u32, 256>, 4>;
constexpr Digits makeDigits() {
  Digits digits{};
  for (std::size_t place = 0; place < 4; ++place) {
    for (u32& digit : digits[place]) digit = notADigit;
    for (std::size_t i = 0; i < alphabet.size(); ++i)
      digits[place][static_cast<u8>(alphabet[i])] = static_cast<u32>(i) << (18 - 6 * place);
  }
  return digits;
}
constexpr Digits digits = makeDigits();

}  // namespace

void appendBase64(std::string& out, const void* bytes, std::size_t count) {
  const u8* in = static_cast<const u8*>(bytes);
  const std::size_t start = out.size();
  out.resize(start + base64Length(count));
  char* to = out.data() + start;
  std::size_t i = 0;
  for (; i + 3 <= count; i += 3, to += 4) {
    const u32 word = u32{in[i]} << 16 | u32{in[i + 1]} << 8 | in[i + 2];
    to[0] = alphabet[word >> 18];
    to[1] = alphabet[word >> 12 & 63];
    to[2] = alphabet[word >> 6 & 63];
    to[3] = alphabet[word & 63];
  }
  if (i == count) return;
  const bool two = count - i == 2;
  const u32 word = u32{in[i]} << 16 | (two ? u32{in[i + 1]} << 8 : 0);
  to[0] = alphabet[word >> 18];
  to[1] = alphabet[word >> 12 & 63];
  to[2] = two ? alphabet[word >> 6 & 63] : '=';
  to[3] = '=';
}

Base64Result decodeBase64(std::string_view text, void* to, std::size_t capacity) {
  Base64Result result;
  if (text.size() % 4 != 0) {
    result.problem = "its length, " + std::to_string(text.size()) + ", is no multiple of 4";
    return result;
  }
  if (text.empty()) return result;
  const std::size_t padding = text[text.size() - 1] != '=' ? 0 : text[text.size() - 2] != '=' ? 1 : 2;
  result.padded = padding > 0;
  const std::size_t total = text.size() / 4 * 3 - padding;
  if (total > capacity) {
    result.problem = "it holds " + bytesText(total) + " where " + bytesText(capacity) + " are left";
    return result;
  }
  const auto digitAt = [&](std::size_t i) { return digits[i % 4][static_cast<u8>(text[i])]; };
  const auto badCharacter = [&](std::size_t from) {
    std::size_t i = from;
    while (digitAt(i) != notADigit) ++i;
    result.problem = "character " + inQuotes(text.substr(i, 1)) + " at " + std::to_string(i) + " is not base64";
    return result;
  };
  u8* out = static_cast<u8*>(to);
  const std::size_t whole = text.size() - (padding > 0 ? 4 : 0);
  for (std::size_t i = 0; i < whole; i += 4, out += 3) {
    const u32 word = digitAt(i) | digitAt(i + 1) | digitAt(i + 2) | digitAt(i + 3);
    if (word & notADigit) {
      result.bytes = i / 4 * 3;
      return badCharacter(i);
    }
    out[0] = static_cast<u8>(word >> 16);
    out[1] = static_cast<u8>(word >> 8);
    out[2] = static_cast<u8>(word);
  }
  result.bytes = whole / 4 * 3;
  if (padding == 0) return result;
  const u32 word = digitAt(whole) | digitAt(whole + 1) | (padding == 1 ? digitAt(whole + 2) : 0);
  if (word & notADigit) return badCharacter(whole);
  // Bits that no byte uses must be clear, else two texts would mean the same bytes.
  if ((word & (padding == 2 ? 0xffff : 0xff)) != 0) {
    result.problem = "bits behind the last byte are set";
    return result;
  }
  out[0] = static_cast<u8>(word >> 16);
  if (padding == 1) out[1] = static_cast<u8>(word >> 8);
  result.bytes += 3 - padding;
  return result;
}

}  // namespace ember::io
