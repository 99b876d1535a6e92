#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ember {

using i8 = std::int8_t;
using u8 = std::uint8_t;
using i32 = std::int32_t;
using i64 = std::int64_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

/// bfloat16 as storage: the upper half of a float. Arithmetic happens in f32 after a conversion.
struct bf16 {
  std::uint16_t bits = 0;
  bf16() = default;
  explicit bf16(float value);  ///< rounds to nearest even; NaN stays NaN
  explicit operator float() const;
};

/// Element type of an array.
enum class DType : u8 { F32, F64, BF16, I64, I32, I8, U8, Bool };

/// Bytes of one element.
std::size_t itemSize(DType) noexcept;
/// "f32", "f64", "bf16", "i64", "i32", "i8", "u8", "bool".
std::string_view name(DType) noexcept;
/// The inverse of name(). Throws ValueError on an unknown word.
DType dtypeFromName(std::string_view);
/// f32, f64 or bf16.
bool isFloating(DType) noexcept;
/// Throws ValueError, in the name of `op`, unless an element of `dtype` can hold the number: for integers a whole
/// number in their range, for bool 0 or 1; floating types round, but no finite number becomes infinite.
void checkFits(std::string_view op, double number, DType dtype);
void checkFits(std::string_view op, i64 number, DType dtype);

template <class T> struct DTypeOf;
template <> struct DTypeOf<float> { static constexpr DType value = DType::F32; };
template <> struct DTypeOf<double> { static constexpr DType value = DType::F64; };
template <> struct DTypeOf<bf16> { static constexpr DType value = DType::BF16; };
template <> struct DTypeOf<i64> { static constexpr DType value = DType::I64; };
template <> struct DTypeOf<i32> { static constexpr DType value = DType::I32; };
template <> struct DTypeOf<i8> { static constexpr DType value = DType::I8; };
template <> struct DTypeOf<u8> { static constexpr DType value = DType::U8; };
template <> struct DTypeOf<bool> { static constexpr DType value = DType::Bool; };

/// Calls f with a default-constructed value of the C++ type behind `dtype`:
/// dispatch(t, [&](auto zero) { using T = decltype(zero); ... }).
template <class F> decltype(auto) dispatch(DType dtype, F&& f) {
  switch (dtype) {
    case DType::F32: return f(float{});
    case DType::F64: return f(double{});
    case DType::BF16: return f(bf16{});
    case DType::I64: return f(i64{});
    case DType::I32: return f(i32{});
    case DType::I8: return f(i8{});
    case DType::U8: return f(u8{});
    case DType::Bool: break;
  }
  return f(bool{});
}

/// The type that rare ones are computed in, so that not every loop is compiled for all eight: f32 for bf16, i64 for the
/// other integers and bool, itself for f32, f64 and i64.
DType computeDtype(DType) noexcept;

/// dispatch for what computeDtype returns.
template <class F> decltype(auto) dispatchWide(DType dtype, F&& f) {
  if (dtype == DType::F32) return f(float{});
  if (dtype == DType::F64) return f(double{});
  return f(i64{});
}

/// Calls f with a zero of an unsigned type of that many bytes, for loops that only move elements.
template <class F> decltype(auto) dispatchSize(std::size_t bytes, F&& f) {
  switch (bytes) {
    case 1: return f(u8{});
    case 2: return f(std::uint16_t{});
    case 4: return f(u32{});
    default: return f(u64{});
  }
}

}  // namespace ember
