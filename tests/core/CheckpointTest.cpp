#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <clocale>
#include <cmath>
#include <cstring>
#include <limits>

#include <ember/core/Error.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/core/io/Crc32.h>

#include "support/TempFolder.h"

using namespace ember;
using namespace ember::io;
using namespace ember::test;
using core::NDArray;

namespace {

struct StringSink final : ByteSink {
  void write(std::string_view bytes) override { text += bytes; }
  std::string text;
};

std::string written(const Checkpoint& checkpoint, const CheckpointOptions& options = {}) {
  StringSink sink;
  writeCheckpoint(sink, checkpoint, options);
  return sink.text;
}

Checkpoint readText(std::string_view text) {
  MemorySource source(text, "net.json");
  return readCheckpoint(source);
}

std::string readError(std::string_view text) {
  return messageOf<IoError>([&] { readText(text); });
}

/// Row-major bytes.
std::string bytesOf(const NDArray& array) {
  const NDArray dense = array.contiguous();
  return {static_cast<const char*>(dense.raw()), static_cast<std::size_t>(dense.bytes())};
}

/// An array whose elements have the bytes 1, 2, 3, ... (0, 1, 0, 1 for bool).
NDArray counted(const Shape& shape, DType dtype, MemoryOrder order = MemoryOrder::RowMajor) {
  const NDArray array = NDArray::empty(shape, dtype, order);
  auto* bytes = static_cast<u8*>(array.raw());
  for (i64 i = 0; i < array.bytes(); ++i) bytes[i] = static_cast<u8>(dtype == DType::Bool ? i % 2 : i * 37 + 1);
  return array;
}

Checkpoint small() {
  Checkpoint checkpoint;
  checkpoint.model = {{"type", "Linear"}, {"args", {{"in", 2}, {"out", 3}}}};
  checkpoint.train = {{"epoch", 3}, {"step", Value::counter(i64{2815})}};
  checkpoint.tensors = {{"weight", "param", NDArray::from<float>({0.1f, -0.0f, 1, 2, 3, 4e-45f}, {3, 2})},
                        {"count", "buffer", NDArray::from<i64>({7}, {})},
                        {"bias", "param", NDArray::from<float>({1, 2, 3}, {3})}};
  return checkpoint;
}

/// `text` with the first `from` replaced.
std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  REQUIRE_MESSAGE(at != text.npos, std::string(from));
  return text.replace(at, from.size(), to);
}

std::string line(std::string_view text, std::string_view part) {
  const auto at = text.find(part), begin = text.rfind('\n', at) + 1;
  return std::string(text.substr(begin, text.find('\n', at) - begin));
}

}  // namespace

TEST_CASE("a checkpoint reads as it was written, header first and payload last") {
  const std::string text = written(small());
  CHECK(text.find("\"format\": \"ember-checkpoint\"") < text.find("\"model\""));
  CHECK(text.find("\"model\"") < text.find("\"tensors\""));
  CHECK(text.find("\"tensors\"") < text.find("\"data\""));
  CHECK(text.find("\"data\"") < text.find("\"end\""));
  CHECK(contains(text, R"({"name": "count", "role": "buffer", "dtype": "i64", "shape": [], "bytes": 8, "crc32": ")"));
  CHECK(contains(text, R"("end": {"tensors": 3, "bytes": "44"})"));
  const Checkpoint again = readText(text);
  CHECK(again.model == small().model);
  CHECK(again.train.get<i64>("step") == 2815);
  CHECK(again.optimizer.isNull());
  CHECK(again.writer.get<std::string>("program") == "ember");
  REQUIRE(again.tensors.size() == 3);
  CHECK(again.find("count")->role == "buffer");
  CHECK(again.find("missing") == nullptr);
  for (std::size_t i = 0; i < 3; ++i) CHECK(bytesOf(again.tensors[i].array) == bytesOf(small().tensors[i].array));
  CHECK(written(again) == text);  // save(load(f)) = f
}

TEST_CASE(
    "every dtype comes back bit for bit, whatever its order in memory; channels last is stored in logical order") {
  Checkpoint checkpoint;
  for (const DType dtype :
       {DType::F32, DType::F64, DType::BF16, DType::I64, DType::I32, DType::I8, DType::U8, DType::Bool}) {
    const std::string type(name(dtype));
    checkpoint.tensors.push_back({type + ".plain", "param", counted({2, 3, 2, 2}, dtype)});
    checkpoint.tensors.push_back({type + ".last", "param", counted({2, 3, 4, 5}, dtype, MemoryOrder::ChannelsLast)});
    checkpoint.tensors.push_back({type + ".view", "param", counted({4, 6}, dtype).slice(1, 1, 6, 2).transpose(0, 1)});
    checkpoint.tensors.push_back({type + ".none", "param", counted({3, 0, 2}, dtype)});
    checkpoint.tensors.push_back({type + ".scalar", "param", counted({}, dtype)});
  }
  for (const bool readable : {false, true}) {
    const Checkpoint again = readText(written(checkpoint, {.readable = readable}));
    REQUIRE(again.tensors.size() == checkpoint.tensors.size());
    for (std::size_t i = 0; i < again.tensors.size(); ++i) {
      const NDArray &before = checkpoint.tensors[i].array, &after = again.tensors[i].array;
      CHECK_MESSAGE(bytesOf(after) == bytesOf(before), checkpoint.tensors[i].name);
      CHECK((after.shape() == before.shape()));
      CHECK(after.dtype() == before.dtype());
    }
  }
}

TEST_CASE("NaN payloads, infinities, -0.0 and denormals keep every bit, also when decimals are asked for") {
  std::vector<float> values;
  for (const u32 bits :
       {0x7fc00001u, 0xffc12345u, 0x7f800001u, 0x7f800000u, 0xff800000u, 0x80000000u, 1u, 0x007fffffu}) {
    values.push_back(std::bit_cast<float>(bits));
  }
  Checkpoint checkpoint;
  checkpoint.tensors = {
      {"special", "param", NDArray::from<float>(values, {8})},
      {"finite", "param",
       NDArray::from<float>({-0.0f, 1e-45f, 1.17549421e-38f, 3.40282347e38f, 0.1f, 16777216.0f}, {6})},
      {"double", "param",
       NDArray::from<double>({-0.0, 5e-324, 1.7976931348623157e308, 0.1, 123456789012345680.0}, {5})},
      {"counter", "buffer",
       NDArray::from<i64>({std::numeric_limits<i64>::min(), std::numeric_limits<i64>::max()}, {2})}};
  for (const bool readable : {false, true}) {
    const std::string text = written(checkpoint, {.readable = readable});
    const Checkpoint again = readText(text);
    for (std::size_t i = 0; i < 4; ++i) CHECK(bytesOf(again.tensors[i].array) == bytesOf(checkpoint.tensors[i].array));
    CHECK(contains(line(text, "\"special\", \"role\""), "decimal") == false);
    CHECK(contains(line(text, "\"counter\", \"role\""), "decimal") == false);
    CHECK(contains(line(text, "\"finite\", \"role\""), "\"encoding\": \"decimal\"") == readable);
  }
  CHECK(
      contains(written(checkpoint, {.readable = true}), "-0.0, 1e-45, 1.1754942e-38, 3.4028235e+38, 0.1, 16777216.0"));
}

TEST_CASE("decimals only up to the limit; large tensors go into chunks of 48 KiB") {
  Checkpoint checkpoint;
  checkpoint.tensors = {{"large", "param", counted({50'001}, DType::U8)}, {"small", "param", counted({10}, DType::U8)}};
  const std::string text = written(checkpoint, {.readable = true});
  CHECK(contains(line(text, "\"small\", \"role\""), "decimal"));
  CHECK_FALSE(contains(line(text, "\"large\", \"role\""), "decimal"));
  std::size_t longest = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    longest = std::max(longest, end - at);
    at = end + 1;
  }
  CHECK(longest == 6 + 64 * 1024 + 3);  // indentation, quotes, comma
  CHECK(bytesOf(readText(text).tensors[0].array) == bytesOf(checkpoint.tensors[0].array));
}

TEST_CASE("an empty checkpoint and one of empty tensors are whole") { CHECK(readText(written({})).tensors.empty()); }

TEST_CASE("an empty file (J1)") { CHECK(contains(readError(""), "\"net.json\" is empty (0 bytes)")); }

TEST_CASE("a file cut at any byte is refused, and what was whole is named (J2)") {
  const std::string text = written(small());
  for (std::size_t length = 1; length < text.rfind('}'); ++length) {
    const std::string message = readError(text.substr(0, length));
    CHECK(contains(message, "\"net.json\" is cut off"));
  }
  CHECK(readText(text.substr(0, text.rfind('}') + 1)).tensors.size() == 3);
  const std::string message = readError(text.substr(0, text.find("\"bias\": [")));
  CHECK(contains(message, "last whole  \"count\""));
  CHECK(contains(message, "tensors     2 of 3 whole"));
  CHECK(contains(message, "payload     32 bytes of 44 bytes whole"));
}

TEST_CASE("files of other programs are recognised (J3)") {
  CHECK(contains(readError("\x1f\x8b\x08...."), "looks like a gzip file"));
  CHECK(contains(readError("PK\x03\x04...."), "looks like a zip file"));
  CHECK(contains(readError("\x80\x02}q."), "looks like a Python pickle"));
  CHECK(contains(readError("\x89PNG\r\n"), "looks like a PNG picture"));
  CHECK(contains(readError(std::string("\x10\0\0\0\0\0\0\0{\"a\"", 12)), "looks like a safetensors file"));
  CHECK(contains(readError("hello"), "is not valid JSON"));
}

TEST_CASE("JSON that is no checkpoint (J4)") {
  CHECK(contains(readError("[]"), "is no ember checkpoint: it holds an array, not an object"));
  CHECK(contains(readError("3"), "it holds an integer"));
  CHECK(contains(readError("\"text\""), "it holds a string"));
  CHECK(contains(readError("{}"), "no field \"format\""));
  CHECK(contains(readError(R"({"format": "other"})"), "\"format\" is \"other\", expected \"ember-checkpoint\""));
  CHECK(contains(readError(R"({"data": {"a": [1, {"b": 2}]}, "x": 3})"), "no field \"format\""));
}

TEST_CASE("versions that this release does not read (J5)") {
  const std::string text = written(small());
  for (const char* bad : {"0", "99", "\"1\"", "-1", "\"\"", "\"1.\"", "\".0\"", "\"1.0.0\"", "\"01.0\"", "\"1.x\"",
                          "1.0", "null", "[]"}) {
    CHECK(contains(readError(replaced(text, "\"1.0\"", bad)), "\"format_version\" is "));
  }
  CHECK(contains(readError(replaced(text, "\"1.0\"", "\"2.0\"")), "has the format version 2.0, this ember reads 1.x"));
  CHECK(contains(readError(replaced(text, "\"1.0\"", "\"0.9\"")), "has the format version 0.9"));
  CHECK(contains(readError(replaced(text, "\"format_version\": \"1.0\",", "")), "no field \"format_version\""));
  CHECK(readText(replaced(text, "\"1.0\"", "\"1.7\"")).tensors.size() == 3);  // same major: always
}

TEST_CASE("a required feature that is unknown (J6)") {
  const std::string text = written(small());
  CHECK(contains(readError(replaced(text, "\"required_features\": []", "\"required_features\": [\"sparse\"]")),
                 "requires the feature \"sparse\""));
  CHECK(contains(readError(replaced(text, "\"required_features\": []", "\"required_features\": 3")),
                 "expected an array"));
  CHECK(contains(readError(replaced(text, "\"required_features\": [],", "")), "no field \"required_features\""));
}

TEST_CASE("anything twice (J7)") {
  const std::string text = written(small());
  CHECK(contains(readError(replaced(text, "\"model\"", "\"train\"")), "has the key \"train\" twice"));
  const std::string entry = line(text, "\"weight\", \"role\"");
  CHECK(contains(readError(replaced(text, entry, entry + entry)), "tensor \"weight\" is listed twice"));
  CHECK(contains(readError(replaced(text, "\"data\": {", "\"data\": {\"bias\": [\"AACAPwAAAEAAAEBA\"],")),
                 "has the key \"bias\" twice"));
  CHECK(contains(readError(replaced(text, "\"shape\": [3]", "\"shape\": [3], \"shape\": [3]")),
                 "has the key \"shape\" twice"));
}

TEST_CASE("text behind the end (J8), a byte order mark (J9)") {
  const std::string text = written(small());
  CHECK(contains(readError(text + "{}"), "has more text behind its end"));
  CHECK(readText("\xef\xbb\xbf" + text).tensors.size() == 3);
}

TEST_CASE("a save refuses what a load would refuse, before it touches a file (J10)") {
  const auto error = [](const std::string& tensor) {
    Checkpoint checkpoint;
    checkpoint.tensors = {{tensor, "param", counted({1}, DType::F32)}};
    return messageOf<ValueError>([&] { written(checkpoint); });
  };
  CHECK(contains(error("\xff"), "the tensor name \"\\xff\" is not UTF-8"));
  CHECK(contains(error(""), "is empty"));
  CHECK(contains(error("a\nb"), "has a control character"));
  CHECK(contains(error("a..b"), "has an empty part between dots"));
  CHECK(contains(error(std::string(1025, 'a')), "has 1025 bytes"));
  CHECK(error("layer.gewicht-\xc3\xa4/optim momentum") == "no error");

  const TempFolder folder;
  Checkpoint twice = small();
  twice.tensors.push_back(twice.tensors[0]);
  writeCheckpoint(folder / "net.json", small());
  const std::string before = readFile(folder / "net.json");
  CHECK_THROWS_AS(writeCheckpoint(folder / "net.json", twice), ValueError);
  Checkpoint empty = small();
  empty.tensors[0].array = NDArray::shapeOnly({2});
  CHECK_THROWS_AS(writeCheckpoint(folder / "net.json", empty), ValueError);
  Checkpoint deep = small();
  deep.model = Value::object();
  for (int i = 0; i < 32; ++i) deep.model = {{"x", deep.model}};
  CHECK_THROWS_AS(writeCheckpoint(folder / "net.json", deep), ValueError);
  Checkpoint wide = small();
  wide.extra = {{"text", std::string(70'000'000, 'x')}};
  CHECK_THROWS_AS(writeCheckpoint(folder / "net.json", wide), ValueError);
  CHECK(readFile(folder / "net.json") == before);
  CHECK(folder.list() == "net.json");
}

TEST_CASE("depth and literals that JSON has not (J11, J12)") {
  const std::string text = written(small());
  CHECK(contains(readError(replaced(text, "\"model\": {", "\"model\": {\"x\": " + std::string(1'000'000, '['))),
                 "nested deeper than 32"));
  CHECK(contains(readError(replaced(text, "\"epoch\": 3", "\"epoch\": NaN")), "the strings \"NaN\""));
}

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

TEST_CASE("the order of members does not matter (J26), unknown ones are kept") {
  Checkpoint checkpoint = small();
  checkpoint.extra = {{"self_test", {{"input_seed", "7"}}}, {"note", "x"}};
  const std::string text = written(checkpoint);
  CHECK(readText(text).extra == checkpoint.extra);
  // Data before everything else: read in a second pass.
  const auto data = text.find("  \"data\": {"), end = text.find("  \"end\": {");
  std::string reordered = text;
  reordered.erase(data, end - data);
  reordered.insert(2, text.substr(data, end - data));
  const Checkpoint again = readText(reordered);
  CHECK(written(again) == text);
  CHECK(contains(readError(replaced(reordered, "AACAPwAAAEAAAEBA", "AACAPwAAAEAAAEBB")), "its check sum is"));
  // The version behind the tensors.
  CHECK(readText(replaced(replaced(text, "\"format_version\": \"1.0\",", ""), "\"end\": {",
                          "\"format_version\": \"1.0\", \"end\": {"))
            .tensors.size() == 3);
}

TEST_CASE("a small file that claims a large tensor is refused before anything is allocated (J27)") {
  const std::string text = written(small());
  const std::string claim =
      replaced(replaced(text, "[3, 2]", "[1000000000000]"), "\"bytes\": 24", "\"bytes\": 4000000000000");
  CHECK(contains(readError(claim), "tensor \"weight\" cannot be in this file"));
  CHECK(contains(readError(replaced(claim, "\"dtype\": \"f32\"", "\"encoding\": \"decimal\", \"dtype\": \"f32\"")),
                 "cannot be in this file"));
}

TEST_CASE("paths that are no readable file (J28)") {
  const TempFolder folder;
  const auto error = [](const std::string& path) { return messageOf<IoError>([&] { readCheckpoint(path); }); };
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  CHECK(contains(error(folder / "missing"), "No such file or directory"));
  CHECK(contains(error(folder.path()), "is a directory, not a regular file"));
  CHECK(contains(error(folder / "fifo"), "is a FIFO, not a regular file"));
  CHECK(contains(error("/dev/null"), "is a device, not a regular file"));
  CHECK(contains(error(""), "not a path"));
  if (::geteuid() != 0) {  // root reads everything
    writeFile(folder / "secret", "{}");
    ::chmod((folder / "secret").c_str(), 0);
    CHECK(contains(error(folder / "secret"), "Permission denied"));
  }
}

TEST_CASE("a file that changes while it is read (J29)") {
  const TempFolder folder;
  writeFile(folder / "a", written(small()));
  FileSource source(folder / "a", "load");
  writeFile(folder / "a", written(small()) + " ");
  CHECK(contains(messageOf<IoError>([&] { readCheckpoint(source); }), "was changed while it was read"));
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

TEST_CASE("headers beyond the limits are refused (J31)") {
  const std::string text = written(small());
  std::string many = "\"x\": [0";
  for (int i = 0; i < 1'000'000; ++i) many += ",0";
  CHECK(contains(readError(replaced(text, "\"model\": {", many + "], \"model\": {")),
                 "more than 1,000,000 values in its header"));
  std::string tensors = text.substr(0, text.find("\"tensors\": [") + 12);
  for (int i = 0; i <= 1'000'000; ++i) {
    tensors.append(i ? "," : "")
        .append(R"({"name":"t)" + std::to_string(i) +
                R"(","role":"a","dtype":"u8","shape":[0],"bytes":0,"crc32":"00000000"})");
    if (tensors.size() > 60'000'000) break;
  }
  CHECK(contains(readError(tensors + std::string(10'000'000, ' ')), "passes the limit"));
}

TEST_CASE("the end record must agree") {
  const std::string text = written(small());
  CHECK(contains(readError(replaced(text, "\"tensors\": 3", "\"tensors\": 4")), "\"end\" does not agree"));
  CHECK(contains(readError(replaced(text, "\"bytes\": \"44\"", "\"bytes\": \"45\"")), "\"end\" does not agree"));
  CHECK(contains(readError(replaced(text, "\"end\": {", "\"stop\": {")), "no field \"end\""));
  CHECK(contains(readError(replaced(text, "\"model\": {", "\"model\": 3, \"x\": {")),
                 "\"model\" is an integer, expected an object"));
}

TEST_CASE("the same bytes out and in under a locale with a decimal comma (J32)") {
  Checkpoint checkpoint;
  checkpoint.train = {{"lr", 0.125}};
  checkpoint.tensors = {{"f", "param", NDArray::from<float>({0.5f, 2.5f}, {2})}};
  const std::string text = written(checkpoint, {.readable = true});
  const std::string before = std::setlocale(LC_ALL, nullptr);
  for (const char* locale : {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "C.UTF-8"}) {
    if (!std::setlocale(LC_ALL, locale)) continue;
    CHECK(written(checkpoint, {.readable = true}) == text);
    CHECK(bytesOf(readText(text).tensors[0].array) == bytesOf(checkpoint.tensors[0].array));
  }
  std::setlocale(LC_ALL, before.c_str());
}

TEST_CASE("written to a file, the generation before stays") {
  const TempFolder folder;
  Checkpoint checkpoint = small();
  writeCheckpoint(folder / "net.json", checkpoint);
  checkpoint.train.set("epoch", 4);
  writeCheckpoint(folder / "net.json", checkpoint);
  CHECK(readCheckpoint(folder / "net.json").train.get<int>("epoch") == 4);
  CHECK(readCheckpoint(folder / "net.json.prev").train.get<int>("epoch") == 3);
}
