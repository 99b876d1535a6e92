// The reader of ONNX's files on good and on broken bytes; the files here are written by hand, field by field.
#include <doctest/doctest.h>

#include <bit>
#include <limits>

#include <ember/core/Error.h>

#include "conformance/Onnx.h"
#include "conformance/Wire.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::test;
using namespace ember::test::onnx;

namespace {

std::string varint(u64 value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}

std::string fixed(u64 value, int count) {
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

std::string real(float value) { return fixed(std::bit_cast<u32>(value), 4); }
std::string tag(u64 id, u64 wire) { return varint(id << 3 | wire); }
std::string number(u64 id, i64 value) { return tag(id, 0) + varint(static_cast<u64>(value)); }
std::string bytes(u64 id, const std::string& value) { return tag(id, 2) + varint(value.size()) + value; }

constexpr i64 f32 = 1, u8Type = 2, i32Type = 6, i64Type = 7, boolType = 9, f64 = 11, bf16Type = 16;

/// A TensorProto of that shape and type with the fields in `rest`.
std::string tensor(const std::vector<i64>& dims, i64 type, const std::string& rest) {
  std::string result;
  for (const i64 dim : dims) result += number(1, dim);
  return result + number(2, type) + rest;
}

Tensor parsed(const std::string& proto) { return parseTensor(proto, "t.pb"); }
std::string refusal(const std::string& proto) {
  return headlineOf<IoError>([&] { parsed(proto); });
}

/// y = Relu(x + c), c an initializer.
std::string smallModel() {
  const auto node = [](const std::string& inputs, const char* output, const char* op) {
    return bytes(1, inputs + bytes(2, output) + bytes(4, op));
  };
  const auto port = [](u64 id, const char* name) { return bytes(id, bytes(1, name) + bytes(2, bytes(1, ""))); };
  const std::string slope = bytes(1, bytes(1, "s") + bytes(2, "y") + bytes(4, "LeakyRelu") +
                                         bytes(5, bytes(1, "alpha") + tag(2, 5) + real(0.5F)) +
                                         bytes(5, bytes(1, "axes") + number(8, 3) + bytes(8, varint(4))));
  const std::string graph = node(bytes(1, "x") + bytes(1, "c"), "s", "Add") + slope +
                            bytes(5, tensor({2}, f32, bytes(8, "c") + bytes(9, real(1) + real(2)))) + port(11, "x") +
                            port(11, "c") + port(12, "y");
  return number(1, 8) + bytes(8, bytes(1, "") + number(2, 13)) + bytes(7, graph);
}

}  // namespace

TEST_CASE("tensors are read from raw data and from typed lists, packed or one by one") {
  const Tensor raw = parsed(tensor({2, 1}, f32, bytes(9, real(1.5F) + real(-2))));
  CHECK((raw.shape() == Shape{2, 1}));
  CHECK(raw.toVector<float>() == std::vector<float>{1.5F, -2});
  CHECK(parsed(bytes(1, varint(2)) + number(2, f32) + bytes(4, real(1) + real(2))).toVector<float>() ==
        std::vector<float>{1, 2});
  CHECK(parsed(tensor({2}, f32, tag(4, 5) + real(3) + tag(4, 5) + real(4))).toVector<float>() ==
        std::vector<float>{3, 4});
  CHECK(parsed(tensor({}, f64, tag(10, 1) + fixed(std::bit_cast<u64>(0.1), 8))).item() == 0.1);
  CHECK(parsed(tensor({2}, i64Type, number(7, -5) + number(7, 1L << 60))).toVector<i64>() ==
        std::vector<i64>{-5, 1L << 60});
  CHECK(parsed(tensor({2}, i32Type, bytes(5, varint(7) + varint(static_cast<u64>(-7))))).toVector<i32>() ==
        std::vector<i32>{7, -7});
  CHECK(parsed(tensor({2}, u8Type, number(5, 0) + number(5, 255))).toVector<i64>() == std::vector<i64>{0, 255});
  CHECK(parsed(tensor({3}, boolType, bytes(9, std::string("\0\1\2", 3)))).toVector<i64>() == std::vector<i64>{0, 1, 1});
  CHECK(parsed(tensor({1}, bf16Type, number(5, 0x3FC0))).toVector<float>() == std::vector<float>{1.5F});
  CHECK((parsed(tensor({0, 3}, f32, "")).shape() == Shape{0, 3}));
}

TEST_CASE("what no tensor of ember holds is unsupported, not malformed") {
  CHECK_THROWS_WITH_AS(parsed(tensor({1}, 10, bytes(9, "ab"))), "dtype f16", Unsupported);
  CHECK_THROWS_WITH_AS(parsed(tensor({1}, 99, "")), "dtype number 99", Unsupported);
  CHECK_THROWS_AS(parsed(tensor({1}, f32, bytes(13, ""))), Unsupported);
}

TEST_CASE("broken wire format is an error that names file and byte") {
  CHECK(refusal("\x80") == "[onnx] IoError: t.pb: a varint goes past the end at byte 1 of 1");
  CHECK(refusal(std::string(10, '\xFF') + '\1').find("a varint has more than 64 bits") != std::string::npos);
  CHECK(refusal(std::string("\x10") + std::string(9, '\x80') + '\2').find("more than 64 bits") != std::string::npos);
  CHECK(refusal(tag(9, 2) + varint(5) + "abcd") ==
        "[onnx] IoError: t.pb: a value of 5 bytes goes past the end at byte 2 of 6");
  CHECK(refusal(tag(9, 2) + varint(std::numeric_limits<u64>::max())).find("goes past the end") != std::string::npos);
  CHECK(refusal(tag(4, 5) + "abc").find("a number of 4 bytes goes past the end") != std::string::npos);
  CHECK(refusal(tag(10, 1) + "abcdefg").find("a number of 8 bytes goes past the end") != std::string::npos);
  for (const u64 wire : {3, 4, 6, 7}) {
    CHECK(refusal(tag(1, wire)) == "[onnx] IoError: t.pb: wire type " + std::to_string(wire) + " at byte 1 of 1");
  }
  CHECK(refusal(tag(0, 0) + varint(1)).find("field number 0") != std::string::npos);
  CHECK(refusal(bytes(2, "")).find("field 2 has wire type 2, expected 0") != std::string::npos);
  CHECK(refusal(number(9, 1)).find("field 9 has wire type 0, expected 2") != std::string::npos);
  CHECK(refusal(bytes(4, "abc")).find("a number of 4 bytes goes past the end at byte 0 of 3") != std::string::npos);
}

TEST_CASE("a tensor whose data do not fill its shape is an error before memory is taken") {
  CHECK(refusal(tensor({3}, f32, bytes(9, real(1)))) ==
        "[onnx] IoError: t.pb: tensor [3] has 4 bytes, expected 12 at byte 0 of 10");
  CHECK(refusal(tensor({2}, i64Type, number(7, 1))).find("has 1 elements, expected 2") != std::string::npos);
  CHECK(refusal(tensor({1}, i64Type, bytes(4, real(1)))).find("has 0 elements, expected 1") != std::string::npos);
  CHECK(refusal(tensor({1L << 40}, f32, "")).find("expected 1099511627776") != std::string::npos);
  CHECK_THROWS_AS(parsed(tensor({-1}, f32, "")), ShapeError);
  CHECK_THROWS_AS(parsed(tensor({1L << 40, 1L << 40}, f32, "")), ShapeError);
  CHECK_THROWS_AS(parsed(tensor({1L << 62}, f32, bytes(9, ""))), ShapeError);
  CHECK_THROWS_AS(parsed(tensor(std::vector<i64>(9, 1), f32, bytes(9, real(1)))), ShapeError);
}

TEST_CASE("a model is its nodes, their attributes, and its constants") {
  const Model model = parseModel(smallModel(), "m.onnx");
  CHECK(model.opset == 13);
  REQUIRE(model.nodes.size() == 2);
  CHECK(model.nodes[0].op == "Add");
  CHECK(model.nodes[0].inputs == std::vector<std::string>{"x", "c"});
  CHECK(model.nodes[1].attributes.at("alpha").number == 0.5);
  CHECK(model.nodes[1].attributes.at("axes").integers == std::vector<i64>{3, 4});
  CHECK(model.constants.at("c").toVector<float>() == std::vector<float>{1, 2});
  REQUIRE(model.inputs.size() == 1);  // a constant is no input
  CHECK(model.inputs[0].name == "x");
  CHECK(model.outputs[0].isTensor);
}

TEST_CASE("a model cut or changed at any byte is read or refused") {
  const std::string whole = smallModel();
  int refused = 0;
  const auto read = [&](const std::string& proto) {
    try {
      parseModel(proto, "m.onnx");
    } catch (const Error&) {
      ++refused;
    } catch (const Unsupported&) {
      ++refused;
    }
  };
  for (std::size_t i = 0; i < whole.size(); ++i) {
    read(whole.substr(0, i));
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = whole;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      read(changed);
    }
  }
  CHECK(refused > static_cast<int>(whole.size()));
}
