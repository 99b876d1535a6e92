#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include <ember/core/Error.h>
#include <ember/core/io/ReportFile.h>

#include "support/Headline.h"
#include "support/TempFolder.h"

using namespace ember;
using namespace ember::io;
using namespace ember::test;

namespace {

void report(const std::string& path, std::string_view text) {
  checkCanReport(path, "report");
  ReportFile file(path, "report");
  file.write(text);
  file.commit();
}

}  // namespace

TEST_CASE("a report is a whole file or none, without a previous one") {
  const TempFolder folder;
  report(folder / "a", "1");
  report(folder / "a", "2");
  { ReportFile(folder / "a", "report").write("unfinished"); }
  CHECK(readFile(folder / "a") == "2");
  CHECK(folder.list() == "a");
  CHECK(contains(messageOf<IoError>([&] { report(folder / "missing/a", "1"); }), "make the folder first"));
  CHECK(contains(messageOf<IoError>([&] { report(folder.path(), "1"); }), "is no regular file"));
  CHECK(contains(messageOf<IoError>([&] { report(std::string("/dev/null\0x", 11), "1"); }), "not a file name"));
}

TEST_CASE("a report into a FIFO, a device or a descriptor is written there") {
  const TempFolder folder;
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  const std::string large(1'000'000, 'x');  // more than a pipe holds
  std::string got;
  std::thread reader([&] { got = readFile(folder / "fifo"); });
  report(folder / "fifo", large);
  reader.join();
  CHECK(got == large);
  report("/dev/null", "nothing");
  CHECK(contains(messageOf<IoError>([&] { report("/dev/full", "1"); }), "No space left on device"));
  CHECK(folder.list() == "fifo");
}

TEST_CASE("a report to /dev/stdout or /dev/fd/N goes behind what stands there, also in a file") {
  const TempFolder folder;
  const int fd = ::open((folder / "out").c_str(), O_WRONLY | O_CREAT, 0600);
  REQUIRE(fd >= 0);
  REQUIRE(::write(fd, "before\n", 7) == 7);
  report("/dev/fd/" + std::to_string(fd), "report\n");
  REQUIRE(::write(fd, "after\n", 6) == 6);
  CHECK(readFile(folder / "out") == "before\nreport\nafter\n");
  ::close(fd);
  CHECK(contains(messageOf<IoError>([&] { checkCanReport("/dev/fd/" + std::to_string(fd), "report"); }),
                 "Bad file descriptor"));

  std::fflush(stdout);
  const int terminal = ::dup(STDOUT_FILENO);
  const int out = ::open((folder / "stdout").c_str(), O_WRONLY | O_CREAT, 0600);
  ::dup2(out, STDOUT_FILENO);
  std::fputs("before\n", stdout);
  report("/dev/stdout", "report\n");
  std::fputs("after\n", stdout);
  std::fflush(stdout);
  ::dup2(terminal, STDOUT_FILENO);
  ::close(terminal);
  ::close(out);
  CHECK(readFile(folder / "stdout") == "before\nreport\nafter\n");
}

TEST_CASE("a stream that was committed takes nothing more") {
  ReportFile file("/dev/null", "report");
  file.commit();
  CHECK_THROWS_AS(file.write("x"), StateError);
  CHECK_THROWS_AS(file.commit(), StateError);
}
