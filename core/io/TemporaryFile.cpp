#include <ember/core/io/TemporaryFile.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <ctime>
#include <memory>

namespace ember::io {
namespace {

constexpr std::string_view ending = ".tmp";
constexpr int readOnly = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

std::string beginningOf(const std::string& name) {
  constexpr std::size_t longest = 150;  // file names end at 255 bytes
  return "." + name.substr(0, longest) + ".";
}

/// Three numbers with dots between them.
bool isMiddle(std::string_view text) {
  int dots = 0;
  char before = '.';
  for (const char c : text) {
    if (c != '.' && (c < '0' || c > '9')) return false;
    if (c == '.' && before == '.') return false;
    dots += c == '.';
    before = c;
  }
  return dots == 2 && before != '.';
}

bool lock(int fd, int kind) {
  return uninterrupted([&] { return ::flock(fd, kind | LOCK_NB); }) == 0;
}
/// Holds the file, as several may at once, unless somebody is about to remove it: EWOULDBLOCK alone says so. Other
/// errors: there are no such locks here.
bool hold(int fd) { return lock(fd, LOCK_SH); }
/// Whether nobody holds the file; then nobody can until it is closed.
bool isFree(int fd) { return lock(fd, LOCK_EX); }

}  // namespace

std::string temporaryName(const std::string& name) {
  static std::atomic<u64> count{0};
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);  // spreads the names; O_EXCL decides
  return beginningOf(name) + std::to_string(::getpid()) + "." + std::to_string(now.tv_nsec) + "." +
         std::to_string(count.fetch_add(1)).append(ending);
}

Descriptor makeTemporary(int folder, const std::string& name, std::string& temporary) {
  for (;;) {
    temporary = temporaryName(name);
    Descriptor fd(::openat(folder, temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (!fd) {
      if (errno == EEXIST || errno == EINTR) continue;
      temporary.clear();
      return fd;
    }
    // Another save may have taken it for a stale one before it was held here: then it is gone, or about to go.
    const bool taken = !hold(fd.get()) && errno == EWOULDBLOCK;
    struct stat info {};
    const bool gone = !taken && ::fstat(fd.get(), &info) == 0 && info.st_nlink == 0;
    if (!taken && !gone) return fd;
    ::unlinkat(folder, temporary.c_str(), 0);
  }
}

Descriptor holdFile(int folder, const std::string& name) {
  Descriptor fd(uninterrupted([&] { return ::openat(folder, name.c_str(), readOnly); }));
  constexpr timespec pause{0, 1'000'000};
  for (int pauses = 0; fd && !hold(fd.get()) && errno == EWOULDBLOCK && pauses < 1000; ++pauses)
    ::nanosleep(&pause, nullptr);
  return fd;
}

std::vector<std::string> temporariesOf(int folder, const std::string& name) {
  std::vector<std::string> names;
  const int again = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (again < 0) return names;
  struct Closed {
    void operator()(DIR* entries) const noexcept { ::closedir(entries); }
  };
  const std::unique_ptr<DIR, Closed> entries(::fdopendir(again));
  if (!entries) {
    ::close(again);
    return names;
  }
  const std::string beginning = beginningOf(name);
  while (const dirent* entry = ::readdir(entries.get())) {
    const std::string_view found = entry->d_name;
    if (found.size() >= beginning.size() + ending.size() && found.starts_with(beginning) && found.ends_with(ending) &&
        isMiddle(found.substr(beginning.size(), found.size() - beginning.size() - ending.size())))
      names.emplace_back(found);
  }
  return names;
}

void removeStaleTemporaries(int folder, const std::string& name) {
  for (const std::string& found : temporariesOf(folder, name)) {
    const Descriptor fd(::openat(folder, found.c_str(), readOnly));
    struct stat info {};
    if (fd && ::fstat(fd.get(), &info) == 0 && S_ISREG(info.st_mode) && isFree(fd.get()))
      ::unlinkat(folder, found.c_str(), 0);
  }
}

}  // namespace ember::io
