#pragma once
#include <string>
#include <string_view>

#include <ember/core/Error.h>
#include <ember/core/io/Crc32.h>
#include <ember/core/io/FolderLock.h>
#include <ember/core/io/JsonWriter.h>

namespace ember::io {

struct AtomicFileOptions {
  bool keepPrevious = true;  ///< the file that stood there stays as NAME.prev
  bool verify = false;       ///< reads the new file back before it takes its place; costs one reading
  bool tidy = true;          ///< removes what saves of that name that were killed left behind
};

/// What commit() throws when the new file is in its place, but may not survive a loss of power.
class NotDurable final : public IoError {
 public:
  using IoError::IoError;
};

/// A file that appears whole or not at all.
///
///   AtomicFile file("net.json", "save");
///   file.write(...);
///   file.commit();   // without it, the destructor leaves no trace
///
/// The bytes go to a temporary file in the target's own directory, under a FolderLock; commit() flushes it to the disk,
/// gives the present target a second name (where there are hard links), renames the temporary over the target, the
/// second name over NAME.prev, and flushes the directory. NAME.prev comes last, unlike in the usual recipe that renames
/// to it first: the present target may be damaged, and NAME.prev the generation that the program went on from. So at
/// every instant NAME or NAME.prev is whole if one of them was before. Whatever fails before the new file has its
/// place, both are as they were and the temporary is gone; where only NAME.prev cannot be replaced, the file is saved
/// and a warning says so. What a killed process left is removed by the next save of that name. A symbolic link is
/// followed: the file it names is replaced, the link stays. Of a target with several hard links, the other names keep
/// the old content. All of this holds as far as the disk does what it says when it is told to flush.
class AtomicFile final : public ByteSink {
 public:
  /// Opens the temporary file. `op` opens every message; throws IoError with path, reason and what to do.
  AtomicFile(const std::string& path, const char* op, const AtomicFileOptions& options = {});
  ~AtomicFile() override;
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Takes room on the disk for a file of at least `bytes`, so that a full disk is found before the work is done.
  /// Throws IoError (disk full); where room cannot be taken in advance it does nothing.
  void reserve(u64 bytes);
  /// Throws IoError (disk full, ...); nothing more can be written then.
  void write(std::string_view bytes) override;
  /// Throws IoError "not saved" if target and NAME.prev are untouched, NotDurable if only the last flush failed.
  void commit();
  u64 bytesWritten() const noexcept { return written_; }

 private:
  void flush();
  void complete();
  void verify();
  Descriptor linkOld();
  int replacePrevious(const std::string& previous) noexcept;
  void discard() noexcept;
  [[noreturn]] void fail(const char* doing, int error);

  SavePath target_;
  const char* op_;
  AtomicFileOptions options_;
  Descriptor folder_, file_;
  FolderLock lock_;
  std::string temporary_, second_;  // names in the folder; empty once renamed or removed
  u64 written_ = 0, reserved_ = 0;
  Crc32 crc_;
  std::string buffer_;
};

/// Throws IoError if a file could not be saved under `path` (no such folder, no permission, ...), by trying; leaves no
/// trace.
void checkCanSave(const std::string& path, const char* op);

}  // namespace ember::io
