#include <ember/core/io/ByteSource.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <ember/core/Error.h>
#include <ember/core/io/Text.h>

namespace ember::io {
namespace {

const char* fileKind(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

}  // namespace

std::size_t ByteSource::readFully(void* to, std::size_t count) {
  std::size_t done = 0;
  while (done < count) {
    const std::size_t got = read(static_cast<char*>(to) + done, count - done);
    if (got == 0) break;
    done += got;
  }
  return done;
}

FileSource::FileSource(const std::string& path, const char* op) : RewindableSource(path), op_(op) {
  // A path with a NUL inside would open another file than the one named.
  if (path.empty() || path.find('\0') != path.npos) throw IoError(op, "not a path: " + inQuotes(path));
  // O_NONBLOCK: opening a FIFO must not wait for a writer; it has no effect on regular files.
  do fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  while (fd_ < 0 && errno == EINTR);
  if (fd_ < 0) {
    const int error = errno;
    throw IoError(op, "cannot open " + inQuotes(path) + ": " + errnoText(error), {},
                  error == ENOENT ? "check the path; it is relative to the directory the program runs in" : "");
  }
  struct stat info {};
  const bool known = ::fstat(fd_, &info) == 0;
  const int error = errno;
  if (!known || !S_ISREG(info.st_mode)) {
    ::close(fd_);
    fd_ = -1;
    if (!known) throw IoError(op, "cannot examine " + inQuotes(path) + ": " + errnoText(error));
    throw IoError(op, inQuotes(path) + " is " + fileKind(info.st_mode) + ", not a regular file");
  }
  size_ = static_cast<u64>(info.st_size);
  modifiedSeconds_ = info.st_mtim.tv_sec;
  modifiedNanoseconds_ = info.st_mtim.tv_nsec;
}

FileSource::~FileSource() {
  if (fd_ >= 0) ::close(fd_);
}

std::size_t FileSource::read(void* to, std::size_t count) {
  for (;;) {
    const ssize_t got = ::read(fd_, to, count);
    if (got >= 0) return static_cast<std::size_t>(got);
    const int error = errno;
    if (error != EINTR) throw IoError(op_, "cannot read " + inQuotes(name()) + ": " + errnoText(error));
  }
}

void FileSource::rewind() {
  if (::lseek(fd_, 0, SEEK_SET) != 0) {
    const int error = errno;
    throw IoError(op_, "cannot read " + inQuotes(name()) + " again: " + errnoText(error));
  }
}

void FileSource::checkUnchanged() const {
  struct stat info {};
  if (::fstat(fd_, &info) == 0 && static_cast<u64>(info.st_size) == size_ && info.st_mtim.tv_sec == modifiedSeconds_ &&
      info.st_mtim.tv_nsec == modifiedNanoseconds_) {
    return;
  }
  throw IoError(op_, inQuotes(name()) + " was changed while it was read",
                {{"was", bytesText(size_)}, {"is", bytesText(static_cast<u64>(info.st_size))}},
                "nothing was taken from it; try again when nobody writes it");
}

std::size_t MemorySource::read(void* to, std::size_t count) {
  const std::size_t got = std::min(count, bytes_.size() - position_);
  std::copy_n(bytes_.data() + position_, got, static_cast<char*>(to));
  position_ += got;
  return got;
}

}  // namespace ember::io
