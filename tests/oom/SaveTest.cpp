#include <doctest/doctest.h>

#include <filesystem>

#include <ember/nn/Checkpoint.h>
#include <ember/nn/layers/Layers.h>

#include "oom/Run.h"
#include "support/TempFolder.h"

using namespace ember;
using namespace ember::test;

namespace {

void copyFile(const std::string& from, const std::string& to) {
  std::filesystem::copy_file(from, to, std::filesystem::copy_options::overwrite_existing);
}

i64 openFiles() {
  i64 count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

RunOptions shortRun() {
  RunOptions options;
  options.samples = 40;
  return options;
}

}  // namespace

TEST_CASE("(P12) a save that fails leaves the old file, no temporary and no open file") {
  Run run(shortRun());
  const TempFolder folder;
  const std::string path = folder / "run.json", old = folder / "old.json";
  run.step();
  run.trainer.save(old);
  run.step();
  run.trainer.save(path);
  const std::string after = readFile(path);
  std::filesystem::remove(path + ".prev");
  REQUIRE(after != readFile(old));
  const auto prepare = [&] {
    std::filesystem::remove(path + ".prev");
    copyFile(old, path);
  };
  const auto state = [&] { return readFile(path) + folder.list() + std::to_string(openFiles()); };
  prepare();
  run.trainer.save(path);
  const std::string expected = state();
  refuseEach("Trainer.save", {.prepare = prepare,
                              .call = [&] { run.trainer.save(path); },
                              .state = state,
                              .expected = [&] { return expected; }});
  CHECK(readFile(path) == after);
  prepare();
  save(path, *run.net);
  const std::string net = state();
  refuseEach(
      "nn::save",
      {.prepare = prepare, .call = [&] { save(path, *run.net); }, .state = state, .expected = [&] { return net; }});
}
