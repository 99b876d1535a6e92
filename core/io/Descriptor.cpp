#include <ember/core/io/Descriptor.h>

#include <sys/resource.h>
#include <unistd.h>

namespace ember::io {
namespace {

sigset_t limitSignal() noexcept {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGXFSZ);
  return set;
}

}  // namespace

int Descriptor::close() noexcept {
  if (fd_ < 0) return 0;
  const bool closed = ::close(std::exchange(fd_, -1)) == 0;
  return closed || errno == EINTR ? 0 : errno;  // after EINTR too the descriptor is gone, on Linux
}

FileLimitGuard::FileLimitGuard() noexcept {
  rlimit limit{};
  limited_ = ::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
  if (!limited_) return;
  const sigset_t set = limitSignal();
  sigset_t pending;
  pendingBefore_ = sigpending(&pending) == 0 && sigismember(&pending, SIGXFSZ) == 1;
  limited_ = pthread_sigmask(SIG_BLOCK, &set, &mask_) == 0;
}

FileLimitGuard::~FileLimitGuard() {
  if (!limited_) return;
  const int error = errno;
  const sigset_t set = limitSignal();
  const timespec now{};
  if (!pendingBefore_) uninterrupted([&] { return sigtimedwait(&set, nullptr, &now); });
  pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
  errno = error;
}

int writeAll(int fd, std::string_view bytes, u64& written) noexcept {
  const FileLimitGuard guard;
  while (!bytes.empty()) {
    const ssize_t got = uninterrupted([&] { return ::write(fd, bytes.data(), bytes.size()); });
    if (got < 0) return errno;
    if (got == 0) return EIO;
    bytes.remove_prefix(static_cast<std::size_t>(got));
    written += static_cast<u64>(got);
  }
  return 0;
}

}  // namespace ember::io
