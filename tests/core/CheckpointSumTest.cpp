#include <ember/core/io/CheckpointSum.h>

#include "core/CheckpointText.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::io;
using namespace ember::test;

namespace {

/// With every part that a run has.
Checkpoint run() {
  Checkpoint checkpoint = small();
  checkpoint.writer = {{"program", "ember"}, {"threads", 2}};
  checkpoint.optimizer = {{"type", "SGD"}, {"step", "2815"}, {"groups", Value::array()}};
  checkpoint.optimizer.set("lr", 0.0125);
  checkpoint.scheduler = {{"gamma", 0.5}, {"factor", 2.0}};
  checkpoint.selfTest = {{"outputs", std::vector<double>{0.25, -1.5, 0, -3}}};
  checkpoint.extra = {{"note", "\xc3\xa9t\xc3\xa9"}, {"nothing", Value()}};
  return checkpoint;
}

}  // namespace

TEST_CASE("whatever bit of a checkpoint is flipped, it is refused, or read as the same") {
  const std::string text = written(run());
  const auto data = text.find("\"data\""), end = text.find("\"end\"");  // CheckpointPayloadTest has what is between
  int refused = 0, bySum = 0;
  for (std::size_t at = 0; at < text.size(); at = at + 1 == data ? end : at + 1) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string wrong = text;
      wrong[at] = static_cast<char>(wrong[at] ^ (1 << bit));
      std::string message = "no error";
      try {
        if (written(readText(wrong)) != text) message = "another checkpoint";
      } catch (const IoError& error) {
        message = error.what();
      }
      CAPTURE(at);
      CAPTURE(bit);
      REQUIRE(message != "another checkpoint");
      refused += message != "no error";
      bySum += contains(message, "the header is not the one that was written");
    }
  }
  CHECK(refused > 5000);
  CHECK(bySum > 1000);  // letters and digits that no other check could miss
}

TEST_CASE("the sum of a header is that of its members as JSON, whatever their order, the spaces and how numbers are spelled") {
  const std::string text = written(run());
  // By Python: sum(zlib.crc32(f"{name}: {json.dumps(value, ensure_ascii=False, sort_keys=True)}".encode()) ...) % 2**32,
  // of every member but "data" and "end", of "tensors" row by row, with 2 for 2.0.
  CHECK(contains(text, R"("header_crc32": "d3193c33"})"));
  CHECK(readText(dataFirst(text)).tensors.size() == 3);
  std::string loose = text;
  for (std::size_t at = 0; (at = loose.find("\": ", at)) != loose.npos; at += 6) loose.replace(at, 3, "\" :\n  ");
  CHECK(written(readText(loose)) == text);
  std::string moved = text;
  const std::string scheduler = line(text, "\"scheduler\"") + "\n";
  moved.erase(moved.find(scheduler), scheduler.size()).insert(2, scheduler);
  CHECK(readText(moved).scheduler == run().scheduler);
  // As jq and JavaScript write it, and with the members of an object in another order.
  std::string other = text;
  for (const auto& [from, to] : {std::pair{"\"factor\": 2.0", "\"factor\": 2"},
                                 std::pair{"-1.5, 0.0, -3.0", "-15e-1, 0, -3"},
                                 std::pair{"\"gamma\": 0.5", "\"gamma\": 0.50"},
                                 std::pair{"{\"epoch\": 3, \"step\": \"2815\"}", "{\"step\": \"2815\", \"epoch\": 3}"}}) {
    const auto at = other.find(from);
    REQUIRE(at != other.npos);
    other.replace(at, std::string_view(from).size(), to);
  }
  CHECK(readText(other).summed);
}

TEST_CASE("what was changed in a header is refused with the sum that would fit; a file may have none") {
  const std::string text = written(run());
  std::string changed = text;
  changed.replace(changed.find("0.0125"), 6, "0.0175");
  const std::string message = readError(changed);
  CHECK(contains(message, "\"net.json\": the header is not the one that was written"));
  CHECK(contains(message, "write the sum that was found into \"end\""));
  const auto found = message.find("found") + std::string_view("found             \"").size();
  const auto sum = changed.find("\"header_crc32\": ") + std::string_view("\"header_crc32\": \"").size();
  CHECK(readText(changed.replace(sum, 8, message.substr(found, 8))).optimizer.get<double>("lr") == 0.0175);
  CHECK(readText(unsummed(changed)).optimizer.get<double>("lr") == 0.0175);
  CHECK_FALSE(readText(unsummed(changed)).summed);
  CHECK(readText(text).summed);
  // The name of the sum could be what was damaged.
  std::string renamed = text;
  renamed[sum - 10] = 'R';
  CHECK(contains(readError(renamed), "\"end\" has a field \"header"));
  for (const char* other : {"\"0123456\"", "19088743", "null", "[\"01234567\"]"}) {
    std::string odd = text;
    CHECK(contains(readError(odd.replace(sum - 1, 10, other)), "end.header_crc32  "));
  }
}

TEST_CASE("whole numbers are spelled without a point below 2^53") {
  const auto asInteger = [](double number) {
    Checkpoint checkpoint = small();
    checkpoint.extra = {{"n", number}};
    std::string text = written(checkpoint), digits;
    appendJsonNumber(digits, number);
    text.replace(text.find("\"n\": " + digits), 5 + digits.size(), "\"n\": " + std::to_string(static_cast<i64>(number)));
    return readError(text);
  };
  CHECK(asInteger(9007199254740991.0) == "no error");
  CHECK(asInteger(-9007199254740991.0) == "no error");
  CHECK(contains(asInteger(9007199254740992.0), "the header is not the one that was written"));
}
