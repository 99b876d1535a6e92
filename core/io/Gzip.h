#pragma once
#include <array>
#include <memory>
#include <string>

#include <ember/core/io/ByteSource.h>

namespace ember::io {

/// The content of a gzip file: one or more members, one after the other. Throws IoError ("incomplete download?") on a
/// cut file, a wrong check sum or length, and on anything behind the last member.
class GzipSource final : public ByteSource {
 public:
  GzipSource(std::unique_ptr<ByteSource> compressed, const char* op);
  ~GzipSource() override;
  std::size_t read(void* to, std::size_t count) override;
  u64 atMost() const noexcept override;

 private:
  struct Inflater;
  bool refill();
  [[noreturn]] void fail(const std::string& what) const;

  std::unique_ptr<ByteSource> compressed_;
  const char* op_;
  std::unique_ptr<Inflater> inflater_;
  bool betweenMembers_ = false;
  bool ended_ = false;
};

/// Opens a file, unpacked if its first bytes say gzip, whatever its name says.
std::unique_ptr<ByteSource> openUnpacked(const std::string& path, const char* op);
/// The same for bytes from anywhere.
std::unique_ptr<ByteSource> unpacked(std::unique_ptr<RewindableSource> source, const char* op);

}  // namespace ember::io
