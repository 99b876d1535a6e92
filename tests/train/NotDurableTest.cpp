// A run whose files are saved while their folder cannot be flushed to the disk.
#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

#include <doctest/doctest.h>
#include <ember/core/io/AtomicFile.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/ember.h>

#include "support/Headline.h"
#include "support/TempFolder.h"
#include "train/RichRun.h"

using namespace ember;
using namespace ember::test;

namespace {

std::atomic<bool> foldersFail{false};

}  // namespace

/// Stands in for the C library's: flushes files, but no folder while those fail.
extern "C" int fsync(int fd) {
  struct stat info {};
  if (foldersFail && ::fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) {
    errno = EIO;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_fsync, fd));
}

TEST_CASE("what is saved but may not survive a loss of power is saved: AutoSave warns and goes on (P6)") {
  for (const auto onError : {optim::OnSaveError::Continue, optim::OnSaveError::Stop}) {
    const TempFolder folder;
    const std::string path = folder / "run.json", best = folder / "best.json";
    SmallOptions options = rich();
    options.trainer.best = optim::BestOptions{};
    SmallRun run(options);
    const Warnings warnings;
    std::vector<std::string> reports;
    const optim::AutoSave saves(*run.trainer, path,
                                {.onError = onError, .bestFile = best, .report = [&](const std::string& what) {
                                   reports.push_back(what);
                                 }});
    foldersFail = true;
    CHECK(run.trainer->run());
    foldersFail = false;
    CHECK(saves.upToDate());
    CHECK(saves.failures() == 0);
    CHECK(saves.lastFailure().empty());
    CHECK(reports.empty());
    CHECK(io::readCheckpoint(path).train.get<i64>("step") == 2 * batches);
    CHECK(run.trainer->best()->file() == best);
    for (const std::string& file : {path, best}) {
      CHECK_MESSAGE(contains(warnings.said, "[save] IoError: saved, but \"" + file + "\" may not survive a loss of power"), warnings.said);
      CHECK(std::filesystem::exists(file));
    }
  }
}

TEST_CASE("Trainer::save tells of it, and knows that the run is saved (P6)") {
  const TempFolder folder;
  SmallRun run(rich());
  run.steps(2);
  foldersFail = true;
  const std::string message = messageOf<io::NotDurable>([&] { run.trainer->save(folder / "run.json"); });
  foldersFail = false;
  CHECK_MESSAGE(contains(message, "may not survive a loss of power"), message);
  CHECK(run.trainer->savedIn() == folder / "run.json");
}
