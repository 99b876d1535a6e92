#include "CheckpointText.h"

using namespace ember;
using namespace ember::io;
using namespace ember::test;

TEST_CASE("shapes are lists of integers, 0 or more (J15, J16)") {
  const std::string text = written(small());
  for (const char* bad :
       {"-1", "2.7", "true", "18446744073709551616", "18446744073709551615", "\"3\"", "null", "[3]", "1e2"}) {
    const std::string message = readError(replaced(text, "[3, 2]", std::string("[3, ") + bad + "]"));
    CHECK(contains(message, "tensor \"weight\": its shape has the size "));
  }
  CHECK(contains(readError(replaced(text, "[3, 2]", "6")), "\"shape\" is 6, expected an array"));
  CHECK(contains(readError(replaced(text, "[3, 2]", "[1,1,1,1,1,1,1,3,2]")), "has 9 axes"));
  CHECK(contains(readError(replaced(text, "[3, 2]", "[9007199254740991, 9007199254740991]")), "overflows"));
  CHECK(contains(readError(replaced(text, "[3, 2]", "[4611686018427387904]")), "its shape has the size"));
  CHECK(contains(readError(replaced(text, "[3, 2]", "[2305843009213693, 1024]")), "overflows"));
}

TEST_CASE("entries of the tensor list are checked field by field") {
  const std::string text = written(small());
  const auto error = [&](std::string_view from, std::string_view to) { return readError(replaced(text, from, to)); };
  CHECK(contains(error("\"name\": \"weight\"", "\"name\": 3"), "the name in entry 0 of \"tensors\" is an integer"));
  CHECK(contains(error("\"name\": \"weight\", ", ""), "entry 0 of \"tensors\" has no \"name\""));
  CHECK(contains(error("\"role\": \"param\", ", ""), "tensor \"weight\": it has no \"role\""));
  CHECK(contains(error("\"dtype\": \"f32\"", "\"dtype\": \"f16\""), "has the unknown dtype \"f16\""));
  CHECK(contains(error("\"dtype\": \"f32\"", "\"encoding\": \"zip\", \"dtype\": \"f32\""),
                 "has the unknown encoding \"zip\""));
  CHECK(contains(error("\"bytes\": 24", "\"bytes\": 25"), "\"bytes\" is 25"));
  CHECK(
      readText(replaced(text, "\"dtype\": \"f32\"", "\"note\": [1, {\"a\": 2}], \"dtype\": \"f32\"")).tensors.size() ==
      3);  // unknown: ignored
}

TEST_CASE("a small file that claims a large tensor is refused before anything is allocated (J27)") {
  const std::string text = written(small());
  const std::string claim =
      replaced(replaced(text, "[3, 2]", "[1000000000000]"), "\"bytes\": 24", "\"bytes\": 4000000000000");
  CHECK(contains(readError(claim), "tensor \"weight\" cannot be in this file"));
  CHECK(contains(readError(replaced(claim, "\"dtype\": \"f32\"", "\"encoding\": \"decimal\", \"dtype\": \"f32\"")),
                 "cannot be in this file"));
}

TEST_CASE("names that could not be saved are not read either, and are escaped in the message (J30)") {
  const std::string text = written(small());
  for (const char* bad : {"", "\\u0000", "a\\nb", "\\u001b[31m", "..", ".a", "a."}) {
    const std::string message =
        readError(replaced(text, "\"name\": \"weight\"", std::string("\"name\": \"") + bad + "\""));
    CHECK(contains(message, "the tensor name "));
    CHECK(message.find('\x1b') == message.npos);
  }
  CHECK(contains(readError(replaced(text, "\"name\": \"weight\"", "\"name\": \"" + std::string(1025, 'a') + "\"")),
                 "has 1025 bytes"));
}

TEST_CASE("check sums are required (J20)") {
  const std::string text = written(small());
  const auto at = text.find("\"crc32\": \"") + 10;
  const std::string crc = text.substr(at, 8);
  CHECK(contains(readError(replaced(text, ", \"crc32\": \"" + crc + "\"", "")),
                 "tensor \"weight\": it has no \"crc32\""));
  CHECK(contains(readError(replaced(text, "\"" + crc + "\"", "\"" + crc.substr(1) + "\"")),
                 "expected eight hexadecimal digits"));
  CHECK(contains(readError(replaced(text, "\"" + crc + "\"", "17")), "\"crc32\" is 17, expected a string"));
}
