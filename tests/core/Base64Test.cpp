#include <doctest/doctest.h>

#include <ember/core/io/Base64.h>

using namespace ember;
using namespace ember::io;

namespace {

std::string encode(std::string_view bytes) {
  std::string text;
  appendBase64(text, bytes.data(), bytes.size());
  return text;
}

/// The decoded bytes, or the problem.
std::string decode(std::string_view text, std::size_t capacity = 100) {
  std::string bytes(capacity, '\0');
  const Base64Result result = decodeBase64(text, bytes.data(), capacity);
  return result.problem.empty() ? bytes.substr(0, result.bytes) : result.problem;
}

}  // namespace

TEST_CASE("base64 agrees with the examples of RFC 4648") {
  const char* pairs[][2] = {{"", ""},
                            {"f", "Zg=="},
                            {"fo", "Zm8="},
                            {"foo", "Zm9v"},
                            {"foob", "Zm9vYg=="},
                            {"fooba", "Zm9vYmE="},
                            {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, text] : pairs) {
    CHECK(encode(plain) == text);
    CHECK(decode(text) == plain);
    CHECK(base64Length(std::string_view(plain).size()) == std::string_view(text).size());
  }
}

TEST_CASE("base64 gives back every byte at every position") {
  for (std::size_t length = 1; length <= 5; ++length) {
    for (int value = 0; value < 256; ++value) {
      std::string bytes(length, static_cast<char>(value));
      bytes[0] = static_cast<char>(255 - value);
      CHECK(decode(encode(bytes)) == bytes);
    }
  }
}

TEST_CASE("base64 refuses every character outside its alphabet, white space included (J18)") {
  for (int c = 0; c < 256; ++c) {
    const char character = static_cast<char>(c);
    const bool good =
        (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
    for (std::size_t at = 0; at < 4; ++at) {
      std::string text = "AAAAAAAA";
      text[at] = character;
      CHECK((decode(text).size() == 6) == good);
    }
  }
  CHECK(decode("AA\nA") == "character \"\\x0a\" at 2 is not base64");
}

TEST_CASE("base64 refuses wrong padding and bits behind the last byte (J18)") {
  CHECK(decode("AAA") == "its length, 3, is no multiple of 4");
  CHECK(decode("A===") != "");
  CHECK(decode("====") != "");
  CHECK(decode("AA==AAAA") == "character \"=\" at 2 is not base64");
  CHECK(decode("AB==") == "bits behind the last byte are set");
  CHECK(decode("AAB=") == "bits behind the last byte are set");
  CHECK(decode("AQ==") == "\x01");
}

TEST_CASE("base64 writes no byte beyond the room it was given") {
  char bytes[4] = {9, 9, 9, 9};
  const Base64Result result = decodeBase64("AAAA", bytes, 2);
  CHECK(result.problem == "it holds 3 bytes where 2 bytes are left");
  CHECK(bytes[0] == 9);
  CHECK(decodeBase64("AAA=", bytes, 2).problem.empty());
  CHECK(bytes[2] == 9);
}
