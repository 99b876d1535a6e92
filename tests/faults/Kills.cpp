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
  bool run, verify, damaged;  // damaged: the last of them is not whole
};

constexpr Scenario scenarios[] = {{"first save", 0, false, false, false},
                                  {"third save", 2, false, false, false},
                                  {"first save of a run", 0, true, false, false},
                                  {"third save of a run, read back", 2, true, true, false},
                                  {"beside a damaged one", 2, true, false, true}};

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

/// What generationIn() says of a generation, as far as it is the same for all damaged ones.
std::string stateOf(i64 generation) { return generation == 0 ? "none" : std::to_string(generation); }
std::string briefly(const std::string& state) { return state.substr(0, state.find(':')); }

}  // namespace

int killSaves(const std::string& folder) {
  const std::string path = folder + "/run.json", previous = path + ".prev";
  const std::vector<std::string> bytes = {"", bytesOf(1), bytesOf(2)};
  constexpr i64 next = 9;
  int kills = 0, failures = 0, stale = 0, fresh = 0;
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
      if (scenario.damaged) std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1000);
      const End end = killedAt(stop, [&] {
        std::optional<io::FolderLock> lock;
        if (scenario.run) lock = io::FolderLock::forRun(path, "run");
        saveGeneration(path, saved, scenario.verify);
      });
      if (end == End::NotTraced) {
        fmt::print("SKIPPED: processes may not be traced here, or the save failed\n");
        return 77;
      }
      const std::string target = briefly(generationIn(path)), kept = briefly(generationIn(previous)),
                        left = namesIn(folder), older = stateOf(std::max<i64>(scenario.before - 1, 0)),
                        old = scenario.damaged ? "broken" : stateOf(scenario.before);
      // The previous generation is replaced last, when the new file has its place.
      const bool took = target == stateOf(saved);
      const bool right = took ? kept == old || (kept == older && end == End::Killed)
                              : target == old && kept == older && end == End::Killed;
      std::string after;
      try {
        saveGeneration(path, next);
        after = generationIn(path) + " " + briefly(generationIn(previous)) + ": " + namesIn(folder);
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
      ++(took ? fresh : stale);
    }
  }
  fmt::print("kills survived: {} (the old file was there after {}, the new one after {})\n", kills - failures, stale,
             fresh);
  return failures > 0 || stale == 0 || fresh == 0 ? 1 : 0;
}

}  // namespace ember::faults
