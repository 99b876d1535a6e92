#pragma once
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include <fmt/core.h>

#include <ember/core/io/Checkpoint.h>
#include <ember/core/io/FolderLock.h>
#include <ember/ember.h>

/// A command line that asks for what cannot be: exit code 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What the command line of a training program says about the files of its run.
struct RunFlags {
  std::string save = {};    ///< empty: the file that the run is resumed from, else the program's default
  std::string resume = {};  ///< a file, or "auto"; empty: begin anew
  bool overwrite = false;
  bool override = false;  ///< go on under another command line than the run was begun with
  ember::i64 saveEvery = 0;  ///< steps; 0: each epoch
  bool stopOnSaveError = false;
  /// Of the folder of `save`, from before a run is read until it ends; from chooseRun().
  std::shared_ptr<ember::io::FolderLock> lock = {};
};

/// Adds an option that takes the name of a file, which may not be empty.
CLI::Option* addFile(CLI::App& app, const std::string& flag, std::string& file, const std::string& help);
/// Adds --save, --resume, --overwrite, --override, --save-every and --on-save-error.
void addRunFlags(CLI::App& app, RunFlags& flags, const std::string& defaultSave);

/// The file to go on from, empty if the run begins anew: flags.resume, or for "auto" the newest whole generation of
/// flags.save, of which it says on standard error which it is and why. Settles flags.save and, to `train` there, locks
/// its folder before anything is read. Throws IoError for a missing file, if no generation can be used, or if another
/// run is at work in the folder.
std::string chooseRun(RunFlags& flags, const std::string& program, const std::string& defaultSave, bool train = true);

/// The run in a file. Throws IoError for one that holds a net alone; `help` then says what to do.
ember::io::Checkpoint readRun(const std::string& file, const std::string& program, const std::string& help);

/// trainer.resume(file); under --resume auto, of the other generation of the same run where this one is refused.
void resumeRun(ember::optim::Trainer& trainer, const std::string& file, const RunFlags& flags);

/// What a command line says against the run that it resumes. What it leaves out is as the run was begun.
class Conflicts {
 public:
  Conflicts(std::string file, bool override) : file_(std::move(file)), override_(override) {}

  /// `was` is what the run was begun with; with --override it becomes what is `given`.
  template <class T, class U>
  void compare(const char* flag, const std::optional<T>& given, U& was) {
    if (!given || *given == was) return;
    if (override_)
      was = *given;
    else
      add(fmt::format("{} {}, the run was begun with {}", flag, *given, was));
  }
  /// Fewer epochs than are `done` ask for nothing, which is no contradiction; others bend the learning-rate schedule.
  void compareEpochs(const std::optional<ember::i64>& given, ember::i64 done, ember::i64& was) {
    if (!given || *given > done) compare("--epochs", given, was);
  }
  void add(const std::string& conflict) { list_ += "\n    " + conflict; }
  /// Throws UsageError that lists all.
  void refuse(const std::string& evenIfOverridden) const;

 private:
  std::string file_, list_;
  bool override_;
};

/// Whether the resumed run has no epoch left of those that are asked for, which it then says.
bool nothingToDo(const ember::optim::Trainer& trainer, const std::string& file,
                 const std::optional<ember::i64>& epochs);

/// A file that a command writes: the flag that names it, and whether it is a run, beside which the one before stays.
struct Output {
  const char* flag;
  std::string path;  ///< empty: none
  bool run = false;
};
/// Throws UsageError where two of them are one file or one is the other's .prev, and for the lock of a folder.
void checkDifferent(const std::vector<Output>& outputs);

/// Whether saves to `path` go on with the run that is resumed `from` there or from its .prev.
bool goesOnIn(const std::string& path, const std::string& from);
/// Throws UsageError if saving into `path` would replace something else than the run that is resumed `from` there.
void checkMayReplaceRun(const std::string& path, const std::string& from, bool overwrite);
/// The same for a report: a file that is there must hold `mark`, as those of the program do.
void checkMayReplaceReport(const std::string& path, std::string_view mark, const char* instead);

/// A training that saves itself as the flags say and heeds signals. To be made before hooks that print: an epoch that
/// is shown is saved.
class SavedTraining {
 public:
  /// Throws IoError if nothing can be saved there. A best epoch that the run kept elsewhere than in `bestFile` it
  /// keeps there no more.
  SavedTraining(ember::optim::Trainer& trainer, const RunFlags& flags, const std::string& bestFile = {});
  /// Trains to the end or to a signal; says how a run that was stopped goes on. Returns the exit code: 0, 1 if the run
  /// as it stands could not be saved, or 128 + the signal.
  int run();

 private:
  ember::optim::Trainer& trainer_;
  std::string file_;
  ember::optim::AutoSave saves_;
};
