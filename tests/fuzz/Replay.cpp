// ember_test_fuzz TARGET FILE|FOLDER...: runs a target over inputs that are there, without libFuzzer and with any
// compiler. Says which one it is at before it starts, for a finding ends the process.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "fuzz/Targets.h"

using namespace ember::fuzz;

namespace {

struct Named {
  const char* name;
  Target target;
};
constexpr Named targets[] = {{"Checkpoint", Checkpoint}, {"LoadNet", LoadNet}, {"Run", Run},
                             {"Idx", Idx},               {"Json", Json},       {"Onnx", Onnx}};

std::vector<std::filesystem::path> filesOf(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return {path};
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(path))
    if (entry.path().filename().string()[0] != '.') files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "";
  const auto* named = std::find_if(std::begin(targets), std::end(targets), [&](const Named& n) { return n.name == name; });
  if (named == std::end(targets) || argc < 3) {
    std::fprintf(stderr, "usage: ember_test_fuzz Checkpoint|LoadNet|Run|Idx|Json|Onnx FILE|FOLDER...\n");
    return 2;
  }
  int count = 0;
  for (int i = 2; i < argc; ++i) {
    if (!std::filesystem::exists(argv[i])) {
      std::fprintf(stderr, "ember_test_fuzz: there is no %s\n", argv[i]);
      return 2;
    }
    for (const auto& path : filesOf(argv[i])) {
      std::ifstream file(path, std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(file), {}};
      std::fprintf(stderr, "%s (%zu bytes)\n", path.c_str(), bytes.size());
      named->target(bytes);
      ++count;
    }
  }
  std::printf("%s: %d inputs, all refused or read whole\n", named->name, count);
  return count > 0 ? 0 : 1;
}
