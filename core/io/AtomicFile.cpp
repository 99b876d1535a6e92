#include <ember/core/io/AtomicFile.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <ctime>

#include <ember/core/Error.h>
#include <ember/core/io/Text.h>

namespace ember::io {
namespace {

constexpr std::size_t bufferBytes = std::size_t{1} << 18;

/// Follows symbolic links of the last part of a path, also to a file that does not exist yet.
std::string resolveLinks(const std::string& path, const char* op) {
  std::string current = path;
  for (int hops = 0; hops < 40; ++hops) {
    char target[PATH_MAX];
    const ssize_t length = ::readlink(current.c_str(), target, sizeof target);
    if (length < 0) return current;  // no link, or nothing there
    const std::string_view link(target, static_cast<std::size_t>(length));
    const auto slash = current.rfind('/');
    const bool absolute = !link.empty() && link[0] == '/';
    current = (absolute || slash == current.npos ? std::string() : current.substr(0, slash + 1)).append(link);
  }
  throw IoError(op, "cannot save " + inQuotes(path) + ": too many symbolic links");
}

/// A name that no other save uses: process, time, a count of this process.
std::string temporaryName(const std::string& name) {
  static std::atomic<u64> count{0};
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  constexpr std::size_t longest = 150;  // file names end at 255 bytes
  std::string temporary(".");
  temporary.append(name, 0, longest);
  for (const u64 part : {static_cast<u64>(::getpid()), static_cast<u64>(now.tv_nsec), count.fetch_add(1)}) {
    temporary.append(".").append(std::to_string(part));
  }
  return temporary.append(".tmp");
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path, const char* op, bool keepPrevious)
    : path_(path), op_(op), keepPrevious_(keepPrevious) {
  if (path.empty() || path.back() == '/' || path.find('\0') != path.npos)
    throw IoError(op, "not a file name: " + inQuotes(path));
  buffer_.reserve(bufferBytes);
  const std::string resolved = resolveLinks(path, op);
  const auto slash = resolved.rfind('/');
  folder_ = slash == resolved.npos ? "." : slash == 0 ? "/" : resolved.substr(0, slash);
  name_ = slash == resolved.npos ? resolved : resolved.substr(slash + 1);

  folderFd_ = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folderFd_ < 0) fail("open its folder", errno);
  struct stat old {};
  const bool exists = ::fstatat(folderFd_, name_.c_str(), &old, 0) == 0;
  if (exists && !S_ISREG(old.st_mode)) {
    discard();
    throw IoError(op_, "not saved: " + inQuotes(path_) + " exists and is no regular file");
  }
  do {
    temporary_ = temporaryName(name_);
    fd_ = ::openat(folderFd_, temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (fd_ < 0 && (errno == EEXIST || errno == EINTR));
  if (fd_ < 0) {
    const int error = errno;
    temporary_.clear();
    fail("make a temporary file beside it", error);
  }
  // The new file takes over who may read it; where that is refused it keeps what the umask gave.
  [[maybe_unused]] const int refused = exists ? ::fchmod(fd_, old.st_mode & 07777) : 0;
}

AtomicFile::~AtomicFile() { discard(); }

void AtomicFile::discard() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  if (!temporary_.empty()) ::unlinkat(folderFd_, temporary_.c_str(), 0);
  temporary_.clear();
  if (folderFd_ >= 0) ::close(folderFd_);
  folderFd_ = -1;
}

void AtomicFile::fail(const char* doing, int error) {
  Error::Details details{{"cause", errnoText(error)}};
  if (written_ > 0) details.emplace_back("written", bytesText(written_) + " so far");
  struct statvfs disk {};
  const bool full = error == ENOSPC || error == EDQUOT;
  if (full && ::statvfs(folder_.c_str(), &disk) == 0) {
    details.emplace_back("free", bytesText(static_cast<u64>(disk.f_bavail) * static_cast<u64>(disk.f_frsize)));
  }
  discard();
  std::string help = "what stood there before is untouched";
  if (full) help = "make room on the disk, or save elsewhere; " + help;
  if (error == ENOENT) help = "make the folder first";
  if (error == EACCES || error == EPERM || error == EROFS) help = "save where you may write; " + help;
  throw IoError(op_, "not saved: " + inQuotes(path_) + ": cannot " + doing, details, help);
}

void AtomicFile::write(std::string_view bytes) {
  if (fd_ < 0) throw StateError(op_, "writing to " + inQuotes(path_) + " after it was committed or failed");
  while (!bytes.empty()) {
    const std::size_t part = std::min(bytes.size(), bufferBytes - buffer_.size());
    buffer_.append(bytes.substr(0, part));
    bytes.remove_prefix(part);
    if (buffer_.size() == bufferBytes) flush();
  }
}

void AtomicFile::flush() {
  std::size_t done = 0;
  while (done < buffer_.size()) {
    const ssize_t got = ::write(fd_, buffer_.data() + done, buffer_.size() - done);
    if (got > 0) {
      done += static_cast<std::size_t>(got);
      written_ += static_cast<u64>(got);
    } else if (got == 0 || errno != EINTR) {
      fail("write to the temporary file", got == 0 ? EIO : errno);
    }
  }
  buffer_.clear();
}

void AtomicFile::keepOld() {
  const std::string second = temporaryName(name_);
  if (::linkat(folderFd_, name_.c_str(), folderFd_, second.c_str(), 0) != 0) {
    const int error = errno;
    // Nothing there yet, or a file system without hard links: then there is no previous generation.
    if (error == ENOENT || error == EPERM || error == EOPNOTSUPP || error == ENOSYS || error == EMLINK) return;
    fail("keep the previous generation", error);
  }
  const bool renamed = ::renameat(folderFd_, second.c_str(), folderFd_, (name_ + ".prev").c_str()) == 0;
  const int error = errno;
  // Where both names are the same file already (a save that was killed here), rename does nothing and leaves its
  // source.
  ::unlinkat(folderFd_, second.c_str(), 0);
  if (!renamed && error == ENAMETOOLONG) return;
  if (!renamed) fail("keep the previous generation", error);
}

void AtomicFile::commit() {
  if (fd_ < 0) throw StateError(op_, inQuotes(path_) + " was committed already or failed");
  flush();
  // A failed fsync is never tried again: the pages count as written then, and the second try "succeeds" without them.
  if (::fsync(fd_) != 0) fail("flush the temporary file to the disk", errno);
  const int closed = ::close(fd_);
  fd_ = -1;
  if (closed != 0 && errno != EINTR) fail("close the temporary file", errno);
  if (keepPrevious_) keepOld();
  if (::renameat(folderFd_, temporary_.c_str(), folderFd_, name_.c_str()) != 0)
    fail("put the new file in its place", errno);
  temporary_.clear();
  const bool durable = ::fsync(folderFd_) == 0 || errno == EINVAL;  // EINVAL: a file system that has no such call
  const int error = errno;
  discard();
  if (!durable) {
    throw IoError(op_,
                  "saved, but " + inQuotes(path_) + " may not survive a loss of power: its folder cannot be flushed",
                  {{"cause", errnoText(error)}}, "check the disk");
  }
}

void checkCanSave(const std::string& path, const char* op) { AtomicFile(path, op); }

}  // namespace ember::io
