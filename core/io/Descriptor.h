#pragma once
#include <sys/stat.h>

#include <csignal>
#include <string_view>
#include <utility>

#include <cerrno>

#include <ember/core/DType.h>

namespace ember::io {

/// A file descriptor, closed once.
class Descriptor final {
 public:
  Descriptor() noexcept = default;
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  explicit operator bool() const noexcept { return fd_ >= 0; }
  int get() const noexcept { return fd_; }
  /// 0, or the errno value of the failure; closed it is in any case.
  int close() noexcept;

 private:
  int fd_ = -1;
};

/// The result of a system call that is repeated for as long as a signal interrupts it.
template <class Call>
auto uninterrupted(Call&& call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

inline bool sameFile(const struct stat& a, const struct stat& b) noexcept {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/// While it lives, a file that grows beyond the limit of the process (RLIMIT_FSIZE) gives EFBIG to the calls of this
/// thread: the signal SIGXFSZ, which would end the process, is kept from it. What the program set for that signal
/// stays set.
class FileLimitGuard final {
 public:
  FileLimitGuard() noexcept;
  ~FileLimitGuard();
  FileLimitGuard(const FileLimitGuard&) = delete;
  FileLimitGuard& operator=(const FileLimitGuard&) = delete;

 private:
  bool limited_ = false, pendingBefore_ = false;
  sigset_t mask_;
};

/// Writes all of `bytes`, in as many calls as it takes, and adds to `written`. Returns 0, or an errno value.
int writeAll(int fd, std::string_view bytes, u64& written) noexcept;

}  // namespace ember::io
