#include <ember/core/DType.h>

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

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

DType computeDtype(DType dtype) noexcept {
  if (dtype == DType::BF16) return DType::F32;
  return isFloating(dtype) ? dtype : DType::I64;
}

bool isFloating(DType dtype) noexcept { return dtype == DType::F32 || dtype == DType::F64 || dtype == DType::BF16; }

namespace {

template <class Number> std::string shown(Number number) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, number).ptr};
}

[[noreturn]] void refuse(std::string_view op, const std::string& number, DType dtype) {
  const std::string range = dispatch(dtype, [](auto zero) -> std::string {
    using T = decltype(zero);
    if constexpr (std::is_same_v<T, bool>) return "bool holds 0 and 1";
    else if constexpr (!std::is_integral_v<T>) return "its numbers end at about 3.4e38";
    else return "it holds whole numbers from " + shown(i64{std::numeric_limits<T>::min()}) + " to " +
                shown(i64{std::numeric_limits<T>::max()});
  });
  throw ValueError(op, number + " does not fit " + std::string(name(dtype)), {{"range", range}},
                   "use a wider type: convert the tensor with to(), or make it with another DType");
}

}  // namespace

void checkFits(std::string_view op, double number, DType dtype) {
  const bool fits = dispatch(dtype, [&](auto zero) -> bool {
    using T = decltype(zero);
    if constexpr (std::is_same_v<T, bool>) {
      return number == 0 || number == 1;
    } else if constexpr (std::is_integral_v<T>) {
      // The end of the range, 2^bits, is exact as double; the largest i64 is not.
      constexpr double end = 2 * static_cast<double>(std::numeric_limits<T>::max() / 2 + 1);
      return number >= static_cast<double>(std::numeric_limits<T>::min()) && number < end &&
             number == std::trunc(number);
    } else {
      constexpr double largest = std::is_same_v<T, double>  ? std::numeric_limits<double>::max()
                                 : std::is_same_v<T, float> ? std::numeric_limits<float>::max()
                                                            : 0x1.fep127;
      return !std::isfinite(number) || std::abs(number) <= largest;
    }
  });
  if (!fits) refuse(op, shown(number), dtype);
}

void checkFits(std::string_view op, i64 number, DType dtype) {
  const bool fits = dispatch(dtype, [&](auto zero) -> bool {
    using T = decltype(zero);
    if constexpr (std::is_same_v<T, bool>) return number == 0 || number == 1;
    else if constexpr (std::is_integral_v<T>) return std::in_range<T>(number);
    else return true;
  });
  if (!fits) refuse(op, shown(number), dtype);
}

}  // namespace ember
