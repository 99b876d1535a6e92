#pragma once

/// EMBER_SIMD on a function makes the compiler emit it for several instruction sets and picks one when the program
/// starts: the binary itself needs no more than baseline x86-64. Put it on hot loops that the compiler can vectorise;
/// everything they call must inline, and the function must be local to its file (clang names exported clones
/// differently). Sanitizer builds, which cannot instrument the resolver, get the baseline version alone. The levels are
/// feature sets; a name like "arch=haswell" would match that one CPU model and leave every other CPU with the baseline.
/// clang 14 knows no levels.
#if !defined(__x86_64__) || !defined(__ELF__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    defined(EMBER_NO_SIMD_CLONES)
#define EMBER_SIMD
#elif defined(__clang__)
#define EMBER_SIMD __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define EMBER_SIMD __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#endif
