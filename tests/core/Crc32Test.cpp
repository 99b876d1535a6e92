#include <doctest/doctest.h>

#include <ember/core/io/Crc32.h>

using namespace ember;
using namespace ember::io;

TEST_CASE("crc32 of the usual check string, in one piece and in many") {
  const std::string_view text = "123456789";
  Crc32 whole, pieces;
  whole.update(text.data(), text.size());
  for (const char c : text) pieces.update(&c, 1);
  CHECK(whole.value() == 0xcbf43926u);  // the check value of CRC-32/ISO-HDLC
  CHECK(pieces.value() == whole.value());
  CHECK(Crc32().value() == 0);
}

TEST_CASE("crc32 text is eight digits and nothing else is read") {
  CHECK(crcText(0x1a2b) == "00001a2b");
  CHECK(parseCrc("00001a2b") == 0x1a2bu);
  CHECK(parseCrc("FFFFFFFF") == 0xffffffffu);
  for (const char* bad : {"", "1a2b", "00001a2", "000001a2b", "0x001a2b", "-0001a2b", "0000 a2b", "0000 1a2g"})
    CHECK_FALSE(parseCrc(bad));
}
