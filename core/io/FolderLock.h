#pragma once
#include <memory>
#include <string>

#include <ember/core/io/SavePath.h>

namespace ember::io {

/// The right to save into a folder, against other processes: a flock on the file .lock in it, whose text says who holds
/// it and for what. The kernel gives the lock back when the process ends, however it ends; given back in order, the
/// file goes too. Where somebody removes the file of a run, its next save makes another, or is refused if a second run
/// of that file came in between.
///
///   const FolderLock lock = FolderLock::forRun("run.json", "Trainer");   // from before the first epoch to the end
///
/// Where a folder cannot be locked (read-only, missing, a file system without locks), nothing is held and nothing
/// refused: the save itself will say what is wrong, if anything is. Saves need no lock to be whole; it orders them, and
/// it lets them remove what killed ones left behind.
///
/// Threads: any. A child made by fork() holds nothing; it keeps the lock of a parent that dies until it ends itself.
class FolderLock final {
 public:
  FolderLock() noexcept = default;  ///< holds nothing
  FolderLock(FolderLock&& other) noexcept { swap(other); }
  FolderLock& operator=(FolderLock&& other) noexcept {
    swap(other);
    return *this;
  }
  ~FolderLock();

  /// For a run that saves to `path`. Saves of this process into the folder pass, so do its runs that save to other
  /// files there. Throws IoError, with process and host, if another process runs there or keeps it for 10 s with saves,
  /// or if this process has a run that saves to that file already.
  static FolderLock forRun(const std::string& path, const char* op);
  /// For one save of `target`, whose folder is open as `folder`. Waits for up to 2 s while another save has the lock
  /// and then holds nothing. Throws IoError if another process has a run that saves to that file.
  static FolderLock forSave(const SavePath& target, int folder, const char* op);

  /// No other process holds the folder.
  bool held() const noexcept { return hold_ != nullptr; }

 private:
  struct Hold;
  void swap(FolderLock& other) noexcept {
    hold_.swap(other.hold_);
    file_.swap(other.file_);
  }

  std::shared_ptr<Hold> hold_;
  std::string file_;  // that this run guards, in quotes; empty for a save
};

}  // namespace ember::io
