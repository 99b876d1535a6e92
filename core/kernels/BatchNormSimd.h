#pragma once
#include <bit>
#include <cstdint>
#include <type_traits>

#include <ember/core/DType.h>
#include <ember/core/kernels/SimdRun.h>

/// Vectors for the batch-norm loops. A loop is a lambda that takes an instruction set and is compiled once for each:
///
///   simd([&](auto isa) EMBER_SIMD_BODY { using V = VectorOf<decltype(isa), float>; ... });
///
/// Its vectors stay in registers over all rows of a block, which the compiler's own vectorising does not achieve.
namespace ember::core::batchnorm {

#if defined(__clang__)
#define EMBER_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define EMBER_INDEPENDENT _Pragma("GCC ivdep")
#endif

// Vectors wider than the baseline's are passed only to functions that are inlined. Until the end of the source: g++
// warns where they are expanded.
#pragma GCC diagnostic ignored "-Wpsabi"

/// Instruction sets: bytes of a vector, and how many vectors of a row a loop keeps at a time (its registers hold up to
/// five constants or sums of each).
struct Baseline {
  static constexpr int bytes = 16, strip = 2;
};
struct Avx2 {
  static constexpr int bytes = 32, strip = 2;
};
struct Avx512 {
  static constexpr int bytes = 64, strip = 4;
};

template <int bytes>
struct Vectors;
#define EMBER_VECTORS(bytes)                                                                     \
  template <>                                                                                    \
  struct Vectors<bytes> {                                                                        \
    using F32 = float __attribute__((vector_size(bytes)));                                       \
    using F64 = double __attribute__((vector_size(bytes)));                                      \
    using U32 = u32 __attribute__((vector_size(bytes)));                                         \
    using U16 = std::uint16_t __attribute__((vector_size(bytes / 2)));                           \
    using AnyF32 = float __attribute__((vector_size(bytes), aligned(4), may_alias));             \
    using AnyF64 = double __attribute__((vector_size(bytes), aligned(8), may_alias));            \
    using AnyU16 = std::uint16_t __attribute__((vector_size(bytes / 2), aligned(2), may_alias)); \
  };
EMBER_VECTORS(16)
EMBER_VECTORS(32)
EMBER_VECTORS(64)
#undef EMBER_VECTORS

/// Type of the arithmetic on elements of type S.
template <class S>
using Arithmetic = std::conditional_t<std::is_same_v<S, bf16>, float, S>;

template <class Isa, class T>
using VectorOf =
    std::conditional_t<std::is_same_v<T, double>, typename Vectors<Isa::bytes>::F64, typename Vectors<Isa::bytes>::F32>;
template <class Isa, class T>
inline constexpr i64 lanes = Isa::bytes / static_cast<int>(sizeof(T));

template <class Isa>
EMBER_INLINE VectorOf<Isa, float> load(const float* from) {
  return *reinterpret_cast<const typename Vectors<Isa::bytes>::AnyF32*>(from);
}
template <class Isa>
EMBER_INLINE VectorOf<Isa, double> load(const double* from) {
  return *reinterpret_cast<const typename Vectors<Isa::bytes>::AnyF64*>(from);
}
template <class Isa>
EMBER_INLINE VectorOf<Isa, float> load(const bf16* from) {
  using V = Vectors<Isa::bytes>;
  const typename V::U16 bits = *reinterpret_cast<const typename V::AnyU16*>(from);
  return std::bit_cast<typename V::F32>(__builtin_convertvector(bits, typename V::U32) << 16);
}

/// Past the caches: what is written is not read before they would have forgotten it, and its old content is not
/// fetched.
template <class Isa, class V>
EMBER_INLINE void stream(void* to, const V& v) {
#if defined(__clang__)
  __builtin_nontemporal_store(v, static_cast<V*>(to));
#elif defined(__x86_64__)
  if constexpr (Isa::bytes > 16) {
    asm volatile("vmovntps %1, %0" : "=m"(*static_cast<V*>(to)) : "v"(v));
  } else {
    asm volatile("movntps %1, %0" : "=m"(*static_cast<V*>(to)) : "x"(v));
  }
#else
  *static_cast<V*>(to) = v;
#endif
}

/// After streaming, before another thread may read.
EMBER_INLINE void endStreaming() {
#if defined(__x86_64__)
  __builtin_ia32_sfence();
#endif
}

/// `streaming` needs `to` aligned to the vector.
template <class Isa>
EMBER_INLINE void store(float* to, const VectorOf<Isa, float>& v, bool streaming) {
  if (streaming) return stream<Isa>(to, v);
  *reinterpret_cast<typename Vectors<Isa::bytes>::AnyF32*>(to) = v;
}
template <class Isa>
EMBER_INLINE void store(double* to, const VectorOf<Isa, double>& v, bool streaming) {
  if (streaming) return stream<Isa>(to, v);
  *reinterpret_cast<typename Vectors<Isa::bytes>::AnyF64*>(to) = v;
}
template <class Isa>
EMBER_INLINE void store(bf16* to, const VectorOf<Isa, float>& v, bool streaming) {
  // As narrow() of Convert.h: to nearest even, NaN stays NaN.
  using V = Vectors<Isa::bytes>;
  const auto bits = std::bit_cast<typename V::U32>(v);
  const typename V::U32 rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16, quiet = (bits >> 16) | 0x40u;
  const auto half = __builtin_convertvector(v == v ? rounded : quiet, typename V::U16);
  if constexpr (sizeof(half) >= 16) {
    if (streaming) return stream<Isa>(to, half);
  }
  *reinterpret_cast<typename V::AnyU16*>(to) = half;
}

template <class Isa, class T>
EMBER_INLINE VectorOf<Isa, T> broadcast(T value) {
  return VectorOf<Isa, T>{} + value;
}

/// Calls f(j, count) for every strip of `count` vectors (a constant) from lane j of a row of `width` lanes.
template <class Isa, class T, class F>
EMBER_INLINE void forStrips(i64 width, F&& f) {
  constexpr i64 wide = Isa::strip * lanes<Isa, T>;
  i64 j = 0;
  for (; j + wide <= width; j += wide) f(j, std::integral_constant<int, Isa::strip>{});
  for (; j < width; j += lanes<Isa, T>) f(j, std::integral_constant<int, 1>{});
}

namespace {

#if defined(__x86_64__) && !defined(EMBER_NO_SIMD_CLONES)

template <class Body>
__attribute__((noinline, target("avx2,fma"))) void runAvx2(const Body& body) {
  body(Avx2{});
}
template <class Body>
__attribute__((noinline, target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))) void runAvx512(const Body& body) {
  body(Avx512{});
}
/// Runs the body with the best instruction set of this CPU.
template <class Body>
void simd(const Body& body) {
  switch (core::simd::level()) {
    case core::simd::Level::Avx512:
      return runAvx512(body);
    case core::simd::Level::Avx2:
      return runAvx2(body);
    case core::simd::Level::Baseline:
      return body(Baseline{});
  }
}

#else

template <class Body>
void simd(const Body& body) {
  body(Baseline{});
}

#endif

}  // namespace

}  // namespace ember::core::batchnorm
