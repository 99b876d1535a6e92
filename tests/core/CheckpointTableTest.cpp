#include <algorithm>
#include <vector>

#include "CheckpointText.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::io;
using namespace ember::test;

TEST_CASE("shapes are lists of integers, 0 or more (J15, J16)") {
  const std::string text = written(small());
  for (const char* bad :
       {"-1", "2.7", "true", "18446744073709551616", "18446744073709551615", "\"3\"", "null", "[3]", "1e2"}) {
    const std::string message = replacedError(text, "[3, 2]", std::string("[3, ") + bad + "]");
    CHECK(contains(message, "tensor \"weight\": its shape has the size "));
  }
  CHECK(contains(replacedError(text, "[3, 2]", "6"), "\"shape\" is 6, expected an array"));
  CHECK(contains(replacedError(text, "[3, 2]", "[1,1,1,1,1,1,1,3,2]"), "has 9 axes"));
  CHECK(contains(replacedError(text, "[3, 2]", "[9007199254740991, 9007199254740991]"), "overflows"));
  CHECK(contains(replacedError(text, "[3, 2]", "[4611686018427387904]"), "its shape has the size"));
  CHECK(contains(replacedError(text, "[3, 2]", "[2305843009213693, 1024]"), "overflows"));
}

TEST_CASE("entries of the tensor list are checked field by field") {
  const std::string text = written(small());
  const auto error = [&](std::string_view from, std::string_view to) { return replacedError(text, from, to); };
  CHECK(contains(error("\"name\": \"weight\"", "\"name\": 3"), "the name in entry 0 of \"tensors\" is an integer"));
  CHECK(contains(error("\"name\": \"weight\", ", ""), "entry 0 of \"tensors\" has no \"name\""));
  CHECK(contains(error("\"role\": \"param\", ", ""), "tensor \"weight\": it has no \"role\""));
  CHECK(contains(error("\"dtype\": \"f32\"", "\"dtype\": \"f16\""), "has the unknown dtype \"f16\""));
  CHECK(contains(error("\"dtype\": \"f32\"", "\"encoding\": \"zip\", \"dtype\": \"f32\""),
                 "has the unknown encoding \"zip\""));
  CHECK(contains(error("\"bytes\": 24", "\"bytes\": 25"), "\"bytes\" is 25"));
  CHECK(contains(error("\"bytes\": 24, ", ""), "it has no \"bytes\""));
  CHECK(readText(replaced(text, "\"bytes\": 24", "\"bytes\": \"24\"")).tensors.size() == 3);
  CHECK(contains(error("\"dtype\": \"f32\", ", ""), "it has no \"dtype\""));
  CHECK(contains(error("\"shape\": [3, 2], ", ""), "it has no \"shape\""));
  CHECK(contains(error("\"dtype\": \"f32\"", "\"dtype\": 32"), "\"dtype\" is 32, expected a string"));
  CHECK(contains(error("\"role\": \"param\"", "\"role\": null"), "\"role\" is null, expected a string"));
  CHECK(contains(error("\"dtype\": \"f32\"", "\"encoding\": 3, \"dtype\": \"f32\""), "\"encoding\" is 3"));
  // An integer beyond 2^53 is kept as text; what must be a string is none for that.
  for (const char* large : {"9007199254740992", "-9007199254740992", "18446744073709551615"}) {
    CHECK(contains(error("\"name\": \"weight\"", "\"name\": " + std::string(large)),
                   "the name in entry 0 of \"tensors\" is an integer"));
    for (const char* field : {"\"role\": \"param\"", "\"dtype\": \"f32\""}) {
      const std::string key = std::string(field).substr(0, std::string(field).find(':') + 2);
      CHECK(
          contains(error(field, key + large), key.substr(0, key.size() - 2) + " is " + large + ", expected a string"));
    }
    CHECK(contains(error("\"crc32\": ", "\"crc32\": " + std::string(large) + ", \"x\": "), ", expected a string"));
    CHECK(contains(error("\"dtype\": \"f32\"", "\"encoding\": " + std::string(large) + ", \"dtype\": \"f32\""),
                   "\"encoding\" is "));
  }
  CHECK(contains(error("[3, 2], \"bytes\": 24", "[1, 1, 1, 1, 1, 1, 3, 2, 1], \"bytes\": 24"), "has 9 axes"));
  CHECK(readText(replaced(text, "[3, 2], \"bytes\": 24", "[1, 1, 1, 1, 1, 1, 3, 2], \"bytes\": 24")).tensors.size() ==
        3);
  CHECK(contains(error("\"name\": \"count\", ", ""), "entry 1 of \"tensors\" has no \"name\""));
  // Long values are cut after 80 characters.
  CHECK(contains(error("\"crc32\": ", "\"crc32\": " + std::string(16, '1') + ", \"x\": "),
                 "\"crc32\" is 1111111111111111, exp"));
  const std::string wide = "[\"" + std::string(76, 'a') + "\"]", wider = "[\"" + std::string(77, 'a') + "\"]";
  CHECK(contains(error("\"crc32\": ", "\"crc32\": " + wide + ", \"x\": "), "\"crc32\" is " + wide + ", expected"));
  CHECK(contains(error("\"crc32\": ", "\"crc32\": " + wider + ", \"x\": "),
                 "\"crc32\" is " + wider.substr(0, 77) + "..., expected"));
  CHECK(
      readText(replaced(text, "\"dtype\": \"f32\"", "\"note\": [1, {\"a\": 2}], \"dtype\": \"f32\"")).tensors.size() ==
      3);  // unknown: ignored
}

TEST_CASE("what the tensors before have declared counts (J27)") {
  const std::string text = unsummed(written(small()));
  const auto claim = [&](std::string_view shape, u64 bytes) {
    return replacedError(replaced(text, "[3, 2]", shape), "\"bytes\": 24", "\"bytes\": " + std::to_string(bytes));
  };
  const u64 size = text.size();
  // As many bytes as the file has: it may be, as far as the list goes; with the other rows it may not.
  CHECK(contains(claim("[" + std::to_string(size / 4) + "]", size / 4 * 4), "tensor \"count\" cannot be in this file"));
  CHECK(contains(claim("[" + std::to_string(size / 4 + 20) + "]", size / 4 * 4 + 80),
                 "tensor \"weight\" cannot be in this file"));
  CHECK(contains(claim("[1125899906842624, 1024]", u64{1} << 62), "tensor \"weight\" cannot be in this file"));
}

TEST_CASE("a small file that claims a large tensor is refused before anything is allocated (J27)") {
  const std::string text = written(small());
  const std::string claim =
      replaced(replaced(text, "[3, 2]", "[1000000000000]"), "\"bytes\": 24", "\"bytes\": 4000000000000");
  CHECK(contains(readError(claim), "tensor \"weight\" cannot be in this file"));
  CHECK(contains(replacedError(claim, "\"dtype\": \"f32\"", "\"encoding\": \"decimal\", \"dtype\": \"f32\""),
                 "cannot be in this file"));
}

TEST_CASE("names that could not be saved are not read either, and are escaped in the message (J30)") {
  const std::string text = written(small());
  struct Bad {
    const char *name, *escaped, *problem;
  };
  for (const Bad& bad :
       {Bad{"", "\"\"", "is empty"}, Bad{"\\u0000", "\"\\x00\"", "has a control character"},
        Bad{"a\\nb", "\"a\\x0ab\"", "has a control character"},
        Bad{"\\u001b[31m", "\"\\x1b[31m\"", "has a control character"},
        Bad{"\\u007f", "\"\\x7f\"", "has a control character"}, Bad{"..", "\"..\"", "has an empty part"},
        Bad{"a..b", "\"a..b\"", "has an empty part"}, Bad{".a", "\".a\"", "has an empty part"},
        Bad{"a.", "\"a.\"", "has an empty part"}, Bad{"../../x", "\"../../x\"", "has an empty part"}}) {
    for (const char* field : {"name", "role"}) {
      const std::string key = std::string("\"") + field + "\": \"", old = field[0] == 'n' ? "weight" : "param";
      const std::string message = replacedError(text, key + old, key + bad.name);
      CHECK_MESSAGE(contains(message, std::string(field) + " " + bad.escaped + " " + bad.problem), message);
      for (const char c : message) CHECK((c == '\n' || static_cast<unsigned char>(c) >= 0x20));
    }
  }
  const std::string longest(1024, 'a');
  CHECK(readText(replaced(replaced(text, "\"weight\"", "\"" + longest + "\""), "\"weight\"", "\"" + longest + "\""))
            .find(longest) != nullptr);
  // In the payload's names too, which name nothing then.
  CHECK(contains(replacedError(text, "\"weight\": [", "\"a\\u001b\": ["), "a tensor \"a\\x1b\" that"));
  CHECK(contains(replacedError(text, "\"name\": \"weight\"", "\"name\": \"" + std::string(1025, 'a') + "\""),
                 "has 1025 bytes"));
}

TEST_CASE("check sums are required (J20)") {
  const std::string text = written(small());
  const auto at = text.find("\"crc32\": \"") + 10;
  const std::string crc = text.substr(at, 8);
  CHECK(contains(replacedError(text, ", \"crc32\": \"" + crc + "\"", ""), "tensor \"weight\": it has no \"crc32\""));
  CHECK(contains(replacedError(text, "\"" + crc + "\"", "\"" + crc.substr(1) + "\""),
                 "expected eight hexadecimal digits"));
  CHECK(contains(replacedError(text, "\"" + crc + "\"", "17"), "\"crc32\" is 17, expected a string"));
  for (const std::string& bad : {crc + "0", std::string("+") + crc.substr(1), std::string("0x") + crc.substr(2),
                                 std::string("        "), crc.substr(0, 7) + "g", std::string()}) {
    CHECK(contains(replacedError(text, crc, bad), "expected eight hexadecimal digits"));
  }
  CHECK(contains(replacedError(text, crc, crc[0] == '0' ? "1" + crc.substr(1) : "0" + crc.substr(1)),
                 "tensor \"weight\": its check sum is " + crc));
}

TEST_CASE("a declared size may fill the file to the last byte, no further (J27)") {
  Checkpoint checkpoint;
  checkpoint.tensors = {{"t", "param", counted({100}, DType::U8)}};
  const std::string text = unsummed(written(checkpoint));
  const auto claim = [&](std::size_t bytes) {
    const std::string number = std::to_string(bytes);
    REQUIRE(number.size() == 3);
    return replacedError(replaced(text, "[100]", "[" + number + "]"), "\"bytes\": 100", "\"bytes\": " + number);
  };
  CHECK(contains(claim(text.size()), "its shape needs " + std::to_string(text.size()) + " bytes"));
  CHECK(contains(claim(text.size() + 1), "tensor \"t\" cannot be in this file"));
  CHECK(contains(claim(text.size() + 1), "tensors of " + std::to_string(text.size() + 1) +
                                             " bytes are declared, the file has " + std::to_string(text.size()) +
                                             " bytes"));
  // Of decimal tensors the elements count: their text may be shorter than their bytes.
  Checkpoint zeros;
  zeros.tensors = {{"t", "param", core::NDArray::from<double>(std::vector<double>(5000, 0.0), {5000})}};
  const std::string readable = written(zeros, {.readable = true});
  CHECK(readable.size() < 8 * 5000);
  CHECK(readText(readable).tensors.size() == 1);
}

TEST_CASE("tensors without data are named, 20 at most") {
  for (const int count : {1, 19, 20, 21, 25}) {
    Checkpoint checkpoint;
    for (int i = 0; i < count; ++i)
      checkpoint.tensors.push_back({"t" + std::to_string(i), "param", counted({1}, DType::U8)});
    const std::string text = written(checkpoint);
    const std::string message = readError(text.substr(0, text.find("  \"data\": {")) + "  \"data\": {},\n" +
                                          text.substr(text.find("  \"end\": {")));
    CHECK(contains(message, "has no data of " + std::to_string(count) + " listed tensors"));
    CHECK(contains(message, "\"t" + std::to_string(std::min(count, 20) - 1) + "\""));
    CHECK_FALSE(contains(message, "\"t" + std::to_string(std::min(count, 20)) + "\""));
    CHECK(contains(message, ", ...") == (count > 20));
  }
}
