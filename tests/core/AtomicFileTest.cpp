#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

#include <ember/core/Error.h>
#include <ember/core/io/AtomicFile.h>
#include <ember/core/io/TemporaryFile.h>

#include "support/Headline.h"
#include "support/TempFolder.h"
#include "support/Warnings.h"

using namespace ember;
using namespace ember::io;
using namespace ember::test;

namespace {

void save(const std::string& path, std::string_view content, bool keepPrevious = true) {
  AtomicFile file(path, "save", {.keepPrevious = keepPrevious});
  file.write(content);
  file.commit();
}

std::string saveError(const std::string& path, std::string_view content = "new") {
  return messageOf<IoError>([&] { save(path, content); });
}

}  // namespace

TEST_CASE("a commit puts the whole file there and leaves nothing else") {
  const TempFolder folder;
  const std::string large(1'000'000, 'x');  // several buffers
  save(folder / "a", large);
  CHECK(readFile(folder / "a") == large);
  CHECK(folder.list() == "a");
}

TEST_CASE("the generation before stays as NAME.prev, unless it is not wanted") {
  const TempFolder folder;
  save(folder / "a", "1");
  save(folder / "a", "2");
  save(folder / "a", "3");
  CHECK(readFile(folder / "a") == "3");
  CHECK(readFile(folder / "a.prev") == "2");
  CHECK(folder.list() == "a a.prev");
  save(folder / "b", "1", false);
  save(folder / "b", "2", false);
  CHECK(folder.list() == "a a.prev b");
}

TEST_CASE("a save after one that was killed between its two renames leaves no stray file") {
  const TempFolder folder;
  save(folder / "a", "1");
  save(folder / "a", "2");
  writeFile(folder / ".a.1.2.3.tmp", "between them");
  save(folder / "a", "3");
  CHECK(readFile(folder / "a") == "3");
  CHECK(readFile(folder / "a.prev") == "2");
  CHECK(folder.list() == "a a.prev");
  // Older versions left both names to one file.
  std::filesystem::remove(folder / "a.prev");
  REQUIRE(::link((folder / "a").c_str(), (folder / "a.prev").c_str()) == 0);
  save(folder / "a", "4");
  CHECK(readFile(folder / "a") == "4");
  CHECK(readFile(folder / "a.prev") == "3");
  CHECK(folder.list() == "a a.prev");
}

TEST_CASE("a generation before that cannot be replaced is warned of: the file is saved") {
  const TempFolder folder;
  save(folder / "a", "1");
  std::filesystem::create_directories(folder / "a.prev/full");
  const Warnings warnings;
  save(folder / "a", "2");
  CHECK(readFile(folder / "a") == "2");
  CHECK_MESSAGE(contains(warnings.said, "save: \"" + folder / "a" + "\" is saved, but \"a.prev\" beside it is not the "
                                        "generation before: it cannot be replaced: Is a directory"),
                warnings.said);
  CHECK(folder.list() == "a a.prev");
}

TEST_CASE("a second name of a file that is held is not taken for a stale one (P17)") {
  const TempFolder folder;
  save(folder / "a", "old");
  const Descriptor open(::open(folder.path().c_str(), O_RDONLY | O_DIRECTORY));
  {
    const Descriptor one = holdFile(open.get(), "a"), another = holdFile(open.get(), "a");
    REQUIRE(::link((folder / "a").c_str(), (folder / ".a.1.2.3.tmp").c_str()) == 0);
    removeStaleTemporaries(open.get(), "a");
    CHECK(temporariesOf(open.get(), "a") == std::vector<std::string>{".a.1.2.3.tmp"});
  }
  removeStaleTemporaries(open.get(), "a");
  CHECK(temporariesOf(open.get(), "a").empty());
  CHECK(readFile(folder / "a") == "old");
  CHECK_FALSE(holdFile(open.get(), "missing"));
}

TEST_CASE("without a commit the old file is untouched and the temporary one gone") {
  const TempFolder folder;
  save(folder / "a", "old");
  {
    AtomicFile file(folder / "a", "save");
    file.write(std::string(1'000'000, 'x'));
    CHECK(readFile(folder / "a") == "old");
  }
  CHECK(readFile(folder / "a") == "old");
  CHECK(folder.list() == "a");
}

TEST_CASE("a file that cannot be written whole is not saved: the old one stays, the reason is named (P3)") {
  const TempFolder folder;
  save(folder / "a", "old");
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit tight{500'000, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &tight);  // SIGXFSZ, which it brings, would end this process
  const std::string message = saveError(folder / "a", std::string(1'000'000, 'x'));
  const std::string early = messageOf<IoError>([&] {
    AtomicFile file(folder / "a", "save");
    file.reserve(1'000'000);
    file.write(std::string(1'000'000, 'x'));
  });
  setrlimit(RLIMIT_FSIZE, &before);
  for (const std::string& text : {message, early}) {
    CHECK(contains(text, "[save] IoError: not saved: \"" + folder / "a"));
    CHECK(contains(text, "File too large"));
    CHECK(contains(text, "raise the limit of file sizes"));
    CHECK(contains(text, "what stood there before is untouched"));
  }
  CHECK(readFile(folder / "a") == "old");
  CHECK(folder.list() == "a");
}

TEST_CASE("what the program set for the signal of too large files stays as it was, pending or not (P3)") {
  const TempFolder folder;
  sigset_t limit, mask, pending;
  sigemptyset(&limit);
  sigaddset(&limit, SIGXFSZ);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit tight{1000, before.rlim_max};
  for (const bool ownPending : {false, true}) {
    if (ownPending) {
      pthread_sigmask(SIG_BLOCK, &limit, nullptr);
      pthread_kill(pthread_self(), SIGXFSZ);
    }
    setrlimit(RLIMIT_FSIZE, &tight);
    CHECK(contains(saveError(folder / "a", std::string(2000, 'x')), "File too large"));
    setrlimit(RLIMIT_FSIZE, &before);
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    sigpending(&pending);
    CHECK(sigismember(&mask, SIGXFSZ) == (ownPending ? 1 : 0));
    CHECK(sigismember(&pending, SIGXFSZ) == (ownPending ? 1 : 0));
  }
  const timespec now{};
  CHECK(sigtimedwait(&limit, nullptr, &now) == SIGXFSZ);
  pthread_sigmask(SIG_UNBLOCK, &limit, nullptr);
  struct sigaction action {};
  sigaction(SIGXFSZ, nullptr, &action);
  CHECK((action.sa_handler == SIG_DFL));
}

TEST_CASE("room that was reserved and not used is given back") {
  const TempFolder folder;
  AtomicFile file(folder / "a", "save");
  file.reserve(1'000'000);
  file.write("short");
  file.commit();
  CHECK(readFile(folder / "a") == "short");
  struct stat info {};
  REQUIRE(::stat((folder / "a").c_str(), &info) == 0);
  CHECK(info.st_blocks * 512 < 100'000);
}

TEST_CASE("a file may be read back before it takes its place") {
  const TempFolder folder;
  const std::string large(1'000'000, 'x');
  AtomicFile file(folder / "a", "save", {.verify = true});
  file.write(large);
  file.commit();
  CHECK(readFile(folder / "a") == large);
  // Somebody writes into the temporary file.
  AtomicFile disturbed(folder / "a", "save", {.verify = true});
  disturbed.write(large);
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    if (!entry.path().string().ends_with(".tmp")) continue;
    std::fstream(entry.path(), std::ios::in | std::ios::out | std::ios::binary) << "y";
  }
  CHECK(contains(messageOf<IoError>([&] { disturbed.commit(); }), "cannot read back"));
  CHECK(readFile(folder / "a") == large);
  CHECK(folder.list() == "a");
}

TEST_CASE("places where nothing can be saved are refused at once (P13)") {
  const TempFolder folder;
  save(folder / "file", "x");
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  CHECK(contains(saveError(folder / "missing/a"), "No such file or directory"));
  CHECK(contains(saveError(folder / "file/a"), "Not a directory"));
  CHECK(contains(saveError(folder.path()), "is no regular file"));
  CHECK(contains(saveError(folder / "fifo"), "is no regular file"));
  CHECK(contains(saveError(""), "not a file name"));
  CHECK(contains(saveError(folder / ""), "not a file name"));
  CHECK(contains(saveError(folder / ".lock"), "is the file that locks its folder"));
  CHECK(contains(saveError(folder / "missing/a"), "make the folder first"));
  // A folder that is there and takes no files.
  const std::string kernel = saveError("/proc/ember.json");
  CHECK_MESSAGE(contains(kernel, "not saved: \"/proc/ember.json\": cannot make a temporary file"), kernel);
  CHECK_MESSAGE(contains(kernel, "that folder takes no new files; save elsewhere"), kernel);
  CHECK_FALSE(contains(kernel, "make the folder"));
  CHECK(contains(saveError(std::string("a\0b", 3)), "not a file name: \"a\\x00b\""));
  CHECK(contains(messageOf<IoError>([&] { checkCanSave(folder / "missing/a", "Trainer"); }),
                 "[Trainer] IoError: not saved"));
  checkCanSave(folder / "a", "Trainer");
  CHECK(folder.list() == "fifo file");
}

TEST_CASE("a symbolic link stays, the file behind it is replaced (P18)") {
  const TempFolder folder;
  std::filesystem::create_directory(folder / "real");
  save(folder / "real/a", "old");
  std::filesystem::create_symlink("real/a", folder / "link");
  std::filesystem::create_symlink("link", folder / "link2");
  std::filesystem::create_symlink("real/new", folder / "dangling");
  save(folder / "link2", "new");
  save(folder / "dangling", "made");
  CHECK(std::filesystem::is_symlink(folder / "link"));
  CHECK(readFile(folder / "real/a") == "new");
  CHECK(readFile(folder / "real/a.prev") == "old");
  CHECK(readFile(folder / "real/new") == "made");
  std::filesystem::create_symlink("loop", folder / "loop");
  CHECK(contains(saveError(folder / "loop"), "too many symbolic links"));
}

TEST_CASE("another hard link keeps the old content (P18)") {
  const TempFolder folder;
  save(folder / "a", "old", false);
  REQUIRE(::link((folder / "a").c_str(), (folder / "b").c_str()) == 0);
  save(folder / "a", "new", false);
  CHECK(readFile(folder / "b") == "old");
}

TEST_CASE("a save removes what killed ones left of its name; the rest stays (P17)") {
  const TempFolder folder;
  AtomicFile alive(folder / "a", "save");  // writes still, whoever else saves
  alive.write("alive");
  REQUIRE(folder.list().starts_with(".a."));
  const std::string stale = ".a." + std::to_string(::getpid()) + ".2.3.tmp";  // its number is in use again
  for (const char* name : {stale.c_str(), ".a.1.2.3.tmp", ".b.1.2.3.tmp", ".a.b.1.2.3.tmp", ".a.1.2.tmp", ".a.1..3.tmp",
                           ".a.1.2.x.tmp", ".a.1.2.3.4.tmp", "a.1.2.3.tmp", ".a.tmp", ".a.1.2.3.tmp2"})
    writeFile(folder / name, "stale");
  std::filesystem::create_directory(folder / ".a.1.2.4.tmp");
  const std::string others =
      ".a.1..3.tmp .a.1.2.3.4.tmp .a.1.2.3.tmp2 .a.1.2.4.tmp .a.1.2.tmp .a.1.2.x.tmp .a.b.1.2.3.tmp .a.tmp .b.1.2.3.tmp "
      "a a.1.2.3.tmp";
  // Without the lock, which `alive` has, nothing is removed.
  save(folder / "a", "new");
  CHECK(contains(folder.list(), " .a.1.2.3.tmp "));
  alive.commit();
  CHECK(readFile(folder / "a") == "alive");
  CHECK(readFile(folder / "a.prev") == "new");
  checkCanSave(folder / "a", "Trainer");  // saves nothing, so it costs nothing
  CHECK(contains(folder.list(), " .a.1.2.3.tmp "));
  save(folder / "a", "newer", false);  // has the lock
  CHECK(folder.list() == others + " a.prev");
}

TEST_CASE("two saves of one process under its run do not disturb each other (P17)") {
  const TempFolder folder;
  const FolderLock run = FolderLock::forRun(folder / "a", "Trainer");
  AtomicFile first(folder / "a", "save");
  first.write("first");
  save(folder / "a", "second");
  first.commit();
  CHECK(readFile(folder / "a") == "first");
  CHECK(readFile(folder / "a.prev") == "second");
  CHECK(folder.list() == ".lock a a.prev");
}

TEST_CASE("a folder that goes away during a save or between two is an error, one that comes back is none (P14)") {
  const TempFolder folder;
  std::filesystem::create_directory(folder / "run");
  const FolderLock run = FolderLock::forRun(folder / "run/a", "Trainer");
  save(folder / "run/a", "1");
  {
    AtomicFile file(folder / "run/a", "save");
    file.write("2");
    std::filesystem::remove_all(folder / "run");
    CHECK(contains(messageOf<IoError>([&] { file.commit(); }), "not saved: \"" + folder / "run/a"));
  }
  CHECK(contains(saveError(folder / "run/a"), "make the folder first"));
  CHECK(folder.list() == "");
  std::filesystem::create_directory(folder / "run");
  save(folder / "run/a", "3");
  CHECK(readFile(folder / "run/a") == "3");
}

TEST_CASE("without a free descriptor nothing is saved and nothing lost (P20)") {
  const TempFolder folder;
  save(folder / "a", "old", false);
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  // With one more descriptor at each turn, a save gets further each time, until it succeeds.
  const int free = ::dup(0);
  ::close(free);
  int refused = 0;
  std::string message;
  for (int more = 0; more < 20; ++more) {
    const rlimit tight{static_cast<rlim_t>(free + more), before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &tight);
    message = messageOf<IoError>([&] { save(folder / "a", "new", false); });
    setrlimit(RLIMIT_NOFILE, &before);
    if (message == "no error") break;
    ++refused;
    CHECK(contains(message, "Too many open files"));
    CHECK(contains(message, "raise the limit of open files"));
    CHECK(readFile(folder / "a") == "old");
    CHECK(folder.list() == "a");
  }
  CHECK(refused >= 2);
  CHECK(message == "no error");
  CHECK(readFile(folder / "a") == "new");
  CHECK(folder.list() == "a");
}

TEST_CASE("saves from several threads into one folder and onto one file are whole, and leave nothing else") {
  const TempFolder folder;
  const auto content = [](int thread, int turn) {
    return std::string(300'000, static_cast<char>('a' + thread)) + std::to_string(turn);
  };
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  for (int thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&, thread] {
      for (int turn = 0; turn < 20; ++turn) {
        if (messageOf<IoError>([&] { save(folder / "one", content(thread, turn)); }) != "no error" ||
            messageOf<IoError>([&] { save(folder / std::to_string(thread), content(thread, turn)); }) != "no error")
          ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failures == 0);
  CHECK(folder.list() == "0 0.prev 1 1.prev 2 2.prev one one.prev");
  for (const char* name : {"one", "one.prev"}) {
    const std::string got = readFile(folder / name);
    CHECK(got.size() > 300'000);
    CHECK(got.find_first_not_of(got[0]) == 300'000);
  }
  for (int thread = 0; thread < 3; ++thread) CHECK(readFile(folder / std::to_string(thread)) == content(thread, 19));
}

TEST_CASE("threads that save one file under a run take nothing from each other (P17)") {
  const TempFolder folder;
  const FolderLock run = FolderLock::forRun(folder / "a", "Trainer");
  save(folder / "a", "0");
  const Warnings warnings;
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  for (int thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&] {
      for (int turn = 0; turn < 60; ++turn) failures += saveError(folder / "a") != "no error";
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failures == 0);
  CHECK_MESSAGE(warnings.said.empty(), warnings.said);
  CHECK(folder.list() == ".lock a a.prev");
}

TEST_CASE("the new file has the old one's permissions, and names may be as long as the system allows") {
  const TempFolder folder;
  save(folder / "a", "old");
  ::chmod((folder / "a").c_str(), 0600);
  save(folder / "a", "new");
  struct stat info {};
  REQUIRE(::stat((folder / "a").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  const std::string longName(255, 'n');  // too long for a previous generation beside it
  save(folder / longName, "old");
  save(folder / longName, "new");
  CHECK(readFile(folder / longName) == "new");
}

TEST_CASE("paths that lead to one file are told, also where it does not exist yet") {
  const TempFolder folder;
  std::filesystem::create_directory(folder / "real");
  std::filesystem::create_directory_symlink("real", folder / "link");
  std::filesystem::create_symlink("real/a", folder / "other");
  const auto clash = [&](const char* a, const char* b) { return savesClash(folder / a, folder / b, "save"); };
  CHECK(clash("a", "a"));
  CHECK(clash("a", "./real/../a"));
  CHECK(clash("real/a", "link/a"));
  CHECK(clash("real/a", "other"));
  CHECK(clash("a", "a.prev"));
  CHECK(clash("link/a.prev", "real/a"));
  CHECK(clash("other", "real/a.prev"));
  CHECK(clash("missing/a", "missing/a"));
  CHECK_FALSE(clash("a", "b"));
  CHECK_FALSE(clash("a", "real/a"));
  CHECK_FALSE(clash("a", "a.prev.prev"));
  CHECK_FALSE(clash("missing/a", "a"));
}

TEST_CASE("a file that was committed takes nothing more") {
  const TempFolder folder;
  AtomicFile file(folder / "a", "save");
  file.commit();
  CHECK_THROWS_AS(file.write("x"), StateError);
  CHECK_THROWS_AS(file.commit(), StateError);
}
