#pragma once
#include <stdexcept>
#include <string>

#include <CLI/CLI.hpp>

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
  ember::i64 saveEvery = 0;  ///< steps; 0: each epoch
  bool stopOnSaveError = false;
};

/// Adds --save, --resume, --overwrite, --save-every and --on-save-error.
void addRunFlags(CLI::App& app, RunFlags& flags, const std::string& defaultSave);

/// The file to go on from, empty if the run begins anew: flags.resume, or for "auto" the newest whole generation of
/// flags.save, of which it says on standard error which it is and why. Settles flags.save. Throws IoError for a
/// missing file, or if no generation can be used.
std::string chooseRun(RunFlags& flags, const std::string& program, const std::string& defaultSave);

/// Throws UsageError if saving into `path` would replace something else than the run that is resumed `from` there.
void checkMayReplaceRun(const std::string& path, const std::string& from, bool overwrite);
/// The same for a report: a file that is there must hold `mark`, as those of the program do.
void checkMayReplaceReport(const std::string& path, std::string_view mark, const char* instead);

/// A training that saves itself as the flags say and heeds signals. To be made before hooks that print: an epoch that
/// is shown is saved.
class SavedTraining {
 public:
  /// Throws IoError if nothing can be saved there.
  SavedTraining(ember::optim::Trainer& trainer, const RunFlags& flags, const std::string& bestFile = {});
  /// Trains to the end or to a signal; says how a run that was stopped goes on. Returns the exit code: 0, 1 if the run
  /// as it stands could not be saved, or 128 + the signal.
  int run();

 private:
  ember::optim::Trainer& trainer_;
  std::string file_;
  ember::optim::AutoSave saves_;
};
