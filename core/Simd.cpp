#include <ember/core/Simd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <string>

namespace ember::core::simd {
namespace {

Level levelOfCpu() {
#if defined(__x86_64__) && !defined(EMBER_NO_SIMD_CLONES)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    return Level::Avx512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Level::Avx2;
#endif
  return Level::Baseline;
}

Level cap(const char* variable) {
  const char* text = std::getenv(variable);
  std::string name(text ? text : "");
  for (char& letter : name) letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  if (name == "SSE41" || name == "AVX" || name == "BASELINE") return Level::Baseline;
  return name == "AVX2" || name == "AVX2_VNNI" ? Level::Avx2 : Level::Avx512;
}

}  // namespace

Level level() {
  static const Level best = std::min({levelOfCpu(), cap("EMBER_MAX_CPU_ISA"), cap("ONEDNN_MAX_CPU_ISA")});
  return best;
}

}  // namespace ember::core::simd
