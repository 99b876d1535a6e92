#include <cmath>
#include <limits>

#include <ember/core/io/CheckpointLimits.h>

#include "CheckpointText.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::io;
using namespace ember::test;

TEST_CASE("versions that this release does not read (J5)") {
  const std::string text = written(small());
  for (const char* bad : {"0", "99", "\"1\"", "-1", "\"\"", "\"1.\"", "\".0\"", "\"1.0.0\"", "\"01.0\"", "\"1.x\"",
                          "1.0", "null", "[]"}) {
    CHECK(contains(replacedError(text, "\"1.0\"", bad), "\"format_version\" is "));
  }
  CHECK(contains(replacedError(text, "\"1.0\"", "\"2.0\""), "has the format version 2.0, this ember reads 1.x"));
  CHECK(contains(replacedError(text, "\"1.0\"", "\"0.9\""), "has the format version 0.9"));
  CHECK(contains(replacedError(text, "\"format_version\": \"1.0\",", ""), "no field \"format_version\""));
  for (const char* same : {"\"1.7\"", "\"1.999999\""})
    CHECK(readText(replaced(text, "\"1.0\"", same)).tensors.size() == 3);
  CHECK(contains(replacedError(text, "\"1.0\"", "\"1.1000000\""), "\"format_version\" is "));
}

TEST_CASE("a file of a newer version or with an unknown feature names the release that reads it (J5, J6)") {
  const std::string text = replaced(written(small()), "\"version\": \"0.1.0\"", "\"version\": \"7.3.1\"");
  const std::string newer = replaced(text, "\"1.0\"", "\"2.0\"");
  const std::string feature = replaced(text, "\"required_features\": []", "\"required_features\": [\"x\"]");
  for (const std::string& file : {newer, feature}) {
    const std::string message = readError(file);
    CHECK(contains(message, "this ember  0.1.0"));
    CHECK(contains(message, "ember \"7.3.1\", which wrote it, or a newer one reads it"));
    // Before anything behind it is looked at, and without a writer too.
    CHECK(replacedError(file, "\"model\": {", "\"model\": {]") == message);
    CHECK(contains(replacedError(file, "\"writer\"", "\"author\""), "take a newer ember"));
    const std::string nameless = replaced(file, "\"writer\"", "\"author\"");
    CHECK(contains(replacedError(nameless, "\"author\": {", "\"author\": {]"), "take a newer ember"));
    CHECK(contains(replacedError(file, "\"version\": \"7.3.1\"", "\"version\": 7"), "take a newer ember"));
  }
  CHECK(contains(readError(newer), "has the format version 2.0, this ember reads 1.x"));
  CHECK(contains(replacedError(newer, "\"required_features\": []", "\"required_features\": [\"x\"]"),
                 "has the format version 2.0"));
  // The writer before the version; nothing behind the version.
  const std::string version = "  \"format_version\": \"1.0\",\n";
  CHECK(contains(
      replacedError(replaced(text, version, ""), "  \"data\": {", "  \"format_version\": \"3.1\",\n  \"data\": {"),
      "ember \"7.3.1\", which wrote it"));
  CHECK(contains(readError("{\"format\": \"ember-checkpoint\", \"format_version\": \"3.1\"}"), "take a newer ember"));
  CHECK(contains(readError("{\"format_version\": \"3.1\", \"format\": \"other\"}"), "\"format\" is \"other\""));
}

TEST_CASE("a required feature that is unknown (J6)") {
  const std::string text = written(small());
  CHECK(contains(replacedError(text, "\"required_features\": []", "\"required_features\": [\"sparse\"]"),
                 "requires the feature \"sparse\""));
  CHECK(contains(replacedError(text, "\"required_features\": []", "\"required_features\": 3"), "expected an array"));
  CHECK(contains(replacedError(text, "\"required_features\": [],", ""), "no field \"required_features\""));
}

TEST_CASE("anything twice (J7)") {
  const std::string text = written(small());
  CHECK(contains(replacedError(text, "\"model\"", "\"train\""), "has the key \"train\" twice"));
  const std::string entry = line(text, "\"weight\", \"role\"");
  CHECK(contains(replacedError(text, entry, entry + entry), "tensor \"weight\" is listed twice"));
  CHECK(contains(replacedError(text, "\"data\": {", "\"data\": {\"bias\": [\"AACAPwAAAEAAAEBA\"],"),
                 "has the key \"bias\" twice"));
  CHECK(
      contains(replacedError(text, "\"shape\": [3]", "\"shape\": [3], \"shape\": [3]"), "has the key \"shape\" twice"));
}

TEST_CASE("nesting beyond 32 levels, wherever it is (J11)") {
  const std::string text = written(small()), open(1'000'000, '[');
  for (const char* place : {"\"model\": ", "\"shape\": ", "\"weight\": ", "\"data\": "}) {
    const std::string deeper = std::string(place) + open, first = replacedError(text, place, deeper);
    // Where no array belongs, that is said at once.
    CHECK((contains(first, "nested deeper than 32") || contains(first, "has an array in it") ||
           contains(first, "\"data\" is an array")));
    CHECK(contains(replacedError(dataFirst(text), place, deeper), "nested deeper than 32"));
  }
  CHECK(contains(replacedError(text, "\"model\": ", "\"model\": " + open), "nested deeper than 32"));
  CHECK(contains(replacedError(text, "\"shape\": ", "\"shape\": " + open), "nested deeper than 32"));
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"x\":";
  CHECK(contains(replacedError(text, "\"model\": ", "\"model\": " + objects), "nested deeper than 32"));
  const auto nested = [&](int levels) {  // with the root object
    return replaced(text, "\"model\": {",
                    "\"y\": " + std::string(levels - 1, '[') + std::string(levels - 1, ']') + ", \"model\": {");
  };
  CHECK(readText(nested(32)).extra.has("y"));
  CHECK(contains(readError(nested(33)), "nested deeper than 32 levels"));
}

TEST_CASE("literals that JSON has not (J12)") {
  const std::string text = written(small(), {.readable = true});
  for (const char* literal : {"NaN", "Infinity", "-Infinity"}) {
    for (const char* place : {"\"epoch\": 3", "[3, 2]", "0.1, "}) {
      const std::string name(place), to = name[0] == '"' ? "\"epoch\": " : name[0] == '[' ? "[3, " : "";
      const std::string end = name[0] == '[' ? "]" : name[0] == '0' ? ", " : "";
      const std::string message = replacedError(text, name, to + literal + end);
      CHECK(contains(message, "is not valid JSON"));
      CHECK_MESSAGE(contains(message, "the strings \"NaN\", \"Infinity\" and \"-Infinity\" stand for them"), message);
    }
  }
  CHECK_FALSE(contains(replacedError(text, "\"epoch\": 3", "\"epoch\": nil"), "Infinity"));
}

TEST_CASE("header members stand in the order of the format, integers of 64 bits and what is not finite as strings") {
  Checkpoint checkpoint = small();
  checkpoint.optimizer = {{"type", "SGD"}};
  checkpoint.scheduler = {{"last_epoch", 3}};
  checkpoint.selfTest = {{"input_seed", Value::counter(u64{7})}, {"outputs", std::vector<double>{0.0123, -1.5}}};
  checkpoint.extra = {{"note", "x"}};
  constexpr double infinity = std::numeric_limits<double>::infinity();
  checkpoint.train = {{"seed", std::numeric_limits<u64>::max()},
                      {"best", std::numeric_limits<double>::quiet_NaN()},
                      {"high", infinity},
                      {"low", -infinity},
                      {"exact", (i64{1} << 53) - 1},
                      {"large", i64{1} << 53},
                      {"small", -(i64{1} << 53)},
                      {"step", Value::counter(i64{5})}};
  const std::string text = written(checkpoint);
  std::size_t last = 0;
  for (const char* key : {"format", "format_version", "required_features", "writer", "model", "train", "optimizer",
                          "scheduler", "tensors", "self_test", "note", "data", "end"}) {
    const auto at = text.find("\n  \"" + std::string(key) + "\": ");
    CHECK_MESSAGE((at != text.npos && (at > last || last == 0)), key);
    last = at;
  }
  CHECK(text.starts_with("{\n  \"format\": \"ember-checkpoint\",\n"));
  for (const char* part :
       {"\"seed\": \"18446744073709551615\"", "\"best\": \"NaN\"", "\"high\": \"Infinity\"", "\"low\": \"-Infinity\"",
        "\"exact\": 9007199254740991", "\"large\": \"9007199254740992\"", "\"small\": \"-9007199254740992\"",
        "\"step\": \"5\"", R"("self_test": {"input_seed": "7", "outputs": [0.0123, -1.5]})"}) {
    CHECK_MESSAGE(contains(text, part), part);
  }
  const Value train = readText(text).train;
  CHECK(train.get<u64>("seed") == std::numeric_limits<u64>::max());
  CHECK(std::isnan(train.get<double>("best")));
  CHECK(train.get<double>("high") == infinity);
  CHECK(train.get<double>("low") == -infinity);
  CHECK(train.get<i64>("large") == i64{1} << 53);
  CHECK(train.get<i64>("small") == -(i64{1} << 53));
  CHECK(train.get<i64>("step") == 5);
}

TEST_CASE("optional members of a newer minor version are ignored and kept") {
  std::string text = replaced(written(small()), "\"model\": {", "\"model\": {\"new\": [1], ");
  text = replaced(text, "\"name\": \"count\", \"role\"", "\"name\": \"count\", \"unit\": {\"a\": [\"s\"]}, \"role\"");
  text = replaced(text, "  \"data\": {", "  \"licence\": \"free\",\n  \"data\": {");
  const Checkpoint file = readText(text);
  CHECK(file.extra == Value{{"licence", "free"}});
  CHECK(file.find("count")->extra == Value{{"unit", {{"a", Value::array({"s"})}}}});
  CHECK(file.find("bias")->extra.isNull());
  const Checkpoint again = readText(written(file));
  CHECK(again.model == file.model);
  CHECK(again.extra == file.extra);
  CHECK(again.find("count")->extra == file.find("count")->extra);
}

TEST_CASE("the order of members does not matter (J26), unknown ones are kept") {
  Checkpoint checkpoint = small();
  checkpoint.selfTest = {{"input_seed", "7"}};
  checkpoint.extra = {{"frozen", Value::array()}, {"note", "x"}};
  const std::string text = written(checkpoint);
  CHECK(readText(text).extra == checkpoint.extra);
  CHECK(readText(text).selfTest == checkpoint.selfTest);
  const std::string reordered = dataFirst(text);
  const Checkpoint again = readText(reordered);
  CHECK(written(again) == text);
  CHECK(contains(replacedError(reordered, "AACAPwAAAEAAAEBA", "AACAPwAAAEAAAEBB"), "its check sum is"));
  // The version behind the tensors.
  CHECK(readText(replaced(replaced(text, "\"format_version\": \"1.0\",", ""), "\"end\": {",
                          "\"format_version\": \"1.0\", \"end\": {"))
            .tensors.size() == 3);
}

TEST_CASE("headers beyond the limits are refused (J31: 500,000 tensors, for 64 MB of header hold no 10^6 rows)") {
  const std::string text = written(small());
  const auto withValues = [&](int count) {  // in all members of the header
    std::string many = "\"x\": [0";
    for (int i = 1; i < count - 1; ++i) many += ",0";
    return replaced(text, "\"model\": {", many + "], \"model\": {");
  };
  const int own = 24;  // values of the other members
  CHECK(readText(withValues(1'000'000 - own)).extra.find("x")->size() == 1'000'000 - own - 1);
  CHECK(contains(readError(withValues(1'000'001 - own)), "more than 1,000,000 values in its header"));

  const auto entryWith = [&](int count) {  // values in the first row
    std::string many = "\"x\": [0";
    for (int i = 1; i < count - 10; ++i) many += ",0";
    return replaced(text, "\"role\": \"param\"", many + "], \"role\": \"param\"");
  };
  CHECK(readText(entryWith(1000)).tensors.size() == 3);
  CHECK(contains(readError(entryWith(1001)), "more than 1,000 values in one entry of \"tensors\""));

  // The shortest row and its comma: a million of them are more than the header may have.
  const std::string shortest = R"({"name":"a","role":"a","dtype":"u8","shape":[],"bytes":1,"crc32":"00000000"},)";
  CHECK(shortest.size() == 77);
  CHECK(shortest.size() * 1'000'000 > maxHeaderBytes);
  CHECK(shortest.size() * maxTensors < maxHeaderBytes);
  std::string tensors = text.substr(0, text.find("\"tensors\": [") + 12);
  for (int i = 0; i <= 500'000; ++i) {
    tensors.append(i ? "," : "")
        .append(R"({"name":"t)" + std::to_string(i) +
                R"(","role":"a","dtype":"u8","shape":[0],"bytes":0,"crc32":"00000000"})");
  }
  CHECK(contains(readError(tensors + "]}"), "lists more than 500,000 tensors"));
  tensors.resize(tensors.rfind(",{\"name\""));
  CHECK(contains(readError(tensors + "]}"), "no field \"data\""));

  std::string names = "{\"data\": {";
  for (int i = 0; i < 500'000; ++i) names += "\"" + std::to_string(i) + "\":0,";
  CHECK(contains(readError(names + "\"a\":0}}"), "has more than 500,000 names in its data"));
  names.pop_back();
  CHECK(contains(readError(names + "}}"), "no field \"format\""));
}

TEST_CASE("64 MiB outside the payload are allowed, before and behind it, in both passes (J31)") {
  const std::string text = written(small()), filler(100'000, 'x');
  const auto with = [&](std::string file, std::string_view before, int fillers) {
    std::string many;
    for (int i = 0; i < fillers; ++i)
      many += "\"" + std::string(before.substr(3, 3)) + std::to_string(i) + "\": \"" + filler + "\",\n";
    return replaced(std::move(file), before, many + std::string(before));
  };
  const std::string data = "  \"data\": {", end = "  \"end\": {";
  for (const std::string& file : {text, dataFirst(text)}) {
    // To the byte: what is not between the name "data" and the end of its object.
    const auto payload = file.find('}', file.find(data)) + 1 - (file.find(data) + data.size() - 3);
    const std::string most = with(file, end, 665);
    const std::string gap(67'108'864 + payload - most.size() - 11, ' ');
    CHECK(readText(replaced(most, end, "\"gap\": \"" + gap + "\",\n" + end)).extra.has("gap"));
    CHECK(contains(replacedError(most, end, "\"gap\": \"" + gap + " \",\n" + end),
                   "the part outside the payload passes the limit of 67,108,864 bytes"));
    CHECK(readText(with(file, end, 665)).tensors.size() == 3);
    CHECK(
        contains(readError(with(file, end, 680)), "the part outside the payload passes the limit of 67,108,864 bytes"));
  }
  CHECK(readText(with(with(text, data, 330), end, 330)).tensors.size() == 3);
  CHECK(contains(readError(with(with(text, data, 340), end, 340)), "passes the limit"));
  // The payload may be longer.
  Checkpoint large;
  large.tensors = {{"t", "param", counted({52'000'000}, DType::U8)}};
  const std::string whole = written(large);
  CHECK(whole.size() > 67'108'864);
  CHECK(readText(whole).tensors.size() == 1);
  CHECK(readText(dataFirst(whole)).tensors.size() == 1);
}

TEST_CASE("the end record must agree") {
  const std::string text = unsummed(written(small()));
  CHECK(contains(replacedError(text, "\"tensors\": 3", "\"tensors\": 4"), "\"end\" does not agree"));
  CHECK(contains(replacedError(text, "\"bytes\": \"44\"", "\"bytes\": \"45\""), "\"end\" does not agree"));
  CHECK(contains(replacedError(text, "\"end\": {", "\"stop\": {"), "no field \"end\""));
  CHECK(contains(replacedError(text, ", \"bytes\": \"44\"}", "}"), "end.bytes  missing"));
  CHECK(contains(replacedError(text, "{\"tensors\": 3, ", "{"), "end.tensors  missing"));
  CHECK(contains(replacedError(text, "\"tensors\": 3", "\"tensors\": [3]"), "end.tensors  [3]"));
  CHECK(readText(replaced(replaced(text, "\"44\"", "44"), "\"tensors\": 3", "\"tensors\": \"3\"")).tensors.size() == 3);
  CHECK(contains(replacedError(text, "\"model\": {", "\"model\": 3, \"x\": {"),
                 "\"model\" is an integer, expected an object"));
}
