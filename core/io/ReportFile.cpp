#include <ember/core/io/ReportFile.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>

#include <ember/core/io/Text.h>

namespace ember::io {
namespace {

/// The descriptor that a path names: 1 for /dev/stdout; -1 if it names none.
int descriptorOf(std::string_view path) {
  if (path == "/dev/stdout") return STDOUT_FILENO;
  if (path == "/dev/stderr") return STDERR_FILENO;
  for (const std::string_view folder : {"/dev/fd/", "/proc/self/fd/"}) {
    if (!path.starts_with(folder)) continue;
    int number = -1;
    const char* const end = path.data() + path.size();
    const auto parsed = std::from_chars(path.data() + folder.size(), end, number);
    if (parsed.ec == std::errc() && parsed.ptr == end) return number;
  }
  return -1;
}

bool isStream(const std::string& path) {
  struct stat info {};
  return path.find('\0') == path.npos && ::stat(path.c_str(), &info) == 0 &&
         (S_ISFIFO(info.st_mode) || S_ISCHR(info.st_mode));
}

[[noreturn]] void fail(const std::string& path, const char* op, int error) {
  throw IoError(op, "cannot write to " + inQuotes(path), {{"cause", errnoText(error)}}, "name another file");
}

}  // namespace

ReportFile::ReportFile(const std::string& path, const char* op) : path_(path), op_(op) {
  if (const int descriptor = descriptorOf(path); descriptor >= 0) {
    // What was printed before stands before.
    std::fflush(stdout);
    stream_ = Descriptor(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
  } else if (isStream(path)) {
    stream_ = Descriptor(uninterrupted([&] { return ::open(path.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC); }));
  } else {
    file_.emplace(path, op, AtomicFileOptions{.keepPrevious = false});
    return;
  }
  if (!stream_) fail(path, op, errno);
}

void ReportFile::write(std::string_view bytes) {
  if (file_) return file_->write(bytes);
  if (!stream_) throw StateError(op_, "writing to " + inQuotes(path_) + " after it was committed or failed");
  u64 written = 0;
  if (const int error = writeAll(stream_.get(), bytes, written)) {
    stream_.close();
    fail(path_, op_, error);
  }
}

void ReportFile::commit() {
  if (file_) return file_->commit();
  if (!stream_) throw StateError(op_, inQuotes(path_) + " was committed already or failed");
  if (const int error = stream_.close()) fail(path_, op_, error);
}

void checkCanReport(const std::string& path, const char* op) {
  const int descriptor = descriptorOf(path);
  if (descriptor < 0 && !isStream(path)) return checkCanSave(path, op);
  const int flags = descriptor < 0 ? O_WRONLY : ::fcntl(descriptor, F_GETFL);
  if (flags < 0) fail(path, op, errno);
  if (descriptor >= 0 && (flags & O_ACCMODE) == O_RDONLY) fail(path, op, EBADF);
  if (descriptor < 0 && ::access(path.c_str(), W_OK) != 0) fail(path, op, errno);
}

}  // namespace ember::io
