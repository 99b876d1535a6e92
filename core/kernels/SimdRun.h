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

template <class Body> __attribute__((noinline, target("avx2,fma"))) void runAvx2(const Body& body) { body(); }
template <class Body>
__attribute__((noinline, target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))) void runAvx512(const Body& body) {
  body();
}

template <class Body> void run(const Body& body) {
  switch (level()) {
    case Level::Avx512: return runAvx512(body);
    case Level::Avx2: return runAvx2(body);
    case Level::Baseline: return body();
  }
}

#else

template <class Body> void run(const Body& body) { body(); }

#endif

/// As run for loops over floats; integers take the baseline: they are rare, and every variant costs code.
template <class T, class Body> void runFor(const Body& body) {
  if constexpr (std::is_floating_point_v<T>) run(body);
  else body();
}

}  // namespace
}  // namespace ember::core::simd
