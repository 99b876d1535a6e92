#include <doctest/doctest.h>

#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ember/core/Error.h>
#include <ember/core/io/FolderLock.h>

#include "support/Headline.h"
#include "support/TempFolder.h"

using namespace ember;
using namespace ember::io;
using namespace ember::test;

namespace {

/// Another process that runs `f` and then lives until it is killed.
class OtherProcess {
 public:
  template <class F>
  explicit OtherProcess(F&& f) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      f([&] {
        [[maybe_unused]] const ssize_t told = ::write(ends[1], "x", 1);
        for (;;) ::pause();
      });
      ::_exit(1);
    }
    ::close(ends[1]);
    char ready;
    REQUIRE(::read(ends[0], &ready, 1) == 1);
    ::close(ends[0]);
  }
  ~OtherProcess() { kill(); }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(std::exchange(pid_, 0), nullptr, 0);
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

std::string refusal(const std::string& path) {
  return messageOf<IoError>([&] { FolderLock::forRun(path, "Trainer"); });
}

FolderLock saveLock(const std::string& path) {
  const SavePath target(path, "save");
  int error = 0;
  const Descriptor folder = target.openFolder(error);
  return FolderLock::forSave(target, folder.get(), "save");
}

}  // namespace

TEST_CASE("a lock says who holds it and goes with its file") {
  const TempFolder folder;
  {
    const FolderLock lock = FolderLock::forRun(folder / "run.json", "Trainer");
    CHECK(lock.held());
    CHECK(folder.list() == ".lock");
    CHECK(contains(readFile(folder / ".lock"), "process " + std::to_string(::getpid()) + "\n"));
    CHECK(contains(readFile(folder / ".lock"), "run \"run.json\"\n"));
  }
  CHECK(folder.list() == "");
  {
    const FolderLock lock = saveLock(folder / "net.json");
    CHECK(lock.held());
    CHECK_FALSE(contains(readFile(folder / ".lock"), "run"));
  }
  CHECK(folder.list() == "");
}

TEST_CASE("a second trainer in the folder is refused with process, host and file (P15)") {
  const TempFolder folder;
  OtherProcess other([&](auto&& wait) {
    const FolderLock lock = FolderLock::forRun(folder / "first.json", "Trainer");
    wait();
  });
  char host[256] = {};
  REQUIRE(::gethostname(host, sizeof host - 1) == 0);
  const std::string who =
      "process " + std::to_string(other.pid()) + " on host " + host + " for the run of \"first.json\"";
  for (const char* name : {"first.json", "second.json"}) {
    const std::string message = refusal(folder / name);
    CHECK(contains(message, "[Trainer] IoError: the folder of \"" + folder / name + "\" is in use by " + who));
    CHECK(contains(message, "wait for its end, or save into another folder"));
  }
  // A single save of another file goes on, without the lock; one of the run's own file would be overwritten.
  CHECK_FALSE(saveLock(folder / "net.json").held());
  CHECK(contains(messageOf<IoError>([&] { saveLock(folder / "first.json"); }),
                 "not saved: \"" + folder / "first.json" + "\" is in use by " + who));
  // The kernel gives back the lock of a dead process; what it left is taken over and removed.
  other.kill();
  CHECK(folder.list() == ".lock");
  CHECK(FolderLock::forRun(folder / "first.json", "Trainer").held());
  CHECK(folder.list() == "");
}

TEST_CASE("what a killed run left in its lock file refuses nothing") {
  const TempFolder folder;
  writeFile(folder / ".lock", "ember 1\nprocess 1\nhost elsewhere\nrun \"run.json\"\n");
  CHECK(saveLock(folder / "run.json").held());
  CHECK(folder.list() == "");
  writeFile(folder / ".lock", "ember 1\nprocess 1\nhost elsewhere\nrun \"run.json\"\n" + std::string(10'000, 'x'));
  const FolderLock lock = FolderLock::forRun(folder / "run.json", "Trainer");
  CHECK_FALSE(contains(readFile(folder / ".lock"), "elsewhere"));
  CHECK_FALSE(contains(readFile(folder / ".lock"), "x"));
}

TEST_CASE("a lock file that somebody removed is made again by the next save of its run (P15)") {
  const TempFolder folder;
  const FolderLock lock = FolderLock::forRun(folder / "run.json", "Trainer");
  for (int turn = 0; turn < 2; ++turn) {
    std::filesystem::remove(folder / ".lock");
    CHECK(saveLock(folder / "run.json").held());
    CHECK(contains(readFile(folder / ".lock"), "process " + std::to_string(::getpid()) + "\n"));
    CHECK(contains(readFile(folder / ".lock"), "run \"run.json\"\n"));
  }
  std::filesystem::remove(folder / ".lock");
  CHECK(FolderLock::forRun(folder / "other.json", "Trainer").held());
  OtherProcess other([&](auto&& wait) {
    const bool refused = contains(refusal(folder / "run.json"), "is in use by process " + std::to_string(::getppid()));
    if (refused) wait();
  });
}

TEST_CASE("where a second run came while the lock file was gone, saves to its file are refused (P15)") {
  const TempFolder folder;
  {
    const FolderLock lock = FolderLock::forRun(folder / "run.json", "Trainer"),
                     best = FolderLock::forRun(folder / "best.json", "Trainer");
    std::filesystem::remove(folder / ".lock");
    OtherProcess other([&](auto&& wait) {
      const FolderLock second = FolderLock::forRun(folder / "run.json", "Trainer");
      if (second.held()) wait();
    });
    const std::string message = messageOf<IoError>([&] { saveLock(folder / "run.json"); });
    CHECK_MESSAGE(contains(message, "not saved: \"" + folder / "run.json" + "\" is in use by process " +
                                        std::to_string(other.pid())),
                  message);
    CHECK_FALSE(saveLock(folder / "best.json").held());  // saved it can be
    CHECK(contains(refusal(folder / "third.json"), "is in use by process " + std::to_string(other.pid())));
    other.kill();
    CHECK(saveLock(folder / "run.json").held());
    std::filesystem::remove(folder / ".lock");
    writeFile(folder / ".lock", "another's\n");
  }
  CHECK(readFile(folder / ".lock") == "another's\n");  // the end of a run removes no lock file but its own
}

TEST_CASE("one process runs in a folder for several files, for each of them once") {
  const TempFolder folder;
  std::filesystem::create_symlink("a", folder / "link");
  FolderLock a = FolderLock::forRun(folder / "a", "Trainer");
  {
    const FolderLock b = FolderLock::forRun(folder / "b", "Trainer");
    CHECK(b.held());
    CHECK(contains(readFile(folder / ".lock"), "run \"a\"\nrun \"b\"\n"));
    for (const char* again : {"a", "b", "link"})
      CHECK(contains(refusal(folder / again), "is in use: this process has a run that saves to it"));
    CHECK(saveLock(folder / "a").held());
    CHECK(saveLock(folder / "c").held());
  }
  CHECK_FALSE(contains(readFile(folder / ".lock"), "\"b\""));
  CHECK(FolderLock::forRun(folder / "b", "Trainer").held());
  const FolderLock moved = std::move(a);
  CHECK(folder.list() == ".lock link");
  CHECK(moved.held());
}

TEST_CASE("a child made by fork holds nothing and releases nothing") {
  const TempFolder folder;
  FolderLock lock = FolderLock::forRun(folder / "run.json", "Trainer");
  const pid_t child = ::fork();
  if (child == 0) {
    const bool refused = contains(refusal(folder / "other.json"), std::to_string(::getppid()));
    lock = FolderLock();
    ::_exit(refused ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(folder.list() == ".lock");
}

TEST_CASE("a lock file of another program is locked, but neither written nor removed") {
  const TempFolder folder;
  writeFile(folder / ".lock", "another program's\n");
  {
    const FolderLock lock = FolderLock::forRun(folder / "run.json", "Trainer");
    CHECK(lock.held());
    OtherProcess other([&](auto&& wait) {
      if (!saveLock(folder / "net.json").held()) wait();
    });
  }
  CHECK(readFile(folder / ".lock") == "another program's\n");
}

TEST_CASE("where nothing can be locked nothing is refused (P13)") {
  const TempFolder folder;
  CHECK_FALSE(FolderLock::forRun(folder / "missing/run.json", "Trainer").held());
  std::filesystem::create_directory(folder / ".lock");
  CHECK_FALSE(FolderLock::forRun(folder / "run.json", "Trainer").held());
  CHECK_FALSE(saveLock(folder / "run.json").held());
  std::filesystem::remove(folder / ".lock");
  std::filesystem::create_symlink("elsewhere", folder / ".lock");  // nothing is made behind it
  CHECK_FALSE(FolderLock::forRun(folder / "run.json", "Trainer").held());
  CHECK(folder.list() == ".lock");
}
