#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include <ember/core/Error.h>
#include <ember/core/io/FolderLock.h>

#include "Generations.h"

namespace ember::faults {
namespace {

struct Scenario {
  const char* name;
  i64 before;  // generations that stand there: 0, 1 or 2
  bool run, verify;
};

constexpr Scenario scenarios[] = {{"first save", 0, false, false},
                                  {"third save", 2, false, false},
                                  {"first save of a run", 0, true, false},
                                  {"third save of a run, read back", 2, true, true}};

enum class End { Killed, Finished, NotTraced };

/// Runs `save` in another process, which is killed at the stop number `stop`: each system call stops it twice, before
/// it is done and after.
template <class Save>
End killedAt(int stop, Save&& save) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(77);
    ::raise(SIGSTOP);
    save();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (!WIFSTOPPED(status)) return End::NotTraced;
  ::ptrace(PTRACE_SETOPTIONS, pid, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  for (int stops = 0;;) {
    ::ptrace(PTRACE_SYSCALL, pid, nullptr, nullptr);
    ::waitpid(pid, &status, 0);
    if (!WIFSTOPPED(status)) return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? End::Finished : End::NotTraced;
    if (WSTOPSIG(status) != (SIGTRAP | 0x80) || ++stops < stop) continue;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, &status, 0);
    return End::Killed;
  }
}

std::string bytesOf(i64 generation) {
  struct Text final : io::ByteSink {
    void write(std::string_view more) override { bytes.append(more); }
    std::string bytes;
  } text;
  io::writeCheckpoint(text, makeGeneration(generation));
  return std::move(text.bytes);
}

bool oneOf(const std::string& got, std::initializer_list<i64> generations) {
  return std::ranges::any_of(generations, [&](i64 g) { return got == (g == 0 ? "none" : std::to_string(g)); });
}

}  // namespace

int killSaves(const std::string& folder) {
  const std::string path = folder + "/run.json", previous = path + ".prev";
  const std::vector<std::string> bytes = {"", bytesOf(1), bytesOf(2)};
  constexpr i64 next = 9;
  int kills = 0, failures = 0, old = 0, fresh = 0;
  for (const Scenario& scenario : scenarios) {
    const i64 saved = scenario.before + 1;
    for (int stop = 1;; ++stop) {
      std::filesystem::remove_all(folder);
      std::filesystem::create_directory(folder);
      const auto put = [&](const std::string& to, i64 generation) {
        if (generation > 0) std::ofstream(to, std::ios::binary) << bytes[static_cast<std::size_t>(generation)];
      };
      put(path, scenario.before);
      put(previous, scenario.before - 1);
      const End end = killedAt(stop, [&] {
        std::optional<io::FolderLock> lock;
        if (scenario.run) lock = io::FolderLock::forRun(path, "run");
        saveGeneration(path, saved, scenario.verify);
      });
      if (end == End::NotTraced) {
        fmt::print("SKIPPED: processes may not be traced here, or the save failed\n");
        return 77;
      }
      const std::string target = generationIn(path), kept = generationIn(previous), left = namesIn(folder);
      bool right = end == End::Killed ? oneOf(target, {scenario.before, saved}) : oneOf(target, {saved});
      // The generation before the one that stands there; or, for a moment, that one under both names.
      right &= oneOf(target, {saved}) ? oneOf(kept, {scenario.before})
                                      : oneOf(kept, {std::max<i64>(scenario.before - 1, 0), scenario.before});
      std::string after;
      try {
        saveGeneration(path, next);
        after = generationIn(path) + " " + generationIn(previous) + ": " + namesIn(folder);
      } catch (const Error& error) {
        after = error.what();
      }
      const std::string expected = target == "none" ? std::to_string(next) + " none: run.json"
                                                    : std::to_string(next) + " " + target + ": run.json run.json.prev";
      if (!right || after != expected) {
        fmt::print("{}, killed {} system call {}: {}, {}; there were {}; the next save: {}\n", scenario.name,
                   stop % 2 ? "before" : "after", (stop + 1) / 2, target, kept, left, after);
        ++failures;
      }
      if (end == End::Finished) break;
      ++kills;
      ++(oneOf(target, {saved}) ? fresh : old);
    }
  }
  fmt::print("kills survived: {} (the old file was there after {}, the new one after {})\n", kills - failures, old,
             fresh);
  return failures > 0 || old == 0 || fresh == 0 ? 1 : 0;
}

}  // namespace ember::faults
