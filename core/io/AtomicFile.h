#pragma once
#include <string>
#include <string_view>

#include <ember/core/io/JsonWriter.h>

namespace ember::io {

/// A file that appears whole or not at all.
///
///   AtomicFile file("net.json", "save");
///   file.write(...);
///   file.commit();   // without it, the destructor leaves no trace
///
/// The bytes go to a temporary file in the target's own directory; commit() flushes it to the disk, keeps the present
/// target as NAME.prev, renames the temporary over the target and flushes the directory. Whatever fails before the
/// rename, the target is as it was and the temporary is gone. A symbolic link is followed: the file it names is
/// replaced, the link stays. Of a target with several hard links, the other names keep the old content.
class AtomicFile final : public ByteSink {
 public:
  /// Opens the temporary file. `op` opens every message; throws IoError with path, reason and what to do.
  AtomicFile(const std::string& path, const char* op, bool keepPrevious = true);
  ~AtomicFile() override;
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Throws IoError (disk full, ...); nothing more can be written then.
  void write(std::string_view bytes) override;
  /// Throws IoError: "not saved" if the target is untouched; "saved, but ..." if only the last flush failed.
  void commit();
  u64 bytesWritten() const noexcept { return written_; }

 private:
  void flush();
  void keepOld();
  void discard() noexcept;
  [[noreturn]] void fail(const char* doing, int error);

  std::string path_;           // as the user gave it
  std::string folder_, name_;  // of the file behind it
  std::string temporary_;      // in folder_; empty once renamed or removed
  const char* op_;
  bool keepPrevious_;
  int folderFd_ = -1, fd_ = -1;
  u64 written_ = 0;
  std::string buffer_;
};

/// Throws IoError if a file could not be saved under `path` (no such folder, no permission, ...), by trying; leaves no
/// trace.
void checkCanSave(const std::string& path, const char* op);

}  // namespace ember::io
