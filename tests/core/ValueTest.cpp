#include <doctest/doctest.h>

#include <clocale>
#include <cmath>
#include <limits>

#include <ember/core/Error.h>
#include <ember/core/io/Value.h>

#include "support/Headline.h"

using namespace ember;
using test::contains;
using test::messageOf;

TEST_CASE("values are made from what they look like") {
  const Value args{{"in", 1},     {"kernel", std::vector<i64>{3, 5}}, {"bias", false}, {"name", "conv"},
                   {"rate", 0.1}, {"inner", {{"deep", 7u}}}};
  CHECK(args.get<int>("in") == 1);
  CHECK(args.get<std::vector<i64>>("kernel") == std::vector<i64>{3, 5});
  CHECK(args.get<bool>("bias") == false);
  CHECK(args.get<std::string>("name") == "conv");
  CHECK(args.get<double>("rate") == 0.1);
  CHECK(args.get<double>("in") == 1.0);
  CHECK(args.get<u8>({"inner", "deep"}) == 7);
  CHECK(args.get<int>("groups", 4) == 4);
  CHECK(Value::array({1, "two", 3.5}).size() == 3);
  CHECK(Value(std::vector<std::string>{"a", "b"})[1].as<std::string>() == "b");
  CHECK(Value(std::string_view("x")).isString());
  CHECK(Value().isNull());
  CHECK(Value::object().isObject());
  CHECK(Value{{"a", Value::array()}}.dump() == R"({"a": []})");
}

TEST_CASE("a wrong kind or a missing field is named with its path") {
  const Value run{{"train", {{"epoch", "three"}, {"step", 5}}}};
  CHECK(contains(messageOf<ValueError>([&] {
                   run.get<i64>({"train", "epoch"});
                 }),
                 "\"train.epoch\" is a string, expected an integer"));
  CHECK(contains(messageOf<ValueError>([&] { run.get<i64>({"train", "seed"}); }), "no field \"train.seed\""));
  CHECK(contains(messageOf<ValueError>([&] { run.get<i64>({"train", "seed"}); }), "\"epoch\", \"step\""));
  CHECK(contains(messageOf<ValueError>([&] {
                   run.at({"train", "step", "x"});
                 }),
                 "\"train.step\" is an integer, expected an object"));
  CHECK(contains(messageOf<ValueError>([&] { run.at("train").get<bool>("step"); }),
                 "\"step\" is an integer, expected true or false"));
  CHECK(contains(messageOf<ValueError>([&] { run.get<int>("train", 3); }), "\"train\" is an object"));
  CHECK_THROWS_AS(Value(3).members(), ValueError);
  CHECK_THROWS_AS(Value::array({1})[1], ValueError);
  CHECK_THROWS_AS((Value{{"a", 1}, {"a", 2}}), ValueError);
}

TEST_CASE("integers are range checked, never cut") {
  CHECK_THROWS_AS(Value(256).as<u8>(), ValueError);
  CHECK_THROWS_AS(Value(-1).as<u64>(), ValueError);
  CHECK_THROWS_AS(Value(i64{1} << 40).as<int>(), ValueError);
  CHECK_THROWS_AS(Value(2.7).as<int>(), ValueError);
  CHECK_THROWS_AS(Value(true).as<int>(), ValueError);
  CHECK_THROWS_AS(Value("3x").as<i64>(), ValueError);
  CHECK_THROWS_AS(Value("").as<i64>(), ValueError);
  CHECK(Value(255).as<u8>() == 255);
}

TEST_CASE("64-bit integers and non-finite numbers survive as strings") {
  const u64 largest = std::numeric_limits<u64>::max();
  const i64 smallest = std::numeric_limits<i64>::min();
  const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  const Value value{{"u", largest},
                    {"i", smallest},
                    {"nan", nan},
                    {"inf", -infinity},
                    {"exact", (i64{1} << 53) - 1},
                    {"counter", Value::counter(i64{3})}};
  CHECK(
      value.dump() ==
      R"({"u": "18446744073709551615", "i": "-9223372036854775808", "nan": "NaN", "inf": "-Infinity", "exact": 9007199254740991, "counter": "3"})");
  const Value again = Value::parse(value.dump());
  CHECK(again == value);
  CHECK(again.get<u64>("u") == largest);
  CHECK(again.get<i64>("i") == smallest);
  CHECK(std::isnan(again.get<double>("nan")));
  CHECK(again.get<double>("inf") == -infinity);
  CHECK(again.get<i64>("counter") == 3);
  CHECK(Value::parse("18446744073709551615").as<u64>() == largest);
}

TEST_CASE("doubles come back with the same bits") {
  for (const double number :
       {0.1, 1.0, -0.0, 1e300, 5e-324, 1.7976931348623157e308, 123456789012345680.0, 1.0 / 3, 1e22, 1e-7}) {
    const double again = Value::parse(Value(number).dump()).as<double>();
    CHECK(again == number);
    CHECK(std::signbit(again) == std::signbit(number));
  }
  CHECK(Value(1.0).dump() == "1.0");
  CHECK(Value(0.1).dump() == "0.1");
}

TEST_CASE("text is escaped and must be UTF-8") {
  const std::string text = "a\"b\\c\n\t\x01\x7f\xc3\xa4";
  CHECK(Value(text).dump() == "\"a\\\"b\\\\c\\n\\t\\u0001\\u007f\xc3\xa4\"");
  CHECK(Value::parse(Value(text).dump()).as<std::string>() == text);
  CHECK(contains(messageOf<ValueError>([] { Value("\xff").dump(); }), "not UTF-8: \"\\xff\""));
}

TEST_CASE("long values go over several lines, and read back equal") {
  Value value = Value::object();
  for (int i = 0; i < 12; ++i) value.set("key" + std::to_string(i), {{"numbers", std::vector<i64>{i, i + 1}}});
  const std::string text = value.dumpReadable(60);
  CHECK(contains(text, "{\n  \"key0\": {\"numbers\": [0, 1]},\n"));
  CHECK(Value::parse(text) == value);
}

TEST_CASE("objects compare whatever the order of members, and the first difference is named") {
  const Value a{{"x", 1}, {"list", Value::array({1, {{"out", 32}}})}},
      b{{"list", Value::array({1.0, {{"out", 64}}})}, {"x", 1}};
  CHECK(Value{{"x", 1}, {"y", 2}} == Value{{"y", 2}, {"x", 1}});
  CHECK_FALSE(Value(1) == Value("1"));
  CHECK(firstDifference(a, b) == "list[1].out is 32 here and 64 there");
  CHECK(firstDifference(a, a).empty());
  CHECK(firstDifference(Value{{"x", 1}}, Value::object()) == "x is 1 here and missing there");
  CHECK(firstDifference(Value::object(), Value{{"x", 1}}) == "x is missing here and 1 there");
}

TEST_CASE("nesting that could not be read back is not written") {
  Value deep = 1;
  for (int i = 0; i < 32; ++i) deep = Value::array({deep});
  CHECK(Value::parse(deep.dump()) == deep);
  CHECK_THROWS_AS(Value::array({deep}).dump(), ValueError);
}

TEST_CASE("numbers are the same under a locale with a decimal comma (J32)") {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  const Value value{{"rate", 0.001}, {"large", 1e300}};
  const std::string text = value.dump();
  // Not every system has one of these; the others' turn comes where they exist.
  for (const char* locale : {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "C.UTF-8"}) {
    if (!std::setlocale(LC_ALL, locale)) continue;
    CHECK(value.dump() == text);
    CHECK(Value::parse(text) == value);
  }
  std::setlocale(LC_ALL, before.c_str());
}

TEST_CASE("members and elements of a temporary outlive it in a loop") {
  const auto make = [] {
    return Value{{"a long enough key to lie on the heap", 1}, {"another key of that kind, longer still", 2}};
  };
  i64 sum = 0;
  for (const auto& [key, value] : make().members()) sum += value.as<i64>() + (key.size() > 30 ? 10 : 0);
  CHECK(sum == 23);
  for (const Value& element : Value::array({1, 2, 3}).elements()) sum += element.as<i64>();
  CHECK(sum == 29);
}
