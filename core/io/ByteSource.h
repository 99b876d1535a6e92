#pragma once
#include <memory>
#include <string>
#include <string_view>

#include <ember/core/DType.h>

namespace ember::io {

/// Where bytes come from, in order. Not for several threads at once.
class ByteSource {
 public:
  explicit ByteSource(std::string name) : name_(std::move(name)) {}
  virtual ~ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  /// Reads up to `count` bytes, at least one unless the end is reached (0). Throws IoError.
  virtual std::size_t read(void* to, std::size_t count) = 0;
  /// Reads until `count` bytes or the end; returns how many.
  std::size_t readFully(void* to, std::size_t count);
  /// No more bytes than this can come, whatever a header claims.
  virtual u64 atMost() const noexcept { return ~u64{0}; }
  /// Path of the file, for messages.
  const std::string& name() const noexcept { return name_; }

 private:
  std::string name_;
};

/// A source of known size that can start again.
class RewindableSource : public ByteSource {
 public:
  using ByteSource::ByteSource;
  virtual u64 size() const noexcept = 0;
  u64 atMost() const noexcept override { return size(); }
  virtual void rewind() = 0;
  /// Throws IoError if the bytes were replaced or changed in length since the source was opened.
  virtual void checkUnchanged() const = 0;
};

/// A regular file, held by one descriptor from open to end. `op` ("load") opens every message.
class FileSource final : public RewindableSource {
 public:
  /// Throws IoError with path and reason: missing, unreadable, or no regular file (a directory, FIFO or device).
  FileSource(const std::string& path, const char* op);
  ~FileSource() override;
  std::size_t read(void* to, std::size_t count) override;
  u64 size() const noexcept override { return size_; }
  void rewind() override;
  void checkUnchanged() const override;

 private:
  const char* op_;
  int fd_ = -1;
  u64 size_ = 0;
  i64 modifiedSeconds_ = 0, modifiedNanoseconds_ = 0;
};

/// Bytes in memory that outlive the source.
class MemorySource final : public RewindableSource {
 public:
  explicit MemorySource(std::string_view bytes, std::string name = "memory")
      : RewindableSource(std::move(name)), bytes_(bytes) {}
  std::size_t read(void* to, std::size_t count) override;
  u64 size() const noexcept override { return bytes_.size(); }
  void rewind() override { position_ = 0; }
  void checkUnchanged() const override {}

 private:
  std::string_view bytes_;
  std::size_t position_ = 0;
};

}  // namespace ember::io
