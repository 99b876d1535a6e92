#include <utility>

#include <cstring>
#include <vector>

#include <ember/core/io/Base64.h>

#include "CheckpointText.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::io;
using namespace ember::test;
using core::NDArray;

TEST_CASE("decimal elements must be numbers of their type (J13, J14)") {
  Checkpoint checkpoint;
  checkpoint.tensors = {{"f", "param", NDArray::from<float>({0.5f, 2.5f}, {2})},
                        {"i", "param", NDArray::from<i8>({1, 100}, {2})},
                        {"b", "param", counted({2}, DType::Bool)}};
  const std::string text = written(checkpoint, {.readable = true});
  CHECK(contains(replacedError(text, "0.5, 2.5", "0.5, null"),
                 "tensor \"f\": element 1: it is null (NaN written by a JSON library?)"));
  CHECK(contains(replacedError(text, "0.5, 2.5", "0.5, \"2.5\""), "element 1 is a string, expected a number"));
  CHECK(contains(replacedError(text, "0.5, 2.5", "0.5, true"), "element 1: it is a bool"));
  CHECK(contains(replacedError(text, "0.5, 2.5", "1e39, 2.5"), "element 0: \"1e39\" is beyond the range of the type"));
  CHECK(contains(replacedError(text, "0.5, 2.5", "1e400, 2.5"), "beyond the range of double"));
  CHECK(contains(replacedError(text, "0.5, 2.5", "0.5"), "it has 4 bytes, its shape needs 8 bytes"));
  CHECK(contains(replacedError(text, "0.5, 2.5", "0.5, 2.5, 3.5"), "more elements than its shape [2] says"));
  CHECK(contains(replacedError(text, "0.5, 2.5", "0.5, 2.25"), "its check sum is"));
  CHECK(contains(replacedError(text, "0.5, 2.5", "[0.5], 2.5"), "has an array in it"));
  CHECK(contains(replacedError(text, "1, 100", "1, 128"), "128 is beyond the range of the type"));
  CHECK(contains(replacedError(text, "1, 100", "1.0, 100"), "\"1.0\" is no integer"));
  CHECK(contains(replacedError(text, "false, true", "0, 1"), "it is not true or false"));
}

TEST_CASE("payload and shape must agree (J17), base64 must be exact (J18)") {
  const std::string text = written(small());
  CHECK(contains(replacedError(text, "[3, 2]", "[3, 3]"), "\"bytes\" is 24, its shape [3, 3] and dtype f32 make 36"));
  CHECK(contains(replacedError(replaced(text, "[3, 2]", "[3, 1]"), "\"bytes\": 24", "\"bytes\": 12"),
                 "it holds 24 bytes where 12 bytes are left"));
  CHECK(contains(replacedError(replaced(text, "[3, 2]", "[3, 3]"), "\"bytes\": 24", "\"bytes\": \"36\""),
                 "it has 24 bytes, its shape needs 36 bytes"));
  const std::string bias = "\"AACAPwAAAEAAAEBA\"";
  const std::pair<const char*, const char*> cases[] = {
      {"\"AACAPwAAAEAAAEB \"", "chunk 0: character \" \" at 15"},
      {"\"AACAPwAAAEAAAEB\"", "no multiple of 4"},
      {"\"AACAPwAAAEAAAE==\"", "bits behind the last byte are set"},
      {"\"AACAPwAAAEA=\", \"AEBA\"", "chunk 1: it follows one that ended with '='"},
      {"\"\", \"AACAPwAAAEAAAEBA\"", "chunk 0: it is empty"},
      {"17", "chunk 0 is an integer, expected a base64 string"},
      {"1.5", "chunk 0 is a number"},
      {"null", "chunk 0 is null"},
      {"{}", "has an object in it"}};
  for (const auto& [bad, message] : cases) CHECK(contains(replacedError(text, bias, bad), message));
  CHECK(readText(replaced(text, bias, "\"AACAPwAA\", \"AEAAAEBA\"")).tensors.size() == 3);  // chunks may be shorter
  Checkpoint large;
  large.tensors = {{"t", "param", counted({100'000}, DType::U8)}};
  const std::string joined = replaced(written(large), "\",\n      \"", "");
  CHECK(contains(readError(joined), "chunk 0: it has 131072 characters, at most 65,536 are allowed"));
  Checkpoint bools;
  bools.tensors = {{"t", "param", counted({3}, DType::Bool)}};
  CHECK(contains(replacedError(written(bools), "\"AAEA\"", "\"AAIA\""), "a bool has the byte 2"));
}

TEST_CASE("every flipped bit of the payload is found and the tensor named (J19)") {
  const std::string text = written(small());
  const auto begin = text.find("\"data\""), end = text.find("\"end\"");
  int refused = 0, harmless = 0;
  for (auto at = begin; at < end; ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string wrong = text;
      wrong[at] = static_cast<char>(wrong[at] ^ (1 << bit));
      const std::string message = readError(wrong);
      CHECK(message.find("another error") == message.npos);
      message == "no error" ? ++harmless : ++refused;
    }
  }
  // Only white space may turn into other white space (line feed, tab, return, space differ in several bits, two of them
  // in one).
  CHECK(refused > 1000);
  CHECK(harmless <= 2 * 10);
  CHECK(contains(replacedError(text, "AACAPwAAAEAAAEBA", "AACAPwAAAEAAAEBB"), "tensor \"bias\": its check sum is"));
}

TEST_CASE("tensors without data, data without tensor") {
  const std::string text = written(small());
  CHECK(contains(replacedError(text, line(text, "\"count\", \"role\""), ""),
                 "has data of a tensor \"count\" that \"tensors\" does not list"));
  const auto begin = text.find("    \"count\": ["), end = text.find("    \"bias\": [");
  std::string without = text;
  without.erase(begin, end - begin);
  CHECK(contains(readError(without), "has no data of 1 listed tensors"));
  CHECK(contains(replacedError(text, "\"tensors\": [", "\"others\": ["), "no field \"tensors\""));
  CHECK(contains(replacedError(text, "\"data\": {", "\"payload\": {"), "no field \"data\""));
  CHECK(contains(replacedError(text, "\"tensors\": [", "\"tensors\": 3, \"others\": ["),
                 "\"tensors\" is an integer, expected an array"));
  CHECK(contains(replacedError(text, "\"tensors\": [", "\"tensors\": [3, "), "\"tensors\" has an integer in it"));
  CHECK(contains(replacedError(text, "\"data\": {", "\"data\": 3, \"others\": {"),
                 "\"data\" is an integer, expected an object"));
  CHECK(contains(replacedError(text, "\"weight\": [", "\"weight\": 3, \"others\": ["),
                 "the data of tensor \"weight\" is an integer"));
}

TEST_CASE("a chunk has 65,536 characters at most, a payload as many as it needs (J18)") {
  Checkpoint large;
  large.tensors = {{"t", "param", counted({3 * 49'152 + 1}, DType::U8)}};
  const std::string text = written(large);
  const std::string chunk(65'532, 'A');
  CHECK(contains(line(text, "\", \"role\": "), "\"bytes\": 147457"));
  int full = 0;
  for (auto at = text.find("      \""); at != text.npos; at = text.find("      \"", at + 1)) {
    const auto length = text.find('"', at + 7) - at - 7;
    CHECK(length <= 65'536);
    full += length == 65'536;
  }
  CHECK(full == 3);
  CHECK(bytesOf(readText(text).tensors[0].array) == bytesOf(large.tensors[0].array));
  // Of the right length in all, but cut elsewhere.
  const auto first = text.find("      \"") + 7;
  CHECK(readText(text.substr(0, first + 4) + "\", \"" + text.substr(first + 4)).tensors.size() == 1);
  std::string longer = text;
  longer.insert(first, "AAAA");
  CHECK(contains(readError(longer), "chunk 0: it has 65540 characters, at most 65,536 are allowed"));
}

TEST_CASE("a bad character is named by chunk and place (J18)") {
  Checkpoint large;
  large.tensors = {{"t", "param", counted({2 * 49'152}, DType::U8)}};
  const std::string text = written(large);
  const auto first = text.find("      \"") + 7, second = text.find("      \"", first) + 7;
  struct Bad {
    std::string character, name;
  };
  for (const Bad& bad : {Bad{"-", "-"}, Bad{"_", "_"}, Bad{"=", "="}, Bad{" ", " "}, Bad{"\\n", "\\x0a"},
                         Bad{"\\u0000", "\\x00"}, Bad{"\xc3\xa4", "\\xc3"}}) {
    for (const std::size_t place :
         {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{4000}, std::size_t{65'530}}) {
      std::string wrong = text;
      // A character of two bytes takes the place of two.
      wrong.replace(second + place, bad.character.size() == 2 && bad.character[0] != '\\' ? 2 : 1, bad.character);
      const std::string message = readError(wrong);
      CHECK_MESSAGE(contains(message, "tensor \"t\": chunk 1: character \"" + bad.name + "\" at " +
                                          std::to_string(place) + " is not base64"),
                    message);
    }
  }
}

TEST_CASE("numbers at the borders of each type (J14)") {
  const auto error = [](DType dtype, const std::string& element) {
    Checkpoint checkpoint;
    checkpoint.tensors = {{"t", "param", core::NDArray::empty({1}, dtype)}};
    std::memset(checkpoint.tensors[0].array.raw(), 0, itemSize(dtype));
    const std::string text = written(checkpoint, {.readable = true});
    const auto begin = text.find("\"t\": [") + 6, end = text.find(']', begin);
    return readError(text.substr(0, begin) + element + text.substr(end));
  };
  struct Case {
    DType dtype;
    std::vector<std::string> good, bad;
  };
  const std::vector<Case> cases = {
      {DType::F32,
       {"3.4028235e38", "-3.4028235e38", "1e-45", "16777217"},
       {"1e-400", "3.4028236e38", "1e39", "-1e39", "1e309"}},
      {DType::F64, {"1.7976931348623157e308", "9007199254740993"}, {"1.8e308", "-1e309"}},
      {DType::BF16, {"3.38953139e38", "-3.38953139e38", "0.5"}, {"3.4e38", "1e39", "-3.4e38"}},
      {DType::I64,
       {"9223372036854775807", "-9223372036854775808"},
       {"9223372036854775808", "-9223372036854775809", "0.5"}},
      {DType::I32, {"2147483647", "-2147483648"}, {"2147483648", "-2147483649", "1e3"}},
      {DType::I8, {"127", "-128"}, {"128", "-129"}},
      {DType::U8, {"255", "0"}, {"256", "-1"}},
      {DType::Bool, {"true", "false"}, {"1", "0", "2", "0.0"}}};
  for (const Case& c : cases) {
    for (const std::string& good : c.good) {
      const std::string message = error(c.dtype, good);  // read, but with another check sum than that of 0
      CHECK_MESSAGE((message == "no error" || contains(message, "its check sum is")), message);
    }
    for (const std::string& bad : c.bad) {
      const std::string message = error(c.dtype, bad);
      CHECK_MESSAGE((contains(message, "element 0: ") || contains(message, "beyond the range of double")), message);
    }
    for (const char* none : {"null", "\"1\"", "[1]", "{}"})
      CHECK_FALSE(contains(error(c.dtype, none), "its check sum is"));
    CHECK(contains(error(c.dtype, "null"), "tensor \"t\": element 0: it is null (NaN written by a JSON library?)"));
  }
}

TEST_CASE("payloads in another order than the list, and of no elements") {
  Checkpoint checkpoint = small();
  checkpoint.tensors.push_back({"none", "param", counted({0, 3}, DType::F32)});
  const std::string text = written(checkpoint);
  const auto begin = text.find("    \"bias\": ["), end = text.find("    \"none\": ");
  std::string moved = text.substr(0, begin) + text.substr(end);
  moved = replaced(moved, "    \"weight\": [", text.substr(begin, end - begin) + "    \"weight\": [");
  const Checkpoint again = readText(moved);
  for (std::size_t i = 0; i < 4; ++i) CHECK(bytesOf(again.tensors[i].array) == bytesOf(checkpoint.tensors[i].array));
  CHECK(contains(replacedError(text, "\"none\": []", "\"none\": [\"\"]"), "chunk 0: it is empty"));
  CHECK(
      contains(replacedError(text, "\"none\": []", "\"none\": [\"AAAA\"]"), "it holds 3 bytes where 0 bytes are left"));
}

namespace {

/// The one line of base64 that a small array becomes.
std::string base64Of(const core::NDArray& array) {
  std::string text;
  appendBase64(text, array.raw(), static_cast<std::size_t>(array.bytes()));
  return text;
}

}  // namespace

TEST_CASE("bools of one chunk are checked, not what lies behind them in memory") {
  Checkpoint checkpoint;
  checkpoint.tensors = {{"t", "param", counted({4096}, DType::Bool)}};
  const std::string text = written(checkpoint), half = base64Of(checkpoint.tensors[0].array);
  const std::string two = replaced(text, half, half.substr(0, 2000) + "\", \"" + half.substr(2000));
  for (int round = 0; round < 3; ++round) {
    // The memory that the reader gets next is full of what is no bool.
    std::memset(core::NDArray::empty({4096}, DType::Bool).raw(), 0xff, 4096);
    CHECK(readText(two).tensors.size() == 1);
  }
}

TEST_CASE("the help fits the encoding") {
  const std::string text = written(small()), readable = written(small(), {.readable = true});
  CHECK(contains(replacedError(text, "AACAPwAAAEAAAEBA", "AACAPwAAAEAAAEBB"), "take another copy of the file"));
  CHECK(contains(replacedError(readable, "[\n      1.0, 2.0, 3.0\n", "[\n      1.0, 2.0, 4.0\n"),
                 "after a change by hand the check sum must be changed too"));
}
