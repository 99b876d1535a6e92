#include "resume/Matrix.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <stdexcept>

#include "resume/Process.h"
#include "support/TempFolder.h"

namespace ember::test {
namespace {

/// What is left of a run: equal texts are equal runs, bit for bit and line for line.
struct Remains {
  std::string run, log, best;
  bool operator==(const Remains&) const = default;
};

Remains remainsIn(const std::string& folder) {
  return {readFile(folder + "/run.json"), readFile(folder + "/loss.log"), readFile(folder + "/best.json")};
}

/// One process that goes on with the run in `folder`.
int goOn(const std::string& folder, const Case& kind, const std::string& kill) {
  return Process({"train", folder, kind.text(), kill}).wait();
}

/// The run that was never stopped.
Remains straight(const Case& kind) {
  const TempFolder folder;
  if (goOn(folder.path(), kind, "") != 0) throw std::runtime_error("the run without a kill failed");
  const Remains remains = remainsIn(folder.path());
  if (std::count(remains.log.begin(), remains.log.end(), '\n') != epochs * stepsPerEpoch)
    throw std::runtime_error("the run without a kill has another number of steps:\n" + remains.log);
  return remains;
}

void complain(const char* what, const std::string& where, const Remains& got, const Remains& expected) {
  std::printf("  %s: %s%s%s%s\n", where.c_str(), what, got.run == expected.run ? "" : " the run differs;",
              got.log == expected.log ? "" : " the log differs;",
              got.best == expected.best ? "" : " the best differs;");
  if (got.log != expected.log) std::printf("-- got\n%s-- expected\n%s", got.log.c_str(), expected.log.c_str());
}

/// Whether a killed process left nothing behind that stays.
bool tidy(const TempFolder& folder) {
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    const std::string name = entry.path().filename();
    if (name.ends_with(".tmp") || name == ".lock") return false;
  }
  return true;
}

/// Kills a run at each of `points` in turn, then lets it end.
bool survives(const Case& kind, const std::vector<std::string>& points, const Remains& expected) {
  const TempFolder folder;
  std::string where;
  for (const std::string& point : points) {
    where += (where.empty() ? "killed at " : ", ") + point;
    if (const int code = goOn(folder.path(), kind, point); code != killed) {
      std::printf("  %s: ended with %d instead of being killed\n", where.c_str(), code);
      return false;
    }
  }
  const int code = goOn(folder.path(), kind, "");
  const Remains got = remainsIn(folder.path());
  if (code == 0 && got == expected && tidy(folder)) return true;
  complain(code != 0 ? "it did not go on;" : tidy(folder) ? "" : "a killed save's file is left;", where, got, expected);
  return false;
}

}  // namespace

int killEverywhere(const std::vector<Case>& cases) {
  std::vector<std::vector<std::string>> courses;
  for (i64 step = 1; step <= epochs * stepsPerEpoch; ++step) courses.push_back({"s" + std::to_string(step)});
  for (i64 epoch = 1; epoch <= epochs; ++epoch) courses.push_back({"e" + std::to_string(epoch)});
  courses.push_back({"s2", "s3", "s4", "e1", "s6", "s8", "e2"});
  int failures = 0;
  std::size_t kills = 0;
  for (const Case& kind : cases) {
    const Remains expected = straight(kind);
    int equal = 0;
    for (const auto& points : courses) {
      kills += points.size();
      equal += survives(kind, points, expected) ? 1 : 0;
    }
    failures += static_cast<int>(courses.size()) - equal;
    std::printf("%-70s %d of %zu resumed runs equal\n", kind.describe().c_str(), equal, courses.size());
    std::fflush(stdout);
  }
  std::printf("%zu configurations, %zu kills, %s\n", cases.size(), kills,
              failures == 0 ? "all equal" : "NOT ALL EQUAL");
  return failures;
}

int killAnytime(const Case& kind, int rounds) {
  using Clock = std::chrono::steady_clock;
  const auto began = Clock::now();
  const Remains expected = straight(kind);
  const double whole = std::chrono::duration<double>(Clock::now() - began).count();

  int failures = 0, kills = 0, runs = 0;
  const auto folder = std::make_unique<TempFolder>();
  const auto check = [&] {
    const Remains got = remainsIn(folder->path());
    const bool right = got == expected && tidy(*folder);
    if (!right)
      complain(tidy(*folder) ? "" : "a killed save's file is left;", "after " + std::to_string(kills) + " kills", got,
               expected);
    failures += right ? 0 : 1;
    ++runs;
    for (const auto& entry : std::filesystem::directory_iterator(folder->path())) std::filesystem::remove(entry.path());
  };
  for (int round = 0; round < rounds; ++round) {
    const double share = random::uniform({.seed = 5, .stream = 1, .call = 0}, static_cast<u64>(round));
    Process process({"train", folder->path(), kind.text(), ""});
    ::usleep(static_cast<useconds_t>(1e6 * whole * share));
    process.kill();
    const int code = process.wait();
    if (code == killed) {
      ++kills;
    } else if (code == 0) {
      check();
    } else {
      std::printf("after %d kills it could not go on: exit %d\n", kills, code);
      return failures + 1;
    }
  }
  if (goOn(folder->path(), kind, "") != 0) ++failures;
  check();
  std::printf("%s: %d kills at any moment in %d runs, %s\n", kind.describe().c_str(), kills, runs,
              failures == 0 ? "all equal" : "NOT ALL EQUAL");
  return failures;
}

}  // namespace ember::test
