#include <ember/core/io/Gzip.h>

#include <zlib.h>

#include <algorithm>

#include <ember/core/Error.h>
#include <ember/core/io/Text.h>

namespace ember::io {

struct GzipSource::Inflater {
  z_stream stream{};
  std::array<u8, 1 << 16> input;

  Inflater() {
    // 15 + 16: the largest window, gzip wrapping only.
    if (inflateInit2(&stream, 15 + 16) != Z_OK) throw OutOfMemory("gzip", "no memory to unpack with");
  }
  ~Inflater() { inflateEnd(&stream); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
};

GzipSource::GzipSource(std::unique_ptr<ByteSource> compressed, const char* op)
    : ByteSource(compressed->name()),
      compressed_(std::move(compressed)),
      op_(op),
      inflater_(std::make_unique<Inflater>()) {}

GzipSource::~GzipSource() = default;

u64 GzipSource::atMost() const noexcept {
  // Deflate packs at most 258 bytes into 2 bits (zlib's technical notes: 1032 to 1).
  const u64 packed = compressed_->atMost();
  constexpr u64 ratio = 1032;
  return packed > ~u64{0} / ratio ? ~u64{0} : packed * ratio;
}

bool GzipSource::refill() {
  z_stream& stream = inflater_->stream;
  if (stream.avail_in > 0) return true;
  stream.next_in = inflater_->input.data();
  stream.avail_in = static_cast<uInt>(compressed_->read(inflater_->input.data(), inflater_->input.size()));
  return stream.avail_in > 0;
}

void GzipSource::fail(const std::string& what) const {
  throw IoError(op_, inQuotes(name()) + ": " + what,
                {{"unpacked", bytesText(inflater_->stream.total_out) + " of this member so far"}},
                "incomplete download? Fetch the file again");
}

std::size_t GzipSource::read(void* to, std::size_t count) {
  if (count == 0 || ended_) return 0;
  z_stream& stream = inflater_->stream;
  stream.next_out = static_cast<Bytef*>(to);
  const auto room = static_cast<uInt>(std::min<std::size_t>(count, std::size_t{1} << 30));
  stream.avail_out = room;
  while (stream.avail_out == room) {
    if (!refill()) {
      if (betweenMembers_) {
        ended_ = true;
        return 0;
      }
      fail("the gzip data is cut off");
    }
    if (betweenMembers_) {
      if (*stream.next_in != 0x1f) fail("there is something else behind the end of the gzip data");
      inflateReset(&stream);
      betweenMembers_ = false;
    }
    const int status = inflate(&stream, Z_NO_FLUSH);
    if (status == Z_STREAM_END) {
      betweenMembers_ = true;
    } else if (status == Z_MEM_ERROR) {
      throw OutOfMemory("gzip", "no memory to unpack with");
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      fail(std::string("the gzip data is damaged (") + (stream.msg ? stream.msg : "no gzip data") + ")");
    }
  }
  return room - stream.avail_out;
}

std::unique_ptr<ByteSource> unpacked(std::unique_ptr<RewindableSource> source, const char* op) {
  u8 magic[2] = {};
  const bool gzip = source->readFully(magic, 2) == 2 && magic[0] == 0x1f && magic[1] == 0x8b;
  source->rewind();
  if (!gzip) return source;
  return std::make_unique<GzipSource>(std::move(source), op);
}

std::unique_ptr<ByteSource> openUnpacked(const std::string& path, const char* op) {
  return unpacked(std::make_unique<FileSource>(path, op), op);
}

}  // namespace ember::io
