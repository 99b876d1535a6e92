#pragma once
#include <optional>
#include <string>
#include <string_view>

#include <ember/core/io/AtomicFile.h>

namespace ember::io {

/// A file that tells of a run: a table, a drawing, a trace. It appears whole or not at all like an AtomicFile, which
/// keeps no previous one of it. A path that is no regular file is written to as it is: a FIFO (which waits for its
/// reader), a terminal, /dev/null; and /dev/stdout, /dev/stderr and /dev/fd/N are the descriptors of this process, also
/// where they lead into a file.
///
///   ReportFile file("trace.json", "Trace");
///   file.write(...);
///   file.commit();
class ReportFile final : public ByteSink {
 public:
  /// `op` opens every message; throws IoError with path, reason and what to do.
  ReportFile(const std::string& path, const char* op);
  void write(std::string_view bytes) override;
  /// Throws as AtomicFile::commit() does.
  void commit();

 private:
  std::string path_;
  const char* op_;
  std::optional<AtomicFile> file_;
  Descriptor stream_;  // of what is no regular file
};

/// Throws IoError if no report could be written to `path`; leaves no trace, and opens no FIFO.
void checkCanReport(const std::string& path, const char* op);

}  // namespace ember::io
