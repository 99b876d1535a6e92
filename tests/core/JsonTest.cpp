#include <doctest/doctest.h>

#include <ember/core/Error.h>
#include <ember/core/io/JsonReader.h>
#include <ember/core/io/JsonWriter.h>

#include "support/Headline.h"

using namespace ember;
using namespace ember::io;
using test::contains;
using test::messageOf;

namespace {

struct StringSink final : ByteSink {
  void write(std::string_view bytes) override { text += bytes; }
  std::string text;
};

std::string parseError(std::string_view text) {
  return messageOf<IoError>([&] { Value::parse(text); });
}

/// Takes whatever comes.
struct Nothing final : JsonHandler {
  void scalar(Value) override {}
  void number(std::string_view) override {}
  void text(std::string_view) override {}
  void key(std::string&) override {}
  void beginObject() override {}
  void endObject() override {}
  void beginArray() override {}
  void endArray() override {}
};

}  // namespace

TEST_CASE("the writer indents, separates and ends a text") {
  StringSink sink;
  JsonWriter writer(sink);
  writer.beginObject();
  writer.member("a", 1);
  writer.key("list");
  writer.beginArray();
  writer.value("x");
  writer.raw("1, 2, 3");
  writer.endArray();
  writer.key("empty");
  writer.beginArray();
  writer.endArray();
  writer.endObject();
  CHECK(sink.text == "{\n  \"a\": 1,\n  \"list\": [\n    \"x\",\n    1, 2, 3\n  ],\n  \"empty\": []\n}\n");
  CHECK(Value::parse(sink.text).at("list").size() == 4);
}

TEST_CASE("the writer refuses calls in a wrong order") {
  StringSink sink;
  JsonWriter writer(sink);
  CHECK_THROWS_AS(writer.key("a"), StateError);
  writer.beginObject();
  CHECK_THROWS_AS(writer.value(1), StateError);
  CHECK_THROWS_AS(writer.endArray(), StateError);
  writer.key("a");
  CHECK_THROWS_AS(writer.endObject(), StateError);
  writer.value(1);
  writer.endObject();
  CHECK_THROWS_AS(writer.value(2), StateError);
}

TEST_CASE("malformed texts are refused with place and reason") {
  for (const char* bad : {"{", "[1,]", "{\"a\" 1}", "{'a': 1}", "tru", "01", "+1", "1.", "\"\\x\"", "\"\xff\"", "[1 2]",
                          "\"a\nb\"", "// c\n1"}) {
    CHECK(contains(parseError(bad), "[json] IoError"));
  }
  CHECK(contains(parseError("[1, x]"), "byte 5"));
}

TEST_CASE("an empty text and a cut one say so (J1, J2)") {
  CHECK(contains(parseError(""), "is empty (0 bytes)"));
  const std::string text = R"({"a": [1, 2.5, "x"], "b": {"c": null}})";
  for (std::size_t length = 1; length < text.size(); ++length)
    CHECK(contains(parseError(text.substr(0, length)), "is cut off"));
}

TEST_CASE("a repeated key is refused and named (J7)") {
  CHECK(contains(parseError(R"({"a": 1, "a": 2})"), "has the key \"a\" twice"));
  CHECK(contains(parseError(R"({"o": [{"k": 1, "k": 1}]})"), "has the key \"k\" twice"));
  CHECK(Value::parse(R"([{"k": 1}, {"k": 2}])").size() == 2);
}

TEST_CASE("text behind the end is refused (J8)") {
  CHECK(contains(parseError("{} {}"), "has more text behind its end"));
  CHECK(contains(parseError("1 2"), "has more text behind its end"));
  for (const char* more : {"", "x", "{}", " "}) {  // a NUL, too, which some readers take for the end
    CHECK(contains(parseError(std::string("{}\0", 3) + more), "has more text behind its end"));
    CHECK(contains(parseError(std::string("{} \n\0", 5) + more), "has more text behind its end"));
  }
  CHECK(Value::parse(" {} \n").isObject());
}

TEST_CASE("a byte order mark is passed over (J9)") { CHECK(Value::parse("\xef\xbb\xbf[1]").size() == 1); }

TEST_CASE("nesting is bounded, however deep a text goes (J11)") {
  const std::string levels(1'000'000, '[');
  CHECK(contains(parseError(levels), "is nested deeper than 32 levels"));
  CHECK(Value::parse(std::string(32, '[') + std::string(32, ']')).isArray());
  CHECK(contains(parseError(std::string(33, '[') + std::string(33, ']')), "nested deeper"));
}

TEST_CASE("NaN and Infinity literals are refused with the accepted form (J12)") {
  for (const char* bad : {"NaN", "[Infinity]", "[-Infinity]", "{\"a\": NaN}"})
    CHECK(contains(parseError(bad), "\"-Infinity\" stand for them"));
}

TEST_CASE("numbers beyond the range of double are refused (J14)") {
  CHECK(contains(parseError("1e400"), "beyond the range of double"));
  CHECK(contains(parseError("[-1e400]"), "beyond the range of double"));
  CHECK(Value::parse("[5e-324]")[0].as<double>() == 5e-324);
}

TEST_CASE("a token beyond the limit is refused before it is kept") {
  Nothing nothing;
  const std::string text = "[\"" + std::string(3'000'000, 'a') + "\"]";
  MemorySource source(text);
  const std::string message = messageOf<IoError>([&] { JsonReader(source, "load").read(nothing); });
  CHECK(contains(message, "passes the limit of 1,048,576 bytes"));
  const std::string spaces = "[" + std::string(3'000'000, ' ') + "]";
  MemorySource gap(spaces);
  CHECK_THROWS_AS(JsonReader(gap, "load").read(nothing), IoError);
  MemorySource total(spaces);
  CHECK_THROWS_AS(JsonReader(total, "load", {.tokenBytes = ~u64{0}, .totalBytes = 1'000'000}).read(nothing), IoError);
}

TEST_CASE("strings of every length come through, with and without what needs an escape") {
  // Long plain ones are taken past the lexer; these are at the borders of that, and of the buffer.
  const std::string parts[] = {
      "", "\"", "\\", "\n", "\x7f", "\xc3\xa4", "\\\"", std::string(100, '\\'), std::string(100, '"')};
  for (const std::size_t before : {0, 1, 62, 63, 64, 65, 66, 300}) {
    for (const std::size_t behind : {0, 1, 63, 64, 65, 300}) {
      for (const std::string& part : parts) {
        const std::string text = std::string(before, 'a') + part + std::string(behind, ' ');
        const Value list = Value::array({text, "x", text, 7});
        CHECK(Value::parse(list.dump()) == list);
        const Value object = Value::object().append(text + "k", text).append("b", text);
        CHECK(Value::parse(object.dump()) == object);
      }
    }
  }
  for (const std::size_t length : {262'000, 262'140, 262'141, 262'142, 262'143, 262'144, 262'145, 262'146, 600'000}) {
    const Value list = Value::array({"a", std::string(length, 'b'), "c", std::string(100, 'd')});
    CHECK(Value::parse(list.dump()) == list);
  }
  const std::string key(100, 'k');
  CHECK(contains(parseError("{\"" + key + "\": 1, \"" + key + "\": 2}"), "has the key \"" + key + "\" twice"));
}

TEST_CASE("what no string may hold is refused in long ones too") {
  for (const std::string& bad :
       {std::string(100, '\x01'), std::string(100, '\n'), std::string(100, '\x1f'), std::string(100, '\xff'),
        std::string(100, '\0'), std::string(99, 'a') + '\t', std::string(99, 'a') + "\xff"}) {
    CHECK(contains(parseError("[\"" + bad + "\"]"), "is not valid JSON"));
  }
  CHECK(Value::parse("[\"" + std::string(100, '\\') + "\"]")[0].as<std::string>() == std::string(50, '\\'));
  CHECK(contains(parseError("[\"" + std::string(101, '\\') + "\"]"), "is cut off"));
}

TEST_CASE("every way to write a number") {
  const std::pair<const char*, double> numbers[] = {
      {"1E5", 1e5},    {"1e+5", 1e5},
      {"25e-2", 0.25}, {"-0.5", -0.5},
      {"-1E-1", -0.1}, {"10.25e+09", 1.025e10},
      {"0.90", 0.9},   {"9.0", 9},
      {"-0.0", -0.0},  {"12345678901234567890123", 12345678901234567890123.0}};
  for (const auto& number : numbers) CHECK(Value::parse(number.first).as<double>() == number.second);
}

TEST_CASE("reasons are sentences of their own") {
  for (const char* bad : {"{]", "[1 2]", "[tru]", "{\"a\" 1}", "[\"\\x\"]"}) {
    const std::string message = parseError(std::string(bad) + "   ");  // not at the end, as if cut off
    CHECK(contains(message, "reason  "));
    CHECK_FALSE(contains(message, "json.exception"));
    CHECK_FALSE(contains(message, "last read"));
    CHECK_FALSE(contains(message, "Infinity"));
  }
  CHECK_FALSE(contains(parseError("{\"\\N\": 1}"), "Infinity"));
  CHECK_FALSE(contains(parseError("[nul]"), "Infinity"));
}

TEST_CASE("limits hold to the byte, however the bytes come") {
  Nothing nothing;
  /// Gives one byte at a time.
  struct Slow final : ByteSource {
    explicit Slow(std::string t) : ByteSource("slow"), text(std::move(t)) {}
    std::size_t read(void* to, std::size_t) override {
      if (next == text.size()) return 0;
      *static_cast<char*>(to) = text[next++];
      return 1;
    }
    std::string text;
    std::size_t next = 0;
  };
  const auto message = [&](const std::string& text, const JsonLimits& limits) {
    Slow source(text);
    return messageOf<IoError>([&] { JsonReader(source, "load", limits).read(nothing); });
  };
  const auto string = [](std::size_t length) { return "\"" + std::string(length - 2, 'a') + "\""; };
  CHECK(message(string(101), {.tokenBytes = 100}) == "no error");  // when its last byte comes, 100 are kept
  CHECK(contains(message(string(102), {.tokenBytes = 100}), "one string, number or gap passes the limit of 100 bytes"));
  CHECK(message("[" + std::string(100, ' ') + "]", {.tokenBytes = 100}) == "no error");
  CHECK(contains(message("[" + std::string(101, ' ') + "]", {.tokenBytes = 100}), "passes the limit of 100 bytes"));
  CHECK(message("[" + string(101) + "," + string(100) + "]", {.tokenBytes = 100}) == "no error");
  CHECK(message(string(100), {.totalBytes = 100}) == "no error");
  CHECK(contains(message(string(101), {.totalBytes = 100}),
                 "the part outside the payload passes the limit of 100 bytes"));
  CHECK(contains(message(string(101), {.totalBytes = 100, .totalShown = 70}), "passes the limit of 70 bytes"));
}
