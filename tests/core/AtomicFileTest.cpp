#include <doctest/doctest.h>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include <ember/core/Error.h>
#include <ember/core/io/AtomicFile.h>

#include "support/TempFolder.h"

using namespace ember;
using namespace ember::io;
using namespace ember::test;

namespace {

void save(const std::string& path, std::string_view content, bool keepPrevious = true) {
  AtomicFile file(path, "save", keepPrevious);
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
  REQUIRE(::link((folder / "a").c_str(), (folder / "a.prev").c_str()) == 0);  // what such a kill leaves
  save(folder / "a", "2");
  CHECK(readFile(folder / "a") == "2");
  CHECK(readFile(folder / "a.prev") == "1");
  CHECK(folder.list() == "a a.prev");
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
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);  // the limit then shows as EFBIG
  setrlimit(RLIMIT_FSIZE, &tight);
  const std::string message = saveError(folder / "a", std::string(1'000'000, 'x'));
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(contains(message, "[save] IoError: not saved: \"" + folder / "a"));
  CHECK(contains(message, "File too large"));
  CHECK(contains(message, "what stood there before is untouched"));
  CHECK(readFile(folder / "a") == "old");
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

TEST_CASE("a stale temporary file blocks nothing and is left alone (P17)") {
  const TempFolder folder;
  writeFile(folder / ".a.1.2.3.tmp", "stale");
  save(folder / "a", "new");
  CHECK(folder.list() == ".a.1.2.3.tmp a");
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

TEST_CASE("a file that was committed takes nothing more") {
  const TempFolder folder;
  AtomicFile file(folder / "a", "save");
  file.commit();
  CHECK_THROWS_AS(file.write("x"), StateError);
  CHECK_THROWS_AS(file.commit(), StateError);
}
