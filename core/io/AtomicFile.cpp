#include <ember/core/io/AtomicFile.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <new>

#include <ember/core/Warn.h>
#include <ember/core/io/TemporaryFile.h>
#include <ember/core/io/Text.h>

namespace ember::io {
namespace {

constexpr std::size_t bufferBytes = std::size_t{1} << 18;

bool isFull(int error) { return error == ENOSPC || error == EDQUOT; }

}  // namespace

AtomicFile::AtomicFile(const std::string& path, const char* op, const AtomicFileOptions& options)
    : target_(path, op), op_(op), options_(options) {
  buffer_.reserve(bufferBytes);
  int error = 0;
  folder_ = target_.openFolder(error);
  if (!folder_) fail("open its folder", error);
  struct stat old {};
  const bool exists = ::fstatat(folder_.get(), target_.name.c_str(), &old, 0) == 0;
  if (exists && !S_ISREG(old.st_mode))
    throw IoError(op_, "not saved: " + inQuotes(path) + " exists and is no regular file");
  lock_ = FolderLock::forSave(target_, folder_.get(), op);
  if (options.tidy && lock_.held()) removeStaleTemporaries(folder_.get(), target_.name);
  file_ = makeTemporary(folder_.get(), target_.name, temporary_);
  if (!file_) fail("make a temporary file beside it", errno);
  // The new file takes over who may read it; where that is refused it keeps what the umask gave.
  [[maybe_unused]] const int refused = exists ? ::fchmod(file_.get(), old.st_mode & 07777) : 0;
}

AtomicFile::~AtomicFile() { discard(); }

void AtomicFile::discard() noexcept {
  for (std::string* name : {&temporary_, &second_}) {
    if (!name->empty()) ::unlinkat(folder_.get(), name->c_str(), 0);
    name->clear();
  }
  file_.close();
  lock_ = FolderLock();
  folder_.close();
}

void AtomicFile::fail(const char* doing, int error) {
  discard();
  Error::Details details{{"cause", errnoText(error)}};
  if (isFull(error)) {
    const u64 needed = std::max(reserved_, written_ + buffer_.size());
    if (needed > 0) details.emplace_back("needed", "at least " + bytesText(needed));
    struct statvfs disk {};
    if (::statvfs(target_.folder.c_str(), &disk) == 0)
      details.emplace_back("free", bytesText(static_cast<u64>(disk.f_bavail) * static_cast<u64>(disk.f_frsize)));
  }
  std::string help = "what stood there before is untouched";
  if (isFull(error)) help = "make room on the disk, or save elsewhere; " + help;
  if (error == EFBIG) help = "raise the limit of file sizes (ulimit -f), or save elsewhere; " + help;
  if (error == EMFILE) help = "raise the limit of open files (ulimit -n); " + help;
  if (error == ENOENT) {
    struct stat there {};
    help = ::stat(target_.folder.c_str(), &there) == 0 ? "that folder takes no new files; save elsewhere"
                                                       : "make the folder first";
  }
  if (error == EACCES || error == EPERM || error == EROFS) help = "save where you may write; " + help;
  throw IoError(op_, "not saved: " + inQuotes(target_.given) + ": cannot " + doing, details, help);
}

void AtomicFile::reserve(u64 bytes) {
  if (!file_) throw StateError(op_, "writing to " + inQuotes(target_.given) + " after it was committed or failed");
  if (bytes == 0 || bytes > static_cast<u64>(std::numeric_limits<off_t>::max())) return;
  reserved_ = bytes;
  const FileLimitGuard guard;
  // Not posix_fallocate, which writes the file full of zeros where the file system cannot do it.
  const int refused = uninterrupted(
      [&] { return ::fallocate(file_.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes)); });
  if (refused != 0 && (isFull(errno) || errno == EFBIG || errno == EIO)) fail("take room for it", errno);
}

void AtomicFile::write(std::string_view bytes) {
  if (!file_) throw StateError(op_, "writing to " + inQuotes(target_.given) + " after it was committed or failed");
  while (!bytes.empty()) {
    const std::size_t part = std::min(bytes.size(), bufferBytes - buffer_.size());
    buffer_.append(bytes.substr(0, part));
    bytes.remove_prefix(part);
    if (buffer_.size() == bufferBytes) flush();
  }
}

void AtomicFile::flush() {
  if (const int error = writeAll(file_.get(), buffer_, written_)) fail("write to the temporary file", error);
  if (options_.verify) crc_.update(buffer_.data(), buffer_.size());
  buffer_.clear();
}

/// The temporary file is all there and on the disk.
void AtomicFile::complete() {
  flush();
  struct stat info {};
  if (::fstat(file_.get(), &info) != 0) fail("examine the temporary file", errno);
  // What write() said it took is not believed where the size can tell.
  if (static_cast<u64>(info.st_size) != written_) fail("find in the temporary file all that was written", EIO);
  // Gives back what was reserved and not used.
  if (reserved_ > 0 && uninterrupted([&] { return ::ftruncate(file_.get(), static_cast<off_t>(written_)); }) != 0)
    fail("cut the temporary file to its size", errno);
  // A failed fsync is never tried again: the pages count as written then, and the second try "succeeds" without them.
  if (::fsync(file_.get()) != 0) fail("flush the temporary file to the disk", errno);
  if (options_.verify) verify();
  if (const int error = file_.close()) fail("close the temporary file", error);
}

void AtomicFile::verify() {
  const Descriptor again(::openat(folder_.get(), temporary_.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!again) fail("open the temporary file again", errno);
  ::posix_fadvise(again.get(), 0, 0, POSIX_FADV_DONTNEED);  // from the disk, not from memory, where that can be had
  Crc32 crc;
  u64 bytes = 0;
  buffer_.resize(bufferBytes);
  for (;;) {
    const ssize_t got = uninterrupted([&] { return ::read(again.get(), buffer_.data(), bufferBytes); });
    if (got < 0) fail("read the temporary file back", errno);
    if (got == 0) break;
    bytes += static_cast<u64>(got);
    crc.update(buffer_.data(), static_cast<std::size_t>(got));
  }
  buffer_.clear();
  if (bytes != written_ || crc.value() != crc_.value()) fail("read back from the temporary file what was written", EIO);
}

/// A second name for the present target, until the new file has its place. Returns what keeps other saves from taking
/// that name for a stale one.
Descriptor AtomicFile::linkOld() {
  for (int tries = 1;; ++tries) {
    Descriptor old = holdFile(folder_.get(), target_.name);  // before it has that name
    second_ = temporaryName(target_.name);
    if (::linkat(folder_.get(), target_.name.c_str(), folder_.get(), second_.c_str(), 0) != 0) {
      const int error = errno;
      second_.clear();
      // Nothing there yet, or hard links are refused: then there is no previous generation.
      for (const int refused : {ENOENT, EPERM, EACCES, EOPNOTSUPP, ENOSYS, EMLINK, EXDEV}) {
        if (error == refused) return {};
      }
      fail("keep the previous generation", error);
    }
    struct stat held {}, linked {};
    const bool same = old && ::fstat(old.get(), &held) == 0 &&
                      ::fstatat(folder_.get(), second_.c_str(), &linked, AT_SYMLINK_NOFOLLOW) == 0 &&
                      sameFile(held, linked);
    if (same || !old || tries == 100) return old;
    // Another save put its file there in between, which is not held; a third one may have removed the name already.
    ::unlinkat(folder_.get(), second_.c_str(), 0);
  }
}

/// Returns 0, or why `previous` is not what stood under the second name.
int AtomicFile::replacePrevious(const std::string& previous) noexcept {
  if (second_.empty()) return 0;
  const bool renamed = ::renameat(folder_.get(), second_.c_str(), folder_.get(), previous.c_str()) == 0;
  const int error = renamed || errno == ENAMETOOLONG ? 0 : errno;  // too long a name has no previous generation
  // Where both names are one file already, rename does nothing and leaves its source.
  ::unlinkat(folder_.get(), second_.c_str(), 0);
  second_.clear();
  return error;
}

void AtomicFile::commit() {
  if (!file_) throw StateError(op_, inQuotes(target_.given) + " was committed already or failed");
  // The lock on the temporary file outlives its closing, or another save might take it for a stale one.
  const Descriptor holding(::fcntl(file_.get(), F_DUPFD_CLOEXEC, 0));
  complete();
  const std::string previous = target_.name + ".prev";  // behind the rename nothing should fail for want of memory
  Descriptor old;
  if (options_.keepPrevious) old = linkOld();
  if (::renameat(folder_.get(), temporary_.c_str(), folder_.get(), target_.name.c_str()) != 0)
    fail("put the new file in its place", errno);
  temporary_.clear();
  const int notKept = replacePrevious(previous);
  const bool durable = ::fsync(folder_.get()) == 0 || errno == EINVAL;  // EINVAL: a file system that has no such call
  const int error = errno;
  discard();
  if (notKept != 0) try {
      warnOnce(std::string(op_) + ": " + inQuotes(target_.given) + " is saved, but " + inQuotes(previous) +
               " beside it is not the generation before: it cannot be replaced: " + errnoText(notKept));
    } catch (const std::bad_alloc&) {  // saved it is
    }
  if (!durable) {
    throw NotDurable(
        op_, "saved, but " + inQuotes(target_.given) + " may not survive a loss of power: its folder cannot be flushed",
        {{"cause", errnoText(error)}}, "check the disk");
  }
}

void checkCanSave(const std::string& path, const char* op) { AtomicFile(path, op, {.tidy = false}); }

}  // namespace ember::io
