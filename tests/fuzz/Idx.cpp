// The first byte says how the rest is read: bit 0, packed by gzip first, so that what lies behind the check sum is
// reached; bit 1, as a pair, cut where the second byte says. Otherwise the rest is the file, plain or gzip.
#include <memory>

#include <ember/core/Error.h>
#include <ember/core/io/Gzip.h>
#include <ember/core/io/Idx.h>

#include "fuzz/Targets.h"
#include "support/Gzip.h"

namespace ember::fuzz {
namespace {

std::unique_ptr<io::ByteSource> source(std::string_view bytes) {
  return io::unpacked(std::make_unique<io::MemorySource>(bytes), "idx");
}

/// Touches every element.
void sum(const core::NDArray& array) {
  u64 total = 0;
  for (i64 i = 0; i < array.bytes(); ++i) total += static_cast<const u8*>(array.raw())[i];
  static_cast<void>(total);
}

}  // namespace

void Idx(std::string_view bytes) {
  if (bytes.size() < 2) return;
  const int mode = bytes[0];
  std::string packed;
  try {
    if (mode & 2) {
      const std::string_view both = bytes.substr(2);
      const std::size_t cut = std::min<std::size_t>(both.size(), static_cast<u8>(bytes[1]));
      if (mode & 1) packed = test::gzip(std::string(both.substr(0, cut)));
      const auto images = source(mode & 1 ? packed : both.substr(0, cut)), labels = source(both.substr(cut));
      const io::IdxPair pair = io::readIdxPair(*images, *labels);
      require(pair.images.rank() == 3 && pair.labels.rank() == 1, "images have three axes, labels one");
      require(pair.images.size(0) == pair.labels.size(0), "there are as many labels as images");
      for (i64 i = 0; i < pair.labels.size(0); ++i) require(pair.labels.data<u8>()[i] < 10, "labels are below 10");
      sum(pair.images);
    } else {
      if (mode & 1) packed = test::gzip(std::string(bytes.substr(1)));
      const auto file = source(mode & 1 ? packed : bytes.substr(1));
      const core::NDArray array = io::readIdx(*file);
      require(array.numel() > 0, "an empty data set is refused");
      sum(array);
    }
  } catch (const IoError&) {
  }
}

}  // namespace ember::fuzz
