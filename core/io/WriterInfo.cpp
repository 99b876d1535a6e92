#include <ember/core/Threads.h>
#include <ember/core/io/Checkpoint.h>

#include <oneapi/dnnl/dnnl.h>

namespace ember::io {
namespace {

const char* instructionSet() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return "avx512";
  if (__builtin_cpu_supports("avx2")) return "avx2";
  if (__builtin_cpu_supports("avx")) return "avx";
#endif
  return "baseline";
}

}  // namespace

Value writerInfo() {
  const dnnl_version_t* onednn = dnnl_version();
  return {{"program", "ember"},
          {"version", EMBER_VERSION},
          {"compiler", __VERSION__},
          {"onednn",
           std::to_string(onednn->major) + "." + std::to_string(onednn->minor) + "." + std::to_string(onednn->patch)},
          {"isa", instructionSet()},
          {"threads", threads()}};
}

}  // namespace ember::io
