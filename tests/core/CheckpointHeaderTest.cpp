#include "CheckpointText.h"

using namespace ember;
using namespace ember::io;
using namespace ember::test;

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

TEST_CASE("depth and literals that JSON has not (J11, J12)") {
  const std::string text = written(small());
  CHECK(contains(readError(replaced(text, "\"model\": {", "\"model\": {\"x\": " + std::string(1'000'000, '['))),
                 "nested deeper than 32"));
  CHECK(contains(readError(replaced(text, "\"epoch\": 3", "\"epoch\": NaN")), "the strings \"NaN\""));
}

TEST_CASE("the order of members does not matter (J26), unknown ones are kept") {
  Checkpoint checkpoint = small();
  checkpoint.selfTest = {{"input_seed", "7"}};
  checkpoint.extra = {{"frozen", Value::array()}, {"note", "x"}};
  const std::string text = written(checkpoint);
  CHECK(readText(text).extra == checkpoint.extra);
  CHECK(readText(text).selfTest == checkpoint.selfTest);
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
