#pragma once

namespace ember::test {

/// Whether oneDNN has kernels for bf16 here: they need AVX-512.
inline bool oneDnnTakesBf16() { return __builtin_cpu_supports("avx512bw"); }

}  // namespace ember::test
