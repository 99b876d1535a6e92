#include <doctest/doctest.h>

#include <zlib.h>

#include <ember/core/Error.h>
#include <ember/core/io/Gzip.h>

#include "support/Gzip.h"
#include "support/Headline.h"
#include "support/TempFolder.h"

using namespace ember;
using namespace ember::io;
using namespace ember::test;

namespace {

std::string unpack(const std::string& packed) {
  GzipSource source(std::make_unique<MemorySource>(packed, "file"), "gzip");
  std::string all;
  char part[1000];
  while (const std::size_t got = source.read(part, sizeof part)) all.append(part, got);
  return all;
}

std::string unpackError(const std::string& packed) {
  return messageOf<IoError>([&] { unpack(packed); });
}

std::string someText() {
  std::string text;
  for (int i = 0; i < 40'000; ++i) text += std::to_string(i * 7919 % 10'007);
  return text;
}

}  // namespace

TEST_CASE("gzip: content comes back, over many buffers and for no content at all") {
  CHECK(unpack(gzip(someText())) == someText());
  CHECK(unpack(gzip("")) == "");
}

TEST_CASE("gzip: members one behind the other are one content (I11)") {
  CHECK(unpack(gzip("first ") + gzip("") + gzip("second")) == "first second");
}

TEST_CASE("gzip: a file cut anywhere is refused (I10)") {
  const std::string packed = gzip("some text, some text, some other text");
  for (std::size_t length = 1; length < packed.size(); ++length) {
    const std::string message = unpackError(packed.substr(0, length));
    CHECK(contains(message, "is cut off"));
    CHECK(contains(message, "incomplete download?"));
  }
}

TEST_CASE("gzip: wrong check sum, wrong length and damage inside are refused (I10)") {
  const std::string packed = gzip(someText());
  for (const std::size_t fromEnd : {1u, 4u, 5u, 8u}) {
    std::string wrong = packed;
    wrong[wrong.size() - fromEnd] ^= 1;
    CHECK(contains(unpackError(wrong), fromEnd <= 4 ? "incorrect length check" : "incorrect data check"));
    CHECK(contains(unpackError(wrong), "incomplete download?"));
  }
  std::string inside = packed;
  inside[inside.size() / 2] ^= 0x10;
  CHECK(contains(unpackError(inside), "damaged"));
}

TEST_CASE("gzip: anything behind the last member is refused (I11)") {
  CHECK(contains(unpackError(gzip("text") + "junk"), "something else behind the end"));
  CHECK(contains(unpackError(gzip("text") + std::string(8, '\0')), "something else behind the end"));
}

TEST_CASE("files are unpacked by content, not by name (I1, I2)") {
  const TempFolder folder;
  const auto content = [&](const std::string& path) {
    char bytes[100];
    return std::string(bytes, openUnpacked(path, "idx")->readFully(bytes, sizeof bytes));
  };
  writeFile(folder / "plain.gz", "just text");
  writeFile(folder / "packed.txt", gzip("packed text"));
  CHECK(content(folder / "plain.gz") == "just text");
  CHECK(content(folder / "packed.txt") == "packed text");
}
