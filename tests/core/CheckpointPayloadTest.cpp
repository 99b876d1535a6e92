#include <utility>

#include "CheckpointText.h"

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
  CHECK(contains(readError(replaced(text, "0.5, 2.5", "0.5, null")),
                 "tensor \"f\": element 1: it is null (NaN written by a JSON library?)"));
  CHECK(contains(readError(replaced(text, "0.5, 2.5", "0.5, \"2.5\"")), "element 1 is a string, expected a number"));
  CHECK(contains(readError(replaced(text, "0.5, 2.5", "0.5, true")), "element 1: it is a bool"));
  CHECK(contains(readError(replaced(text, "0.5, 2.5", "1e39, 2.5")),
                 "element 0: \"1e39\" is beyond the range of the type"));
  CHECK(contains(readError(replaced(text, "0.5, 2.5", "1e400, 2.5")), "beyond the range of double"));
  CHECK(contains(readError(replaced(text, "0.5, 2.5", "0.5")), "it has 4 bytes, its shape needs 8 bytes"));
  CHECK(contains(readError(replaced(text, "0.5, 2.5", "0.5, 2.5, 3.5")), "more elements than its shape [2] says"));
  CHECK(contains(readError(replaced(text, "0.5, 2.5", "0.5, 2.25")), "its check sum is"));
  CHECK(contains(readError(replaced(text, "0.5, 2.5", "[0.5], 2.5")), "has an array in it"));
  CHECK(contains(readError(replaced(text, "1, 100", "1, 128")), "128 is beyond the range of the type"));
  CHECK(contains(readError(replaced(text, "1, 100", "1.0, 100")), "\"1.0\" is no integer"));
  CHECK(contains(readError(replaced(text, "false, true", "0, 1")), "it is not true or false"));
}

TEST_CASE("payload and shape must agree (J17), base64 must be exact (J18)") {
  const std::string text = written(small());
  CHECK(contains(readError(replaced(text, "[3, 2]", "[3, 3]")),
                 "\"bytes\" is 24, its shape [3, 3] and dtype f32 make 36"));
  CHECK(contains(readError(replaced(replaced(text, "[3, 2]", "[3, 1]"), "\"bytes\": 24", "\"bytes\": 12")),
                 "it holds 24 bytes where 12 bytes are left"));
  CHECK(contains(readError(replaced(replaced(text, "[3, 2]", "[3, 3]"), "\"bytes\": 24", "\"bytes\": \"36\"")),
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
  for (const auto& [bad, message] : cases) CHECK(contains(readError(replaced(text, bias, bad)), message));
  CHECK(readText(replaced(text, bias, "\"AACAPwAA\", \"AEAAAEBA\"")).tensors.size() == 3);  // chunks may be shorter
  Checkpoint large;
  large.tensors = {{"t", "param", counted({100'000}, DType::U8)}};
  const std::string joined = replaced(written(large), "\",\n      \"", "");
  CHECK(contains(readError(joined), "chunk 0: it has 131072 characters, at most 65,536 are allowed"));
  Checkpoint bools;
  bools.tensors = {{"t", "param", counted({3}, DType::Bool)}};
  CHECK(contains(readError(replaced(written(bools), "\"AAEA\"", "\"AAIA\"")), "a bool has the byte 2"));
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
  CHECK(
      contains(readError(replaced(text, "AACAPwAAAEAAAEBA", "AACAPwAAAEAAAEBB")), "tensor \"bias\": its check sum is"));
}

TEST_CASE("tensors without data, data without tensor") {
  const std::string text = written(small());
  CHECK(contains(readError(replaced(text, line(text, "\"count\", \"role\""), "")),
                 "has data of a tensor \"count\" that \"tensors\" does not list"));
  const auto begin = text.find("    \"count\": ["), end = text.find("    \"bias\": [");
  std::string without = text;
  without.erase(begin, end - begin);
  CHECK(contains(readError(without), "has no data of 1 listed tensors"));
  CHECK(contains(readError(replaced(text, "\"tensors\": [", "\"others\": [")), "no field \"tensors\""));
  CHECK(contains(readError(replaced(text, "\"data\": {", "\"payload\": {")), "no field \"data\""));
  CHECK(contains(readError(replaced(text, "\"tensors\": [", "\"tensors\": 3, \"others\": [")),
                 "\"tensors\" is an integer, expected an array"));
  CHECK(contains(readError(replaced(text, "\"tensors\": [", "\"tensors\": [3, ")), "\"tensors\" has an integer in it"));
  CHECK(contains(readError(replaced(text, "\"data\": {", "\"data\": 3, \"others\": {")),
                 "\"data\" is an integer, expected an object"));
  CHECK(contains(readError(replaced(text, "\"weight\": [", "\"weight\": 3, \"others\": [")),
                 "the data of tensor \"weight\" is an integer"));
}
