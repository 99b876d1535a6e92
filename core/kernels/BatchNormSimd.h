#pragma once
#include <bit>
#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

#include <ember/core/DType.h>
#include <ember/core/kernels/SimdRun.h>

/// Vectors for the batch-norm loops. A loop is a lambda that takes an instruction set and is compiled once for each:
///
///   simd<float>([&](auto isa) EMBER_SIMD_BODY { using V = VectorOf<decltype(isa), float>; ... });
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

/// Instruction sets: bytes of a vector, and how many pairs of vectors of a row a loop takes at a time (its registers
/// hold up to five constants or sums of each vector).
struct Baseline {
  static constexpr int bytes = 16, pairs = 1;
};
struct Avx2 {
  static constexpr int bytes = 32, pairs = 1;
};
struct Avx512 {
  static constexpr int bytes = 64, pairs = 2;
};

template <int bytes>
struct Vectors;
// Not aliases by `using`: clang leaves out `aligned` there.
#define EMBER_VECTORS(bytes)                                                          \
  template <>                                                                         \
  struct Vectors<bytes> {                                                             \
    typedef float F32 __attribute__((vector_size(bytes)));                            \
    typedef double F64 __attribute__((vector_size(bytes)));                           \
    typedef u32 U32 __attribute__((vector_size(bytes)));                              \
    typedef float AnyF32 __attribute__((vector_size(bytes), aligned(4), may_alias));  \
    typedef double AnyF64 __attribute__((vector_size(bytes), aligned(8), may_alias)); \
    typedef u32 AnyU32 __attribute__((vector_size(bytes), aligned(2), may_alias));    \
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

template <class Isa>
EMBER_INLINE void store(float* to, const VectorOf<Isa, float>& v) {
  *reinterpret_cast<typename Vectors<Isa::bytes>::AnyF32*>(to) = v;
}
template <class Isa>
EMBER_INLINE void store(double* to, const VectorOf<Isa, double>& v) {
  *reinterpret_cast<typename Vectors<Isa::bytes>::AnyF64*>(to) = v;
}

// Elements are loaded and stored by pairs of vectors. Those of a bf16 pair are its even and its odd elements, which an
// operation each turns into floats and back.

template <class Isa, std::floating_point T>
EMBER_INLINE void load2(const T* from, VectorOf<Isa, T> (&v)[2]) {
  v[0] = load<Isa>(from);
  v[1] = load<Isa>(from + lanes<Isa, T>);
}
template <class Isa>
EMBER_INLINE void load2(const bf16* from, VectorOf<Isa, float> (&v)[2]) {
  using V = Vectors<Isa::bytes>;
  const typename V::U32 bits = *reinterpret_cast<const typename V::AnyU32*>(from);
  v[0] = std::bit_cast<typename V::F32>(bits << 16);
  v[1] = std::bit_cast<typename V::F32>(bits & 0xffff0000u);
}

/// `streaming` needs `to` aligned to the vector.
template <class Isa, std::floating_point T>
EMBER_INLINE void store2(T* to, const VectorOf<Isa, T> (&v)[2], bool streaming) {
  if (streaming) {
    stream<Isa>(to, v[0]);
    stream<Isa>(to + lanes<Isa, T>, v[1]);
  } else {
    store<Isa>(to, v[0]);
    store<Isa>(to + lanes<Isa, T>, v[1]);
  }
}
/// To nearest even. A NaN must have zeros where bf16 ends, or rounding could carry it into another number: those of
/// bf16 data and the CPU's own have, those of constants are made so by spread().
template <class Isa>
EMBER_INLINE void store2(bf16* to, const VectorOf<Isa, float> (&v)[2], bool streaming) {
  using V = Vectors<Isa::bytes>;
  const auto even = std::bit_cast<typename V::U32>(v[0]), odd = std::bit_cast<typename V::U32>(v[1]);
  const typename V::U32 roundedEven = even + (0x7fffu + ((even >> 16) & 1u)),
                        roundedOdd = odd + (0x7fffu + ((odd >> 16) & 1u));
  const typename V::U32 both = (roundedEven >> 16) | (roundedOdd & 0xffff0000u);
  if (streaming) {
    stream<Isa>(to, both);
  } else {
    *reinterpret_cast<typename V::AnyU32*>(to) = both;
  }
}

template <class V, std::size_t... i>
EMBER_INLINE void apart(V* v, std::index_sequence<i...>) {
  const V first = v[0], second = v[1];
  v[0] = __builtin_shufflevector(first, second, (2 * i)...);
  v[1] = __builtin_shufflevector(first, second, (2 * i + 1)...);
}
template <class V, std::size_t... i>
EMBER_INLINE void together(V* v, std::index_sequence<i...>) {
  constexpr std::size_t n = sizeof...(i);
  const V even = v[0], odd = v[1];
  v[0] = __builtin_shufflevector(even, odd, (i / 2 + i % 2 * n)...);
  v[1] = __builtin_shufflevector(even, odd, (n / 2 + i / 2 + i % 2 * n)...);
}

/// Constants of lanes in the order in which load2 gives elements of type S, and sums back in the order of the lanes.
template <class Isa, class S, class T>
EMBER_INLINE void loadLanes2(const T* from, VectorOf<Isa, T>* v) {
  v[0] = load<Isa>(from);
  v[1] = load<Isa>(from + lanes<Isa, T>);
  if constexpr (std::is_same_v<S, bf16>) apart(v, std::make_index_sequence<lanes<Isa, T>>());
}
template <class Isa, class S, class T>
EMBER_INLINE void storeLanes2(T* to, VectorOf<Isa, T>* v) {
  if constexpr (std::is_same_v<S, bf16>) together(v, std::make_index_sequence<lanes<Isa, T>>());
  store<Isa>(to, v[0]);
  store<Isa>(to + lanes<Isa, T>, v[1]);
}

template <class Isa, class T>
EMBER_INLINE VectorOf<Isa, T> broadcast(T value) {
  return VectorOf<Isa, T>{} + value;
}

/// Calls f(j, pairs) for every strip of that many pairs of vectors (a constant) from lane j of a row of `width` lanes.
template <class Isa, class T, class F>
EMBER_INLINE void forStrips(i64 width, F&& f) {
  constexpr i64 pair = 2 * lanes<Isa, T>;
  i64 j = 0;
  for (; j + Isa::pairs * pair <= width; j += Isa::pairs * pair) f(j, std::integral_constant<int, Isa::pairs>{});
  for (; j < width; j += pair) f(j, std::integral_constant<int, 1>{});
}

namespace {

struct Isas {
  using Baseline = batchnorm::Baseline;
  using Avx2 = batchnorm::Avx2;
  using Avx512 = batchnorm::Avx512;
};

/// Runs the body, which works on elements of type S, with the best instruction set of this CPU; doubles, which verify
/// more than they train, go without the widest vectors.
template <class S, class Body>
void simd(const Body& body) {
  if constexpr (std::is_same_v<S, double>) core::simd::runNarrow<Isas>(core::simd::level(), body);
  else core::simd::runOn<Isas>(core::simd::level(), body);
}

}  // namespace

}  // namespace ember::core::batchnorm
