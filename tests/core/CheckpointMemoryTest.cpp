// Reading and writing large checkpoints takes little more memory than the tensors: the highest resident size that the
// system saw, in a process of its own (every file of tests has one).
#include <fstream>
#include <string>

#include "CheckpointText.h"
#include "support/TempFolder.h"

using namespace ember;
using namespace ember::io;
using namespace ember::test;

namespace {

/// A line of /proc/self/status, in bytes.
i64 statusBytes(const std::string& name) {
  std::ifstream status("/proc/self/status");
  std::string word;
  i64 kilobytes = -1;
  while (status >> word) {
    if (word == name + ":") status >> kilobytes;
  }
  REQUIRE(kilobytes >= 0);
  return kilobytes * 1024;
}

/// By how much `f` raises the highest resident size above the present one.
template <class F>
i64 peakOf(F&& f) {
  std::ofstream("/proc/self/clear_refs") << "5";  // the highest is now the present one
  const i64 before = statusBytes("VmRSS");
  f();
  return statusBytes("VmHWM") - before;
}

/// 10 tensors of 7.5 MB, which are one in memory: the reader finds nothing of that size to use again.
Checkpoint large() {
  const core::NDArray array = counted({1'875'000}, DType::F32);
  Checkpoint checkpoint;
  for (int i = 0; i < 10; ++i) checkpoint.tensors.push_back({"t" + std::to_string(i), "param", array});
  return checkpoint;
}
constexpr i64 tensorBytes = 75'000'000;

}  // namespace

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define EMBER_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define EMBER_SANITIZED
#endif
#endif
#ifndef EMBER_SANITIZED  // whose shadows are memory too

TEST_CASE("writing a checkpoint of 100 MB takes less than 2 MB, reading it at most 1.2 times its tensors") {
  const TempFolder folder;
  const std::string path = folder / "net.json";
  {
    const Checkpoint checkpoint = large();
    const i64 peak = peakOf([&] { writeCheckpoint(path, checkpoint); });
    MESSAGE("written with " << peak << " bytes beyond the tensors");
    CHECK(peak < 2'000'000);
  }
  CHECK(std::ifstream(path, std::ios::ate).tellg() > 100'000'000);
  Checkpoint read;
  const i64 peak = peakOf([&] { read = readCheckpoint(path); });
  MESSAGE("read with " << peak << " bytes, " << static_cast<double>(peak) / tensorBytes << " times the tensors'");
  CHECK(peak <= tensorBytes * 12 / 10);
  CHECK(peak >= tensorBytes * 7 / 10);  // else something else was measured; one array in ten was there before
  CHECK(read.tensors.size() == 10);
}

TEST_CASE("a damaged file takes no more memory than a good one, wherever the damage is") {
  const TempFolder folder;
  const std::string path = folder / "net.json";
  writeCheckpoint(path, large());
  for (const i64 place : {i64{60'000'000}, i64{99'000'000}}) {
    std::fstream(path).seekp(place) << "!";
    const i64 peak = peakOf([&] { CHECK_THROWS_AS(readCheckpoint(path), IoError); });
    CHECK(peak <= tensorBytes * 12 / 10);
  }
}

#endif
