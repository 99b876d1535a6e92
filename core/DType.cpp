#include <ember/core/DType.h>

#include <array>
#include <bit>
#include <cmath>
#include <string>

#include <ember/core/Error.h>

namespace ember {
namespace {

struct Row {
  std::string_view name;
  std::size_t bytes;
};
constexpr std::array<Row, 8> table{
    {{"f32", 4}, {"f64", 8}, {"bf16", 2}, {"i64", 8}, {"i32", 4}, {"i8", 1}, {"u8", 1}, {"bool", 1}}};

}  // namespace

bf16::bf16(float value) {
  const auto word = std::bit_cast<u32>(value);
  if (std::isnan(value)) {
    bits = static_cast<std::uint16_t>((word >> 16) | 0x40);  // quiet: cutting the mantissa cannot make it infinite
  } else {
    bits = static_cast<std::uint16_t>((word + 0x7fff + ((word >> 16) & 1)) >> 16);
  }
}

bf16::operator float() const { return std::bit_cast<float>(static_cast<u32>(bits) << 16); }

std::size_t itemSize(DType dtype) noexcept { return table[static_cast<std::size_t>(dtype)].bytes; }
std::string_view name(DType dtype) noexcept { return table[static_cast<std::size_t>(dtype)].name; }

DType dtypeFromName(std::string_view word) {
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (table[i].name == word) return static_cast<DType>(i);
  }
  throw ValueError("dtype", "unknown element type \"" + std::string(word) + "\"", {},
                   "one of f32, f64, bf16, i64, i32, i8, u8, bool");
}

bool isFloating(DType dtype) noexcept { return dtype == DType::F32 || dtype == DType::F64 || dtype == DType::BF16; }

}  // namespace ember
