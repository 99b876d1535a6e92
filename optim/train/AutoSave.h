#pragma once
#include <functional>
#include <memory>
#include <string>

#include <ember/optim/train/Trainer.h>

namespace ember::io {
class FolderLock;
}

namespace ember::optim {

/// What a save that fails does to the training.
enum class OnSaveError {
  Continue,  ///< it goes on; the next interval tries again
  Stop,      ///< the error comes out of Trainer::run() or step()
};

struct AutoSaveOptions {
  i64 everySteps = 0;  ///< saves behind every so many optimiser steps, too; 0: behind each epoch alone
  OnSaveError onError = OnSaveError::Continue;
  /// Keeps the run as it was behind its best epoch (TrainerOptions::best); empty: nowhere.
  std::string bestFile = {};
  /// Of the folder of the run, where it is locked already: FolderLock::forRun(path, ...), before the run that is gone
  /// on with is read. AutoSave locks it itself if unset.
  std::shared_ptr<io::FolderLock> lock = {};
  /// Told of each save that failed, in one or several lines; a warning if unset.
  std::function<void(const std::string& what)> report = {};
};

/// Saves a trainer's run into a file by itself: behind each epoch, behind every so many steps, and when Trainer::run()
/// returns with something that the file does not have yet.
///
///   optim::AutoSave saves(trainer, "run.json", {.everySteps = 500});
///   trainer.run();
///   return saves.upToDate() ? 0 : 1;
///
/// The generation before stays as run.json.prev. The folder is locked and tried out at once: the constructor throws
/// IoError, before anything is trained, if nothing can be saved there or another run is at work in it, and ValueError if
/// the run is one that no file can hold (Trainer::checkSavable). A file that is
/// saved but may not survive a loss of power (io::NotDurable) is saved, with a warning. Make it before hooks that take
/// long, so that it saves before they run. Refers to the trainer, which may outlive it.
class AutoSave {
 public:
  /// Throws ValueError for everySteps < 0, and for a bestFile without TrainerOptions::best, or where it is `path`
  /// itself or one of the two is the other's previous generation.
  AutoSave(Trainer& trainer, std::string path, AutoSaveOptions options = {});
  ~AutoSave();
  AutoSave(const AutoSave&) = delete;
  AutoSave& operator=(const AutoSave&) = delete;

  /// Saves now, whatever the interval. Returns whether it is saved; with OnSaveError::Stop a failure is thrown.
  bool save();
  /// Whether the file holds the run as it stands.
  bool upToDate() const;
  /// How many saves failed, those of the best epoch included, and what the last of them said; empty: none.
  i64 failures() const noexcept;
  const std::string& lastFailure() const noexcept;

 private:
  struct Saver;
  std::shared_ptr<Saver> saver_;  // shared with the trainer's hooks
};

}  // namespace ember::optim
