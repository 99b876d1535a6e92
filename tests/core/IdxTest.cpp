#include <doctest/doctest.h>

#include <ember/core/Error.h>
#include <ember/core/io/Gzip.h>
#include <ember/core/io/Idx.h>

#include "support/Gzip.h"
#include "support/Headline.h"
#include "support/TempFolder.h"

using namespace ember;
using namespace ember::io;
using namespace ember::test;

namespace {

std::string idx(u8 type, const std::vector<u32>& sizes, const std::string& elements) {
  std::string file{'\0', '\0', static_cast<char>(type), static_cast<char>(sizes.size())};
  for (const u32 size : sizes) {
    for (int shift = 24; shift >= 0; shift -= 8) file += static_cast<char>(size >> shift & 255);
  }
  return file + elements;
}

core::NDArray read(const std::string& bytes) {
  MemorySource source(bytes, "file");
  return readIdx(source);
}

std::string readError(const std::string& bytes) {
  return messageOf<IoError>([&] { read(bytes); });
}

/// Counts what is taken from it.
class Counted final : public ByteSource {
 public:
  Counted(const std::string& bytes, std::size_t& taken) : ByteSource("file"), source_(bytes), taken_(taken) {}
  std::size_t read(void* to, std::size_t count) override {
    const std::size_t got = source_.read(to, count);
    taken_ += got;
    return got;
  }
  u64 atMost() const noexcept override { return source_.atMost(); }

 private:
  MemorySource source_;
  std::size_t& taken_;
};

const std::string images = idx(8, {2, 2, 3}, "abcdefghijkl");
const std::string labels = idx(8, {2}, std::string("\x09\x00", 2));

}  // namespace

TEST_CASE("idx: every element type, big-endian in the file") {
  CHECK((read(images).shape() == Shape{2, 2, 3}));
  CHECK(read(images).data<u8>()[11] == 'l');
  CHECK(read(idx(9, {2}, "\xff\x7f")).toVector<i32>() == std::vector<i32>{-1, 127});
  const core::NDArray shorts = read(idx(0x0b, {3}, std::string("\xff\xfe\x01\x02\x80\x00", 6)));
  CHECK(shorts.dtype() == DType::I32);
  CHECK(shorts.toVector<i32>() == std::vector<i32>{-2, 258, -32768});
  CHECK(read(idx(0x0c, {2}, std::string("\x00\x00\x01\x00\xff\xff\xff\xff", 8))).toVector<i32>() ==
        std::vector<i32>{256, -1});
  CHECK(read(idx(0x0d, {1}, std::string("\x3f\xc0\x00\x00", 4))).toVector<float>() == std::vector<float>{1.5f});
  CHECK(read(idx(0x0e, {1, 1}, std::string("\xbf\xf8\x00\x00\x00\x00\x00\x00", 8))).toVector<double>() ==
        std::vector<double>{-1.5});
}

TEST_CASE("idx: gzip is read transparently, whatever the name (I1, I2)") {
  const TempFolder folder;
  writeFile(folder / "a", gzip(images));
  writeFile(folder / "b.gz", images);
  CHECK(readIdx(folder / "a").toVector<i32>() == readIdx(folder / "b.gz").toVector<i32>());
  writeFile(folder / "labels.gz", labels);
  const IdxPair pair = readIdxPair(folder / "a", folder / "labels.gz");
  CHECK(pair.images.toVector<i32>() == readIdx(folder / "a").toVector<i32>());
  CHECK(pair.labels.toVector<i32>() == std::vector<i32>{9, 0});
}

TEST_CASE("idx: other files, unknown types and impossible ranks are refused with their bytes (I3)") {
  CHECK(contains(readError("\x89PNG...."), "\"file\" is no IDX file"));
  CHECK(contains(readError("\x89PNG...."), "89 50 4e 47"));
  for (const std::size_t byte : {0u, 1u}) {
    std::string magic = images;
    magic[byte] = '\1';
    CHECK(contains(readError(magic), "the first two bytes are not zero"));
    CHECK(contains(readError(magic), byte == 0 ? "01 00 08 03" : "00 01 08 03"));
  }
  CHECK(contains(readError(idx(0x0a, {1}, "a")), "element type is unknown"));
  CHECK(contains(readError(idx(0x0a, {1}, "a")), "00 00 0a 01"));
  CHECK(contains(readError(idx(8, {}, "a")), "has 0 axes"));
  CHECK(contains(readError(idx(8, {}, "a")), "00 00 08 00"));
  std::string rank255 = idx(8, {1}, "a");
  rank255[3] = '\xff';
  CHECK(contains(readError(rank255), "has 255 axes"));
  CHECK(contains(readError(rank255), "00 00 08 ff"));
}

TEST_CASE("idx: an empty or cut header is refused (I5)") {
  CHECK(contains(readError(""), "is empty (0 bytes)"));
  for (std::size_t length = 1; length < 16; ++length)
    CHECK(contains(readError(images.substr(0, length)), "is cut off in its header"));
  const TempFolder folder;
  writeFile(folder / "packed", gzip(images.substr(0, 15)));
  CHECK(contains(messageOf<IoError>([&] { readIdx(folder / "packed"); }), "is cut off in its header"));
}

TEST_CASE("idx: fewer or more bytes than the sizes say are refused (I6)") {
  for (std::size_t length = 16; length < images.size(); ++length) {
    CHECK(contains(readError(images.substr(0, length)), "need 12 bytes, it has " + std::to_string(length - 16)));
  }
  CHECK(contains(readError(images + "m"), "more bytes than its sizes [2, 2, 3] say: expected 12 bytes, found at least 13 bytes"));
  const TempFolder folder;
  writeFile(folder / "short", gzip(images.substr(0, 20)));
  writeFile(folder / "long", gzip(images + "m"));
  CHECK(contains(messageOf<IoError>([&] { readIdx(folder / "short"); }), "need 12 bytes, it has 4 bytes"));
  CHECK(contains(messageOf<IoError>([&] { readIdx(folder / "long"); }), "expected 12 bytes, found at least 13 bytes"));
}

TEST_CASE("idx: no elements is an empty dataset; sizes that overflow are refused before anything is allocated (I8)") {
  CHECK(contains(readError(idx(8, {0, 28, 28}, "")), "empty dataset"));
  CHECK(contains(readError(idx(8, {0xffffffff, 0xffffffff, 0xffffffff}, "")), "overflow"));
  CHECK(contains(readError(idx(8, {0xffffffff, 0xffff}, "abc")), "it has 3 bytes"));
  const TempFolder folder;
  writeFile(folder / "bomb", gzip(idx(8, {0xffffffff, 0xffff}, "abc")));  // no 100 bytes unpack to 281 terabytes
  CHECK(contains(messageOf<IoError>([&] { readIdx(folder / "bomb"); }), "need 281,470,681,677,825 bytes"));
}

TEST_CASE("idx: damaged gzip is an incomplete download (I10)") {
  const TempFolder folder;
  const std::string packed = gzip(images);
  writeFile(folder / "cut", packed.substr(0, packed.size() - 4));
  CHECK(contains(messageOf<IoError>([&] { readIdx(folder / "cut"); }), "incomplete download?"));
  std::string wrong = packed;
  wrong[wrong.size() - 6] ^= 1;
  writeFile(folder / "crc", wrong);
  CHECK(contains(messageOf<IoError>([&] { readIdx(folder / "crc"); }), "damaged"));
  CHECK(contains(messageOf<IoError>([&] { readIdx(folder / "crc"); }), "incomplete download?"));
}

TEST_CASE("idx: gzip that goes on behind the declared elements is left at them; members are one file, junk none (I11)") {
  std::size_t taken = 0;
  const std::string bomb = gzip(images + std::string(std::size_t{1} << 27, '\0'));
  REQUIRE(bomb.size() > 100'000);
  GzipSource packed(std::make_unique<Counted>(bomb, taken), "idx");
  CHECK(contains(messageOf<IoError>([&] { readIdx(packed); }), "expected 12 bytes, found at least 13 bytes"));
  CHECK(taken <= 1 << 16);  // one buffer of the packed bytes

  const TempFolder folder;
  writeFile(folder / "members", gzip(images.substr(0, 9)) + gzip("") + gzip(images.substr(9)));
  CHECK(readIdx(folder / "members").toVector<i32>() == read(images).toVector<i32>());
  writeFile(folder / "junk", gzip(images) + "x");
  CHECK(contains(messageOf<IoError>([&] { readIdx(folder / "junk"); }), "something else behind the end"));
}

TEST_CASE("idx pairs: swapped files, different counts and labels out of range are refused (I4, I7, I9)") {
  const TempFolder folder;
  writeFile(folder / "images", images);
  writeFile(folder / "labels", labels);
  writeFile(folder / "three", idx(8, {3}, std::string("\x01\x02\x03", 3)));
  writeFile(folder / "eleven", idx(8, {2}, std::string("\x01\x0b", 2)));
  const auto pair = readIdxPair(folder / "images", folder / "labels");
  CHECK(pair.labels.toVector<i32>() == std::vector<i32>{9, 0});
  const auto error = [&](const char* a, const char* b, int classes = 10) {
    return messageOf<IoError>([&] { readIdxPair(folder / a, folder / b, classes); });
  };
  CHECK(contains(error("labels", "images"), "is a label file, not an image file"));
  CHECK(contains(error("images", "images"), "is an image file, not a label file"));
  CHECK(contains(error("images", "three"), "2 images and 3 labels"));
  CHECK(contains(error("images", "eleven"), "label 1 is 11, expected 0 to 9"));
  CHECK(contains(error("images", "labels", 9), "label 0 is 9, expected 0 to 8"));
}

TEST_CASE("idx: both spellings of the names are found, else all that was tried is listed (I12)") {
  const TempFolder folder;
  const std::string message = messageOf<IoError>([&] { findIdx(folder.path(), "train-images", 3); });
  CHECK(contains(
      message,
      "train-images-idx3-ubyte, train-images-idx3-ubyte.gz, train-images.idx3-ubyte, train-images.idx3-ubyte.gz"));
  writeFile(folder / "train-images.idx3-ubyte", images);
  CHECK(findIdx(folder.path(), "train-images", 3) == folder / "train-images.idx3-ubyte");
  writeFile(folder / "train-images-idx3-ubyte.gz", gzip(images));
  CHECK(findIdx(folder.path(), "train-images", 3) == folder / "train-images-idx3-ubyte.gz");
}
