#pragma once
#include <bit>
#include <limits>
#include <type_traits>
#include <utility>

#include <ember/core/DType.h>
#include <ember/core/kernels/SimdRun.h>

/// Conversion of one element between any two types. It is defined for every value: what lies outside an integer's range,
/// float or integer, goes to its nearest end, NaN to 0; to bool is != 0, so NaN is true.
namespace ember::core {

EMBER_INLINE float widen(bf16 v) { return std::bit_cast<float>(static_cast<u32>(v.bits) << 16); }

/// To nearest even; NaN keeps its sign and becomes quiet. As bf16(float), in a form that vectorises.
EMBER_INLINE bf16 narrow(float v) {
  const u32 bits = std::bit_cast<u32>(v);
  const u32 rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const u32 quiet = (bits >> 16) | 0x40u;
  bf16 result;
  result.bits = static_cast<std::uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
  return result;
}

template <class To, class From> EMBER_INLINE To convert(From v) {
  if constexpr (std::is_same_v<To, From>) {
    return v;
  } else if constexpr (std::is_same_v<From, bf16>) {
    return convert<To>(widen(v));
  } else if constexpr (std::is_same_v<To, bf16>) {
    return narrow(convert<float>(v));
  } else if constexpr (std::is_same_v<To, bool>) {
    return v != From(0);
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    // 2^bits is exact in From, the largest integer may not be.
    constexpr From low = static_cast<From>(std::numeric_limits<To>::min());
    constexpr From end = static_cast<From>(static_cast<From>(std::numeric_limits<To>::max() / 2 + 1) * From(2));
    if (v != v) return To(0);
    if (v <= low) return std::numeric_limits<To>::min();
    if (v >= end) return std::numeric_limits<To>::max();
    return static_cast<To>(v);
  } else {
    if constexpr (std::is_integral_v<To> && !std::is_same_v<From, bool>) {
      // Compared in From, where the ends of a narrower type are exact.
      constexpr To low = std::numeric_limits<To>::min(), high = std::numeric_limits<To>::max();
      if constexpr (std::cmp_less(std::numeric_limits<From>::min(), low)) v = v < From(low) ? From(low) : v;
      if constexpr (std::cmp_greater(std::numeric_limits<From>::max(), high)) v = v > From(high) ? From(high) : v;
    }
    return static_cast<To>(v);
  }
}

}  // namespace ember::core
