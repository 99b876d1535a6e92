#include <ember/optim/train/NewestRun.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include <ember/core/Error.h>
#include <ember/core/Warn.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/core/io/SavePath.h>
#include <ember/core/io/TemporaryFile.h>
#include <ember/optim/train/RunFile.h>

namespace ember::optim {
namespace {

/// What is told of one file.
struct Candidate {
  std::string path;
  bool there = false;
  std::string problem = {};  // empty: a run
  i64 step = 0;
  Value identity = {};  // equal in all generations of one run
};

/// The options of the optimiser without what a run changes.
Value fixedPart(const Value& optimizer) {
  return {{"type", optimizer.at("type")}, {"lr", optimizer.at("lr")}, {"options", optimizer.at("options")}};
}

Candidate look(const std::string& path) {
  Candidate found{.path = path};
  std::error_code unreadable;
  found.there = std::filesystem::symlink_status(path, unreadable).type() != std::filesystem::file_type::not_found;
  if (!found.there) return found;
  try {
    const io::Checkpoint file = io::readCheckpoint(path);
    if (file.train.isNull() || file.optimizer.isNull()) {
      found.problem = "it holds a net but no run";
      return found;
    }
    found.step = readRun(path, file).step;  // a run that resume() would refuse is none
    found.identity = {{"model", file.model},
                      {"seed", file.train.at("seed")},
                      {"data", file.train.at("data")},
                      {"scheduler", file.scheduler},
                      {"optimizer", fixedPart(file.optimizer)}};
  } catch (const std::exception& error) {
    found.problem = error.what();
  }
  return found;
}

bool usable(const Candidate& file) { return file.there && file.problem.empty(); }

/// An error's message on one line: its details in brackets, without what to do.
std::string oneLine(const std::string& message) {
  std::string text = message.substr(0, message.find('\n')), details;
  for (std::size_t at = text.size(); at < message.size();) {
    const std::size_t begin = message.find_first_not_of("\n ", at),
                      end = std::min(message.find('\n', begin), message.size());
    if (begin == message.npos || message.compare(begin, 5, "help ") == 0) break;
    std::string line = message.substr(begin, end - begin);
    if (const auto gap = line.find("  "); gap != line.npos) line.erase(gap, line.find_first_not_of(' ', gap) - gap - 1);
    details += (details.empty() ? " (" : "; ") + line;
    at = end;
  }
  return text + details + (details.empty() ? "" : ")");
}

/// The whole runs that saves which were killed left beside `target`.
std::vector<Candidate> leftByKilled(const io::SavePath& target) {
  std::vector<Candidate> whole;
  int error = 0;
  const io::Descriptor folder = target.openFolder(error);
  if (!folder) return whole;
  for (const std::string& name : io::temporariesOf(folder.get(), target.name)) {
    Candidate left = look(target.folder + "/" + name);
    if (left.there && left.problem.empty()) whole.push_back(std::move(left));
  }
  return whole;
}

/// Throws what is wrong with each generation; returns nothing if there is none.
std::nullopt_t refuse(const std::string& path, const Candidate& now, const Candidate& before) {
  Error::Details details;
  for (const Candidate* file : {&now, &before})
    details.emplace_back(file->path, file->there ? file->problem : "is not there");
  std::string help;
  const io::SavePath target(path, "newestRun");
  for (const Candidate& left : leftByKilled(target)) {
    const std::string what = "whole, step " + std::to_string(left.step) + ", left by a save that was killed";
    help = "rename " + left.path + " to " + target.folder + "/" + target.name + " to go on from it";
    details.emplace_back(left.path, what);
    if (!now.there && !before.there) warnOnce(left.path + " is " + what + ": the next save removes it; " + help);
  }
  if (!now.there && !before.there) return std::nullopt;
  throw IoError("newestRun", "no run to go on from at " + path, details,
                help.empty() ? "nothing was changed; give another file, or begin anew under another name" : help);
}

}  // namespace

bool sameRun(const std::string& a, const std::string& b) {
  const Candidate first = look(a), second = look(b);
  return usable(first) && usable(second) && first.identity == second.identity;
}

std::optional<FoundRun> newestRun(const std::string& path) {
  // Saves follow a link, so the previous generation lies beside the file that it names.
  std::string real = path;
  if (std::error_code unreadable; std::filesystem::is_symlink(path, unreadable)) {
    const io::SavePath target(path, "newestRun");
    real = target.folder + "/" + target.name;
  }
  const Candidate now = look(path), before = look(real + ".prev");
  if (!usable(now) && !usable(before)) return refuse(path, now, before);

  const bool same = usable(now) && usable(before) && now.identity == before.identity;
  const bool older = !usable(now) || (same && before.step > now.step);
  const Candidate &taken = older ? before : now, &other = older ? now : before;
  const std::string step = "step " + std::to_string(taken.step);
  std::string why;
  if (!other.there) {
    why = taken.path + ", " + step + ", taken; " + other.path + " is not there";
  } else if (!other.problem.empty()) {
    why = other.path + " cannot be used: " + oneLine(other.problem) + "; " + taken.path + ", " + step + ", taken";
  } else {
    why = taken.path + ", " + step + ", taken; " + other.path + " is " +
          (same ? "at step " + std::to_string(other.step) : "of another run");
  }
  return FoundRun{taken.path, taken.step, why};
}

}  // namespace ember::optim
