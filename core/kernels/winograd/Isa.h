#pragma once
#include <utility>

#include <ember/core/DType.h>
#include <ember/core/kernels/SimdRun.h>

/// Vectors for the Winograd kernels. A kernel is a lambda that takes an instruction set and is compiled once for each:
///
///   withIsa(level, [&](auto isa) EMBER_SIMD_BODY { using V = Vec<decltype(isa)::lanes>; ... });
///
/// Everything that it calls is EMBER_INLINE.
namespace ember::core::winograd {

// Wide vectors are passed only to functions that are inlined; g++ warns nevertheless, where they are expanded.
#pragma GCC diagnostic ignored "-Wpsabi"

/// Instruction sets: floats of a vector, and the rows of the product kernel: rows x 2 sums, 2 vectors of the right
/// operand and one of the left fit the registers.
struct Baseline {
  static constexpr int lanes = 4, rows = 4;
};
struct One {
  static constexpr int lanes = 1;
};
struct Avx2 {
  static constexpr int lanes = 8, rows = 6;
};
struct Avx512 {
  static constexpr int lanes = 16, rows = 12;
};

template <int lanes>
struct Vectors;
template <>
struct Vectors<1> {
  typedef float Aligned;
  typedef float Any;
};
#define EMBER_VECTORS(lanes)                                                          \
  template <>                                                                         \
  struct Vectors<lanes> {                                                             \
    typedef float Aligned __attribute__((vector_size(4 * lanes)));                    \
    typedef float Any __attribute__((vector_size(4 * lanes), aligned(4), may_alias)); \
  };
EMBER_VECTORS(4)
EMBER_VECTORS(8)
EMBER_VECTORS(16)
#undef EMBER_VECTORS

template <int lanes>
using Vec = typename Vectors<lanes>::Aligned;

template <int lanes>
EMBER_INLINE Vec<lanes> load(const float* from) {
  return *reinterpret_cast<const typename Vectors<lanes>::Any*>(from);
}
template <int lanes>
EMBER_INLINE void store(float* to, const Vec<lanes>& v) {
  *reinterpret_cast<typename Vectors<lanes>::Any*>(to) = v;
}
template <int lanes>
EMBER_INLINE Vec<lanes> broadcast(float value) {
  return Vec<lanes>{} + value;
}

/// Rows to columns and back.
EMBER_INLINE void transpose(Vec<4> (&v)[4]) {
  const Vec<4> a = __builtin_shufflevector(v[0], v[1], 0, 4, 1, 5), b = __builtin_shufflevector(v[0], v[1], 2, 6, 3, 7),
               c = __builtin_shufflevector(v[2], v[3], 0, 4, 1, 5), d = __builtin_shufflevector(v[2], v[3], 2, 6, 3, 7);
  v[0] = __builtin_shufflevector(a, c, 0, 1, 4, 5);
  v[1] = __builtin_shufflevector(a, c, 2, 3, 6, 7);
  v[2] = __builtin_shufflevector(b, d, 0, 1, 4, 5);
  v[3] = __builtin_shufflevector(b, d, 2, 3, 6, 7);
}

template <class F, int... i>
EMBER_INLINE void unrolledOver(const F& f, std::integer_sequence<int, i...>) {
  (f(std::integral_constant<int, i>{}), ...);
}
/// f(0) ... f(n - 1) with constants: arrays of vectors indexed by them stay in registers.
template <int n, class F>
EMBER_INLINE void unrolled(const F& f) {
  unrolledOver(f, std::make_integer_sequence<int, n>{});
}

namespace {

struct Isas {
  using Baseline = winograd::Baseline;
  using Avx2 = winograd::Avx2;
  using Avx512 = winograd::Avx512;
};

template <class Body>
void withIsa(simd::Level level, const Body& body) {
  simd::runOn<Isas>(level, body);
}

inline i64 lanesOf(simd::Level level) {
  return level == simd::Level::Avx512 ? Avx512::lanes : level == simd::Level::Avx2 ? Avx2::lanes : Baseline::lanes;
}

/// Calls body(isa, first, last) for the vectors that cover channels [0, channels): whole ones of that level, then
/// narrower ones of the baseline for the rest.
template <class Body>
void forChannels(simd::Level level, i64 channels, const Body& body) {
  const i64 fours = channels / 4 * 4,
            whole = level == simd::Level::Baseline ? 0 : channels / lanesOf(level) * lanesOf(level);
  if (whole > 0)
    withIsa(level, [&](auto isa) EMBER_SIMD_BODY {
      if constexpr (decltype(isa)::lanes > 4) body(isa, 0, whole);
    });
  if (whole < fours) body(Baseline{}, whole, fours);
  if (fours < channels) body(One{}, fours, channels);
}

}  // namespace
}  // namespace ember::core::winograd
