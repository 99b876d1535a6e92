#include "resume/Train.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <stdexcept>

#include "support/TempFolder.h"

namespace ember::test {
namespace {

/// Leaves the lines of the first `steps` steps: what was logged behind the last save will be logged again.
void cutLog(const std::string& path, i64 steps) {
  if (!std::filesystem::exists(path)) return;
  const std::string text = readFile(path);
  std::string kept;
  for (std::size_t at = 0, end; (end = text.find('\n', at)) != text.npos; at = end + 1) {
    if (std::stoll(text.substr(at)) <= steps) kept += text.substr(at, end + 1 - at);
  }
  writeFile(path + ".new", kept);
  std::filesystem::rename(path + ".new", path);  // the next kill may come at any moment
}

void append(const std::string& path, const std::string& line) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  const bool written = fd >= 0 && ::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  if (fd >= 0) ::close(fd);
  if (!written) throw std::runtime_error("cannot write " + path);
}

}  // namespace

int train(const std::string& folder, const Case& kind, const std::string& kill) {
  std::filesystem::current_path(folder);  // the run knows the name of the file with its best epoch
  const std::string path = "run.json", log = "loss.log";
  const auto found = optim::newestRun(path);
  SmallOptions options = kind.options();
  if (found) {  // all that matters comes from the file
    options.initSeed = 4711;
    options.trainer.seed = 815;
  }
  SmallRun run(options);
  optim::Trainer& trainer = *run.trainer;
  if (found) trainer.resume(found->path);
  cutLog(log, run.optimizer->steps());

  const auto killAt = [&](char what, i64 count) {
    if (kill == what + std::to_string(count)) ::raise(SIGKILL);
  };
  // Logged before it is saved: a line too many is cut off, a line too few could not be had again.
  trainer.afterStep([&](const optim::StepInfo& info) {
    char line[100];
    std::snprintf(line, sizeof line, "%lld %a %a %a\n", static_cast<long long>(info.step), info.loss, info.meanLoss,
                  info.lr);
    append(log, line);
  });
  const optim::AutoSave saves(trainer, path,
                              {.everySteps = kind.saveEvery, .bestFile = options.trainer.best ? "best.json" : ""});
  trainer.afterStep([&](const optim::StepInfo& info) { killAt('s', info.step); });
  trainer.afterEpoch([&](const optim::EpochInfo& info) { killAt('e', info.epoch + 1); });
  trainer.run();
  return saves.upToDate() && saves.failures() == 0 ? 0 : 1;
}

}  // namespace ember::test
