#pragma once
#include <type_traits>

#include <ember/core/Simd.h>

/// EMBER_SIMD for templates: clang has no target_clones on them, so a loop in the form of a lambda is compiled into one
/// function per instruction set, and a test of the CPU picks one.
///
///   simd::run([=]() EMBER_SIMD_BODY { for (i64 i = 0; i < n; ++i) out[i] = f(a[i]); });
///
/// Everything that the body calls must be EMBER_INLINE, or it is compiled for the baseline.
#define EMBER_INLINE inline __attribute__((always_inline))
#define EMBER_SIMD_BODY __attribute__((always_inline))

/// Before a loop whose iterations do not depend on each other: its pointers are equal or do not overlap. g++ then leaves out
/// the test for overlap; clang tests, since its pragma would warn about each function that it cannot vectorise.
#if defined(__clang__)
#define EMBER_NO_ALIAS
#else
#define EMBER_NO_ALIAS _Pragma("GCC ivdep")
#endif

namespace ember::core::simd {
namespace {

#if defined(__x86_64__) && !defined(EMBER_NO_SIMD_CLONES)

template <class Isas, class Body> __attribute__((noinline, target("avx2,fma"))) void onAvx2(const Body& body) {
  body(typename Isas::Avx2{});
}
template <class Isas, class Body>
__attribute__((noinline, target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))) void onAvx512(const Body& body) {
  body(typename Isas::Avx512{});
}

/// Runs body(isa) compiled for that level. What a body wants to know of each level stands in the types Isas::Baseline,
/// Isas::Avx2 and Isas::Avx512, one of which it gets.
template <class Isas, class Body> void runOn(Level level, const Body& body) {
  switch (level) {
    case Level::Avx512: return onAvx512<Isas>(body);
    case Level::Avx2: return onAvx2<Isas>(body);
    case Level::Baseline: return body(typename Isas::Baseline{});
  }
}

/// The same without the widest vectors: less code where speed is not all.
template <class Isas, class Body> void runNarrow(Level level, const Body& body) {
  if (level == Level::Baseline) return body(typename Isas::Baseline{});
  onAvx2<Isas>(body);
}

#else

template <class Isas, class Body> void runNarrow(Level, const Body& body) { body(typename Isas::Baseline{}); }
template <class Isas, class Body> void runOn(Level, const Body& body) { body(typename Isas::Baseline{}); }

#endif

/// What a loop is told that leaves the vectors to the compiler: nothing.
struct AnyIsa {
  using Baseline = AnyIsa;
  using Avx2 = AnyIsa;
  using Avx512 = AnyIsa;
};

/// Runs the body with the best instruction set of this CPU.
template <class Body> void run(const Body& body) {
  runOn<AnyIsa>(level(), [&](AnyIsa) EMBER_SIMD_BODY { body(); });
}

/// As run for loops over floats. Doubles, which verify more than they train, go without the widest vectors, and integers
/// take the baseline: every variant costs code.
template <class T, class Body> void runFor(const Body& body) {
  if constexpr (std::is_integral_v<T>) body();
  else if constexpr (std::is_same_v<T, double>) runNarrow<AnyIsa>(level(), [&](AnyIsa) EMBER_SIMD_BODY { body(); });
  else run(body);
}

}  // namespace
}  // namespace ember::core::simd
