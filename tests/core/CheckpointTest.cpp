#include <algorithm>
#include <bit>
#include <limits>
#include <vector>

#include "CheckpointText.h"
#include "support/Headline.h"
#include "support/TempFolder.h"

using namespace ember;
using namespace ember::io;
using namespace ember::test;
using core::NDArray;

TEST_CASE("a checkpoint reads as it was written, header first and payload last") {
  const std::string text = written(small());
  CHECK(text.find("\"format\": \"ember-checkpoint\"") < text.find("\"model\""));
  CHECK(text.find("\"model\"") < text.find("\"tensors\""));
  CHECK(text.find("\"tensors\"") < text.find("\"data\""));
  CHECK(text.find("\"data\"") < text.find("\"end\""));
  CHECK(contains(text, R"({"name": "count", "role": "buffer", "dtype": "i64", "shape": [], "bytes": 8, "crc32": ")"));
  CHECK(contains(text, R"("end": {"tensors": 3, "bytes": "44", "header_crc32": ")"));
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

TEST_CASE("written to a file, the generation before stays") {
  const TempFolder folder;
  Checkpoint checkpoint = small();
  writeCheckpoint(folder / "net.json", checkpoint);
  checkpoint.train.set("epoch", 4);
  writeCheckpoint(folder / "net.json", checkpoint);
  CHECK(readCheckpoint(folder / "net.json").train.get<int>("epoch") == 4);
  CHECK(readCheckpoint(folder / "net.json.prev").train.get<int>("epoch") == 3);
}

TEST_CASE("which tensors become decimals: those whose every element a JSON number carries") {
  const auto isDecimal = [](const NDArray& array, i64 limit = 10'000) {
    Checkpoint checkpoint;
    checkpoint.tensors = {{"t", "param", array}};
    const std::string text = written(checkpoint, {.readable = true, .decimalLimit = limit});
    CHECK(bytesOf(readText(text).tensors[0].array) == bytesOf(array));
    return contains(text, "\"encoding\": \"decimal\"");
  };
  constexpr i64 most = (i64{1} << 53) - 1;
  CHECK(isDecimal(NDArray::from<i64>({most, -most}, {2})));
  CHECK_FALSE(isDecimal(NDArray::from<i64>({most + 1}, {1})));
  CHECK_FALSE(isDecimal(NDArray::from<i64>({-most - 1}, {1})));
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK_FALSE(isDecimal(NDArray::from<float>({1, nan}, {2})));
  float pair[] = {1, nan};
  CHECK(isDecimal(NDArray::fromBlob(pair, {1}, DType::F32)));  // what lies behind it does not count
  CHECK_FALSE(isDecimal(NDArray::from<float>({1, nan}, {2}).to(DType::BF16)));
  CHECK_FALSE(isDecimal(NDArray::from<double>({-std::numeric_limits<double>::infinity()}, {1})));
  CHECK(isDecimal(NDArray::from<float>({1, 2}, {2}), 2));
  CHECK_FALSE(isDecimal(NDArray::from<float>({1, 2}, {2}), 1));
}

TEST_CASE("decimals fill lines of 110 columns") {
  Checkpoint checkpoint;
  checkpoint.tensors = {{"t", "param", NDArray::from<u8>(std::vector<u8>(100, 10), {100})}};
  const std::string text = written(checkpoint, {.readable = true});
  CHECK(contains(text, "\"t\": [\n      10, 10, "));
  const auto first = text.find("      10, ") + 6;
  CHECK(text.find('\n', first) - first == 29 * 4 - 1);  // 28 of them are 110 columns: one more goes in
}
