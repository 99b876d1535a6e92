#pragma once
#include <stdexcept>
#include <string>
#include <string_view>

#include <sys/mman.h>
#include <unistd.h>

namespace ember::fuzz {

/// A file that exists in memory alone, for readers that take a path. One for the whole process.
class MemoryFile {
 public:
  /// Its path, with `bytes` as its content now.
  static const std::string& of(std::string_view bytes) {
    static const MemoryFile file;
    if (::ftruncate(file.fd_, 0) != 0 ||
        ::pwrite(file.fd_, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
      throw std::runtime_error("the file in memory cannot be written");
    return file.path_;
  }

 private:
  MemoryFile() : fd_(::memfd_create("fuzz", MFD_CLOEXEC)), path_("/proc/self/fd/" + std::to_string(fd_)) {}

  int fd_;
  std::string path_;
};

}  // namespace ember::fuzz
