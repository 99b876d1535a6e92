#include <ember/optim/train/AutoSave.h>

#include <utility>
#include <vector>

#include <ember/core/Error.h>
#include <ember/core/Warn.h>
#include <ember/core/io/AtomicFile.h>
#include <ember/core/io/FolderLock.h>
#include <ember/core/io/Text.h>

namespace ember::optim {

struct AutoSave::Saver {
  Saver(Trainer& t, std::string file, AutoSaveOptions o) : trainer(&t), path(std::move(file)), options(std::move(o)) {}

  /// One save, whose failure the options decide about.
  bool attempt(const std::string& file) {
    try {
      trainer->save(file);
      return true;
    } catch (const io::NotDurable& error) {
      warnOnce(error.what());
      return true;
    } catch (const std::exception& error) {
      ++failures;
      lastFailure = error.what();
      if (options.onError == OnSaveError::Stop) throw;
      const std::string where =
          "epoch " + std::to_string(trainer->epoch()) + ", batch " + std::to_string(trainer->batch());
      const std::string what = "at " + where + ": " + lastFailure;
      if (options.report)
        options.report(what);
      else
        warnOnce(what);
      return false;
    }
  }
  void afterStep(const StepInfo& info) {
    // The last step of an epoch is saved with it.
    if (options.everySteps > 0 && info.step % options.everySteps == 0 && info.batch + 1 < info.batches) attempt(path);
  }
  /// The best first: what the run says of that file is true then, whenever the program is killed.
  void afterEpoch() {
    BestEpoch* best = trainer->best();
    if (!options.bestFile.empty() && best->worthKeeping(options.bestFile)) {
      const BestEpoch before = *best;
      best->kept(options.bestFile);
      bool saved = false;
      try {
        saved = attempt(options.bestFile);
      } catch (...) {
        *best = before;
        attempt(path);  // elsewhere perhaps, where there is room: the epoch need not be lost
        throw;
      }
      if (!saved) *best = before;
    }
    attempt(path);
  }

  Trainer* trainer;  // null: the AutoSave is gone
  std::string path;
  AutoSaveOptions options;
  std::vector<io::FolderLock> locks;
  i64 failures = 0;
  std::string lastFailure;
};

AutoSave::AutoSave(Trainer& trainer, std::string path, AutoSaveOptions options) {
  if (options.everySteps < 0)
    throw ValueError("AutoSave", "everySteps is " + std::to_string(options.everySteps), {}, "use 0 (off) or more");
  if (!options.bestFile.empty() && !trainer.best())
    throw ValueError("AutoSave", "bestFile is given, but the trainer knows no best epoch", {},
                     "set TrainerOptions::best");
  if (!options.bestFile.empty() && io::savesClash(path, options.bestFile, "AutoSave")) {
    throw ValueError("AutoSave", "the best epoch and the run cannot be in one file or its .prev",
                     {{"run", path}, {"bestFile", options.bestFile}}, "give bestFile another name");
  }
  if (!io::isUtf8(options.bestFile)) {
    throw ValueError("AutoSave", "bestFile is " + io::inQuotes(options.bestFile) + ", expected UTF-8", {},
                     "the run says in its file where its best epoch is: give it a name that JSON can hold");
  }
  trainer.checkSavable();
  std::vector<io::FolderLock> locks;
  for (const std::string* given : {&path, &options.bestFile}) {
    const std::string& file = *given;
    const bool best = &file == &options.bestFile;
    if (best && file.empty()) continue;
    if (best || !options.lock) locks.push_back(io::FolderLock::forRun(file, "AutoSave"));
    io::checkCanSave(file, "AutoSave");
  }
  saver_ = std::make_shared<Saver>(trainer, std::move(path), std::move(options));
  saver_->locks = std::move(locks);
  // The hooks outlive this object.
  trainer.afterStep([saver = saver_](const StepInfo& info) {
    if (saver->trainer) saver->afterStep(info);
  });
  trainer.afterEpoch([saver = saver_](const EpochInfo&) {
    if (saver->trainer) saver->afterEpoch();
  });
  trainer.afterRun([saver = saver_](bool) {
    if (saver->trainer && saver->trainer->savedIn() != saver->path) saver->attempt(saver->path);
  });
}

AutoSave::~AutoSave() {
  saver_->trainer = nullptr;
  saver_->locks.clear();
  saver_->options.lock.reset();
}

bool AutoSave::save() { return saver_->attempt(saver_->path); }
bool AutoSave::upToDate() const { return saver_->trainer->savedIn() == saver_->path; }
i64 AutoSave::failures() const noexcept { return saver_->failures; }
const std::string& AutoSave::lastFailure() const noexcept { return saver_->lastFailure; }

}  // namespace ember::optim
