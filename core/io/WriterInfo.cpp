#include <ember/core/Simd.h>
#include <ember/core/Threads.h>
#include <ember/core/io/Checkpoint.h>

#include <oneapi/dnnl/dnnl.h>

#include <GitCommit.h>

namespace ember::io {
namespace {

/// What ember's own kernels use, below any cap set from outside.
const char* instructionSet() {
  switch (core::simd::level()) {
    case core::simd::Level::Avx512:
      return "avx512";
    case core::simd::Level::Avx2:
      return "avx2";
    default:
      return "baseline";
  }
}

/// What oneDNN uses, by its own names.
const char* oneDnnInstructionSet() {
  switch (dnnl_get_effective_cpu_isa()) {
    case dnnl_cpu_isa_sse41:
      return "sse41";
    case dnnl_cpu_isa_avx:
      return "avx";
    case dnnl_cpu_isa_avx2:
      return "avx2";
    case dnnl_cpu_isa_avx2_vnni:
      return "avx2_vnni";
    case dnnl_cpu_isa_avx512_core:
      return "avx512_core";
    case dnnl_cpu_isa_avx512_core_vnni:
      return "avx512_core_vnni";
    case dnnl_cpu_isa_avx512_core_bf16:
      return "avx512_core_bf16";
    case dnnl_cpu_isa_avx512_core_amx:
      return "avx512_core_amx";
    default:
      return "other";
  }
}

}  // namespace

Value writerInfo(int ranks) {
  const dnnl_version_t* onednn = dnnl_version();
  return {{"program", "ember"},
          {"version", EMBER_VERSION},
          {"git", EMBER_GIT_COMMIT},
          {"compiler", __VERSION__},
          {"onednn",
           std::to_string(onednn->major) + "." + std::to_string(onednn->minor) + "." + std::to_string(onednn->patch)},
          {"isa", instructionSet()},
          {"onednn_isa", oneDnnInstructionSet()},
          {"threads", threads()},
          {"ranks", ranks}};
}

}  // namespace ember::io
