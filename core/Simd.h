#pragma once

/// EMBER_SIMD on a function makes the compiler emit it for several instruction sets and picks one when the program starts:
/// the binary itself needs no more than baseline x86-64. Put it on hot loops that the compiler can vectorise; everything they
/// call must inline, and the function must be local to its file (clang names exported clones differently). Sanitizer builds, which cannot instrument the resolver, get the baseline version alone.
#if defined(__x86_64__) && defined(__ELF__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(EMBER_NO_SIMD_CLONES)
#define EMBER_SIMD __attribute__((target_clones("default", "arch=haswell", "arch=skylake-avx512")))
#else
#define EMBER_SIMD
#endif
