// Which of two generations a run goes on from.
#include <chrono>
#include <filesystem>

#include <doctest/doctest.h>
#include <ember/ember.h>

#include "support/Headline.h"
#include "support/TempFolder.h"
#include "train/RichRun.h"

using namespace ember;
using namespace ember::test;

namespace {

/// A run after `steps` steps in a file.
void saveAt(const std::string& path, i64 steps, SmallOptions options = rich()) {
  SmallRun run(options);
  run.steps(steps);
  std::filesystem::remove(path);
  run.trainer->save(path);
}

}  // namespace

TEST_CASE("the newest whole generation of a run is taken, and it is said why") {
  const TempFolder folder;
  const std::string path = folder / "run.json", previous = path + ".prev";
  CHECK(!optim::newestRun(path));

  saveAt(path, 4);
  auto found = optim::newestRun(path);
  REQUIRE(found);
  CHECK(found->path == path);
  CHECK(found->step == 4);
  CHECK(found->why == path + ", step 4, taken; " + previous + " is not there");

  saveAt(previous, 3);
  found = optim::newestRun(path);
  CHECK(found->path == path);
  CHECK(found->why == path + ", step 4, taken; " + previous + " is at step 3");

  const std::string text = readFile(path);
  writeFile(path, text.substr(0, text.size() / 2));
  found = optim::newestRun(path);
  CHECK(found->path == previous);
  CHECK(found->step == 3);
  CHECK_MESSAGE(found->why.starts_with(path + " cannot be used: [load] IoError: \"" + path + "\" is cut off ("),
                found->why);
  CHECK_MESSAGE(contains(found->why, "); " + previous + ", step 3, taken"), found->why);
  CHECK(!contains(found->why, "\n"));
  SmallRun run(elsewhere(rich()));
  run.trainer->resume(found->path);
  CHECK(run.trainer->run());
  CHECK(run.state() == straight(rich()).state);

  std::filesystem::remove(path);
  found = optim::newestRun(path);
  CHECK(found->path == previous);
  CHECK(contains(found->why, path + " is not there"));
}

TEST_CASE("steps decide, times of files do not (P21)") {
  const TempFolder folder;
  const std::string path = folder / "run.json", previous = path + ".prev";
  saveAt(path, 3);
  saveAt(previous, 5);
  for (const int hours : {-48, 48}) {
    std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() + std::chrono::hours(hours));
    const auto found = optim::newestRun(path);
    CHECK(found->path == previous);
    CHECK(found->why == previous + ", step 5, taken; " + path + " is at step 3");
  }
}

TEST_CASE("what is left of another run is not taken, however far it came") {
  const TempFolder folder;
  const std::string path = folder / "run.json", previous = path + ".prev";
  saveAt(path, 2);
  SmallOptions other = rich();
  other.trainer.seed = 12;
  saveAt(previous, 5, other);
  const auto found = optim::newestRun(path);
  CHECK(found->path == path);
  CHECK(found->why == path + ", step 2, taken; " + previous + " is of another run");
}

TEST_CASE("where no generation can be used the reason of each is told") {
  const TempFolder folder;
  const std::string path = folder / "run.json", previous = path + ".prev";
  writeFile(path, "");
  std::string message = messageOf([&] { optim::newestRun(path); });
  CHECK_MESSAGE(contains(message, "[newestRun] IoError: no run to go on from at " + path), message);
  CHECK_MESSAGE(contains(message, "is empty"), message);
  CHECK_MESSAGE(contains(message, "is not there"), message);
  SmallRun run(rich());
  save(previous, run.net);
  message = messageOf([&] { optim::newestRun(path); });
  CHECK_MESSAGE(contains(message, "it holds a net but no run"), message);
}

TEST_CASE("a link is followed: the generation before lies beside the file it names") {
  const TempFolder folder;
  std::filesystem::create_directory(folder / "disk");
  std::filesystem::create_symlink("disk/run.json", folder / "run.json");
  saveAt(folder / "disk/run.json.prev", 3);
  auto found = optim::newestRun(folder / "run.json");
  REQUIRE(found);
  CHECK(found->path == folder / "disk/run.json.prev");
  saveAt(folder / "disk/run.json", 5);
  found = optim::newestRun(folder / "run.json");
  CHECK(found->path == folder / "run.json");
  CHECK(found->step == 5);
}
