// What tests/Save*.sh run. The folder of FILE is made by the caller.
//   ember_test_saver save FILE N [verify]   saves generation N; exits 0, with 1 if it is not saved, 3 if not durable
//   ember_test_saver run FILE N             the same, as a run that holds the folder; waits for the end of its input
//   ember_test_saver after FILE N           what is in FILE, FILE.prev and their folder; then saves N and says it again
//   ember_test_saver which FILE...          the generations in the files
//   ember_test_saver repeat FILE N TIMES    saves TIMES times, generations N and N + 1 in turn
//   ember_test_saver watch FILE TIMES       reads TIMES times; every time there must be a whole generation
//   ember_test_saver kills FOLDER           kills saves at every system call
// $EMBER_WRITE_AT_MOST: bytes that a write(2) takes. $EMBER_CLOCK_STANDS: it does. The system calls of a save stand between two of access(2).
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <ember/core/Error.h>
#include <ember/core/io/AtomicFile.h>

#include "Generations.h"

using namespace ember;

/// Stands in for the C library's: a kernel may take less than it is given.
extern "C" ssize_t write(int fd, const void* bytes, std::size_t count) {
  static const char* const limit = std::getenv("EMBER_WRITE_AT_MOST");
  if (limit) count = std::min(count, static_cast<std::size_t>(std::atoll(limit)));
  return ::syscall(SYS_write, fd, bytes, count);
}

extern "C" int clock_gettime(clockid_t clock, timespec* now) noexcept {
  if (std::getenv("EMBER_CLOCK_STANDS")) {
    *now = {};
    return 0;
  }
  return static_cast<int>(::syscall(SYS_clock_gettime, clock, now));
}

namespace {

int save(const std::string& path, i64 generation, bool verify) {
  const io::Checkpoint checkpoint = faults::makeGeneration(generation);
  int code = 0;
  std::string message;
  ::access("the save begins", F_OK);
  try {
    io::writeCheckpoint(path, checkpoint, {.verify = verify});
  } catch (const io::NotDurable& error) {
    code = 3;
    message = error.what();
  } catch (const Error& error) {
    code = 1;
    message = error.what();
  }
  ::access("the save has ended", F_OK);
  if (code != 0) {
    // Not by write(2), which may be at fault.
    message += '\n';
    const iovec text{message.data(), message.size()};
    if (::writev(STDERR_FILENO, &text, 1) < 0) return 4;
  }
  return code;
}

std::string state(const std::string& path) {
  return faults::generationIn(path) + " " + faults::generationIn(path + ".prev") + ": " +
         faults::namesIn(std::filesystem::path(path).parent_path());
}

int run(const std::string& path, i64 generation) {
  try {
    const io::FolderLock lock = io::FolderLock::forRun(path, "run");
    fmt::print("{}\n", lock.held() ? "held" : "not held");
    std::fflush(stdout);
    while (std::getchar() == '\n') {
      fmt::print("{}\n", save(path, generation, false));
      std::fflush(stdout);
    }
  } catch (const Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}

int watch(const std::string& path, i64 times) {
  std::set<std::string> seen;
  for (i64 i = 0; i < times; ++i) {
    const std::string generation = faults::generationIn(path);
    seen.insert(generation);
    if (generation == "none" || generation.starts_with("broken")) {
      fmt::print("reading number {}: {}\n", i, generation);
      return 1;
    }
  }
  fmt::print("{} readings of {} generations\n", times, seen.size());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  const auto number = [&](std::size_t i) { return std::atoll(args.at(i).c_str()); };
  const std::string command = args.at(0);
  if (command == "save") return save(args.at(1), number(2), args.size() > 3);
  if (command == "run") return run(args.at(1), number(2));
  if (command == "watch") return watch(args.at(1), number(2));
  if (command == "kills") return faults::killSaves(args.at(1));
  if (command == "after") {
    fmt::print("{}\n", state(args.at(1)));
    const int code = save(args.at(1), number(2), false);
    fmt::print("{}\n", state(args.at(1)));
    return code;
  }
  if (command == "which") {
    for (std::size_t i = 1; i < args.size(); ++i) fmt::print("{}{}", i > 1 ? " " : "", faults::generationIn(args[i]));
    fmt::print("\n");
    return 0;
  }
  if (command == "repeat") {
    int failures = 0;
    for (i64 i = 0; i < number(3); ++i) failures += save(args.at(1), number(2) + i % 2, false) != 0;
    return failures > 0 ? 1 : 0;
  }
  return 2;
}
