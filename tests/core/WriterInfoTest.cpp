#include <doctest/doctest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include <ember/core/Threads.h>
#include <ember/core/io/Checkpoint.h>

using namespace ember;

TEST_CASE("the writer says what it is: program, commit, libraries, instruction set, threads, ranks") {
  const Value writer = io::writerInfo();
  std::vector<std::string> keys;
  for (const auto& [key, value] : writer.members()) keys.push_back(key);
  CHECK(keys == std::vector<std::string>{"program", "version", "git", "compiler", "onednn", "isa", "onednn_isa",
                                         "threads", "ranks"});
  CHECK(writer.get<std::string>("program") == "ember");
  const auto git = writer.get<std::string>("git");
  CHECK((git == "unknown" || (git.size() >= 12 && git.find_first_not_of("0123456789abcdef") == git.npos)));
  CHECK(writer.get<int>("threads") == threads());
  CHECK(writer.get<int>("ranks") == 1);
  CHECK(io::writerInfo(4).get<int>("ranks") == 4);
  CHECK(writer.get<std::string>("onednn").find('.') != std::string::npos);
}

TEST_CASE("the instruction set is the one in use, not the best of the CPU") {
  // ctest runs this with both caps too: core/isaSSE41, core/isaAVX2, core/isaOneDNN.
  const auto isa = io::writerInfo().get<std::string>("isa"), onednn = io::writerInfo().get<std::string>("onednn_isa");
  CHECK((isa == "baseline" || isa == "avx2" || isa == "avx512"));
  CHECK(onednn != "other");
  const auto cap = [](const char* name) {
    const char* text = std::getenv(name);
    return std::string(text ? text : "");
  };
  if (cap("EMBER_MAX_CPU_ISA") == "SSE41") CHECK(isa == "baseline");
  if (cap("EMBER_MAX_CPU_ISA") == "AVX2") CHECK(isa != "avx512");
  if (cap("ONEDNN_MAX_CPU_ISA") == "SSE41") {
    CHECK(isa == "baseline");
    CHECK(onednn == "sse41");
  }
}
