// Which of two generations a run goes on from.
#include <chrono>
#include <filesystem>

#include <doctest/doctest.h>
#include <ember/core/io/Checkpoint.h>
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
  struct Case {
    i64 now, before;  // steps; 0: not there
    bool takesNow;
    std::string why;
  };
  for (const Case& c : {Case{4, 0, true, path + ", step 4, taken; " + previous + " is not there"},
                        {0, 4, false, previous + ", step 4, taken; " + path + " is not there"},
                        {4, 3, true, path + ", step 4, taken; " + previous + " is at step 3"},
                        {3, 5, false, previous + ", step 5, taken; " + path + " is at step 3"},
                        {4, 4, true, path + ", step 4, taken; " + previous + " is at step 4"}}) {
    for (const auto& [file, steps] : {std::pair{path, c.now}, {previous, c.before}}) {
      std::filesystem::remove(file);
      if (steps > 0) saveAt(file, steps);
    }
    const auto found = optim::newestRun(path);
    REQUIRE(found);
    CHECK(found->why == c.why);
    CHECK(found->path == (c.takesNow ? path : previous));
    CHECK(found->step == (c.takesNow ? c.now : c.before));
  }
}

TEST_CASE("a generation that cannot be used is passed over, with the reason on one line") {
  const TempFolder folder;
  const std::string path = folder / "run.json", previous = path + ".prev";
  saveAt(path, 4);
  saveAt(previous, 3);
  const std::string now = readFile(path), before = readFile(previous);
  const auto why = [&] { return optim::newestRun(path).value().why; };

  writeFile(path, now.substr(0, now.size() / 2));
  std::string said = why();
  CHECK_MESSAGE(said.starts_with(path + " cannot be used: [load] IoError: \"" + path + "\" is cut off ("), said);
  CHECK_MESSAGE(said.ends_with("); " + previous + ", step 3, taken"), said);
  CHECK(contains(said, "bytes"));  // its details are there, in brackets
  CHECK(!contains(said, "help"));  // what to do about a file that is passed over is not
  CHECK(!contains(said, "\n"));
  CHECK(!contains(said, "  "));
  // Right check sums, but a step count that contradicts its position.
  writeFile(path, now);
  io::Checkpoint changed = io::readCheckpoint(path);
  changed.train.set("step", "9");
  io::writeCheckpoint(path, changed, {.keepPrevious = false});
  said = why();
  CHECK_MESSAGE(contains(said, path + " cannot be used: [resume] IoError: \"train.step\" is \"9\", expected 4"), said);
  CHECK_MESSAGE(said.ends_with("); " + previous + ", step 3, taken"), said);

  SmallRun resumed(elsewhere(rich()));
  resumed.trainer->resume(optim::newestRun(path)->path);
  CHECK(resumed.trainer->run());
  CHECK(resumed.state() == straight(rich()).state);

  SmallRun net(rich());
  std::filesystem::remove(path);
  save(path, net.net);
  CHECK(why() == path + " cannot be used: it holds a net but no run; " + previous + ", step 3, taken");
  io::Checkpoint half = io::readCheckpoint(path);
  half.train = {{"epoch", 1}};
  io::writeCheckpoint(path, half, {.keepPrevious = false});
  CHECK(why() == path + " cannot be used: it holds a net but no run; " + previous + ", step 3, taken");

  writeFile(path, now);
  writeFile(previous, before.substr(0, before.size() - 100));
  said = why();
  CHECK_MESSAGE(said.starts_with(previous + " cannot be used: [load] IoError: "), said);
  CHECK_MESSAGE(said.ends_with("; " + path + ", step 4, taken"), said);
}

TEST_CASE("times of files decide nothing (P21)") {
  const TempFolder folder;
  const std::string path = folder / "run.json", previous = path + ".prev";
  saveAt(path, 3);
  saveAt(previous, 5);
  for (const int hours : {-48, 48}) {
    std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() + std::chrono::hours(hours));
    CHECK(optim::newestRun(path).value().path == previous);
  }
}

TEST_CASE("what is left of another run is not taken, however far it came") {
  const TempFolder folder;
  const std::string path = folder / "run.json", previous = path + ".prev";
  saveAt(path, 2);
  std::vector<SmallOptions> others(6, rich());
  others[0].trainer.seed = 12;
  others[1].batchNorm = false;
  others[2].trainer.batchSize = 5;
  others[3].trainer.schedule = {};
  others[4].lr = 0.04;
  others[5].optimizer = "Adam";
  for (std::size_t i = 0; i < others.size(); ++i) {
    CAPTURE(i);
    saveAt(previous, 5, others[i]);
    const auto found = optim::newestRun(path);
    REQUIRE(found);
    CHECK(found->path == path);
    CHECK(found->why == path + ", step 2, taken; " + previous + " is of another run");
    CHECK_FALSE(optim::sameRun(path, previous));
  }
  saveAt(previous, 5);
  CHECK(optim::sameRun(path, previous));
  CHECK(optim::sameRun(previous, path));
  CHECK_FALSE(optim::sameRun(path, folder / "missing.json"));
  CHECK_FALSE(optim::sameRun(folder / "missing.json", folder / "missing.json"));
  writeFile(previous, "");
  CHECK_FALSE(optim::sameRun(path, previous));
  CHECK_FALSE(optim::sameRun(previous, path));
}

TEST_CASE("where there is nothing there is no run, and where nothing can be used the reason of each is told") {
  const TempFolder folder;
  const std::string path = folder / "run.json", previous = path + ".prev";
  CHECK(!optim::newestRun(path));
  CHECK(!optim::newestRun(folder / "missing/run.json"));
  writeFile(path, "");
  const auto refusal = [&] { return messageOf([&] { optim::newestRun(path); }); };
  std::string message = refusal();
  CHECK_MESSAGE(contains(message, "[newestRun] IoError: no run to go on from at " + path), message);
  CHECK_MESSAGE(contains(message, "is empty"), message);
  CHECK_MESSAGE(contains(message, previous + "  is not there"), message);
  CHECK_MESSAGE(contains(message, "nothing was changed; give another file"), message);
  SmallRun run(rich());
  save(previous, run.net);
  message = refusal();
  CHECK_MESSAGE(contains(message, "is empty"), message);
  CHECK_MESSAGE(contains(message, previous + "  it holds a net but no run"), message);
  CHECK_MESSAGE(!contains(message, "is not there"), message);
  // A link that leads nowhere stands for a file that is lost.
  std::filesystem::remove(path);
  std::filesystem::create_symlink("nowhere", path);
  message = refusal();
  CHECK_MESSAGE(contains(message, "No such file"), message);
  CHECK_MESSAGE(contains(message, folder / "nowhere.prev" + "  is not there"), message);
}

TEST_CASE("a whole run that a killed save left is told where there is no other, and never taken by itself") {
  const TempFolder folder;
  const std::string path = folder / "run.json", left = folder / ".run.json.1.2.3.tmp";
  saveAt(path, 4);
  std::filesystem::rename(path, left);
  writeFile(folder / ".run.json.1.2.4.tmp", readFile(left).substr(0, 1000));
  const std::string help = "rename " + left + " to " + path + " to go on from it";
  {
    const Warnings warnings;
    CHECK(!optim::newestRun(path));
    CHECK(warnings.said == left + " is whole, step 4, left by a save that was killed: the next save removes it; " + help +
                               "\n");
  }
  writeFile(path, "{");
  const std::string message = messageOf([&] { optim::newestRun(path); });
  CHECK_MESSAGE(contains(message, "no run to go on from at " + path), message);
  CHECK_MESSAGE(contains(message, left + "  whole, step 4, left by a save that was killed"), message);
  CHECK_MESSAGE(contains(message, help), message);
  CHECK_MESSAGE(!contains(message, "1.2.4"), message);
  saveAt(path, 2);
  CHECK(optim::newestRun(path).value().step == 2);
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
