#include <sys/stat.h>

#include <cerrno>

#include <ember/core/Error.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/core/io/Text.h>

namespace ember::io {

void migrate(const std::string& from, const std::string& to, const CheckpointOptions& options) {
  struct stat info {};
  if (::lstat(to.c_str(), &info) == 0) {  // a symbolic link counts, wherever it leads
    throw IoError("migrate", inQuotes(to) + " exists", {},
                  "a conversion never writes over a file: give a name that is free");
  }
  if (const int error = errno; error != ENOENT)
    throw IoError("migrate", "cannot examine " + inQuotes(to) + ": " + errnoText(error));
  writeCheckpoint(to, readCheckpoint(from), options);
}

}  // namespace ember::io
