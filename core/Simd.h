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

namespace ember::core::simd {

/// The instruction sets that loops are compiled for. Avx512 is F, BW, DQ and VL; Avx2 has FMA.
enum class Level : unsigned char { Baseline, Avx2, Avx512 };

/// The best of this CPU, but none above EMBER_MAX_CPU_ISA or ONEDNN_MAX_CPU_ISA (oneDNN's names: SSE41, AVX, AVX2,
/// AVX512_CORE, ...; read once), for comparisons and to look for errors. oneDNN itself heeds its own variable alone;
/// loops under EMBER_SIMD are chosen by the dynamic loader, which knows neither.
Level level();

}  // namespace ember::core::simd
