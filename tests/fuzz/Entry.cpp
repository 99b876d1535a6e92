// What libFuzzer calls; FUZZ_TARGET is the name of one of Targets.h.
#include <cstddef>
#include <cstdint>

#include "fuzz/Targets.h"

#define FUZZ_TEXT_OF(name) #name
#define FUZZ_TEXT(name) FUZZ_TEXT_OF(name)
const char* const ember::fuzz::targetName = FUZZ_TEXT(FUZZ_TARGET);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ember::fuzz::FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
  return 0;
}
