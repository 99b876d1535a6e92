#include <clocale>
#include <cstdlib>
#include <locale>
#include <string>

#include "CheckpointText.h"
#include "support/Headline.h"
#include "support/TempFolder.h"

using namespace ember;
using namespace ember::io;
using namespace ember::test;
using core::NDArray;

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

TEST_CASE("a save refuses texts and lists that a load would refuse, to the byte (J10, J31)") {
  const auto error = [](const Value& note, const Value& extra = {}) {
    Checkpoint checkpoint;
    checkpoint.tensors = {{"t", "param", counted({1}, DType::F32), extra}};
    checkpoint.extra = {{"note", note}};
    return messageOf<ValueError>([&] { readText(written(checkpoint)); });
  };
  CHECK(error(std::string(1'048'574, 'a')) == "no error");
  CHECK(contains(error(std::string(1'048'575, 'a')),
                 "has a text of 1,048,577 bytes, at most 1,048,576 bytes are allowed"));
  CHECK(error(std::string(174'762, '\x01')) == "no error");
  CHECK(contains(error(std::string(174'763, '\x01')), "has a text of 1,048,580 bytes"));
  CHECK(contains(error(Value::object().append(std::string(1'048'575, 'k'), 1)), "has a text of"));
  CHECK(error(std::vector<int>(999'000, 0)) == "no error");
  CHECK(contains(error(std::vector<int>(1'000'000, 0)), "values, at most 1,000,000 are allowed"));
  CHECK(error(1, {{"list", std::vector<int>(800, 0)}}) == "no error");
  CHECK(contains(error(1, {{"list", std::vector<int>(1000, 0)}}), "tensor \"t\" has too many extra fields"));
  CHECK(contains(error(1, {{"shape", 3}}), "tensor \"t\": the extra member \"shape\" has the name of a fixed one"));
  CHECK(contains(error(1, 7), "tensor \"t\": the extra is an integer, expected an object"));
  Checkpoint checkpoint;
  checkpoint.extra = {{"self_test", 3}};
  CHECK(contains(messageOf<ValueError>([&] { written(checkpoint); }),
                 "member \"self_test\" has the name of a fixed one"));
  checkpoint.extra = {};
  for (Value* part : {&checkpoint.writer, &checkpoint.model, &checkpoint.train, &checkpoint.optimizer,
                      &checkpoint.scheduler, &checkpoint.selfTest}) {
    *part = 3;
    CHECK(contains(messageOf<ValueError>([&] { written(checkpoint); }), "is an integer, expected an object"));
    *part = {};
  }
}

TEST_CASE("the same bytes out and in under a locale with a decimal comma (J32)") {
  Checkpoint checkpoint;
  checkpoint.train = {{"lr", 0.125}, {"small", 1e-5}, {"images", 1234567}, {"step", Value::counter(i64{12345678})}};
  checkpoint.tensors = {{"f", "param", NDArray::from<float>({0.5f, 2.5f, 1e-20f, 1234567.0f}, {4})},
                        {"d", "param", NDArray::from<double>({0.1, 1e300}, {2})},
                        {"i", "param", NDArray::from<i32>({1234567, -1000}, {2})}};
  const std::string text = written(checkpoint, {.readable = true}), plain = written(checkpoint);
  const std::string error = readError(replaced(text, "0.5, 2.5", "0,5, 2.5"));
  // tests/Locale.sh makes one and names it here; without it, what the system has.
  const char* made = std::getenv("EMBER_TEST_LOCALE");
  const std::string before = std::setlocale(LC_ALL, nullptr);
  int commas = 0;
  for (const char* name : {made ? made : "de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "C.UTF-8"}) {
    if (!std::setlocale(LC_ALL, name)) continue;
    const std::locale cpp = std::locale::global(std::locale(name));
    commas += std::localeconv()->decimal_point == std::string(",");
    CHECK(written(checkpoint, {.readable = true}) == text);
    CHECK(written(checkpoint) == plain);
    for (const std::string& file : {text, plain}) {
      const Checkpoint again = readText(file);
      CHECK(again.train == checkpoint.train);
      for (std::size_t i = 0; i < 3; ++i)
        CHECK(bytesOf(again.tensors[i].array) == bytesOf(checkpoint.tensors[i].array));
    }
    CHECK(readError(replaced(text, "0.5, 2.5", "0,5, 2.5")) == error);
    std::locale::global(cpp);
  }
  std::setlocale(LC_ALL, before.c_str());
  if (made) CHECK(commas > 0);
  if (commas == 0) MESSAGE("no locale with a comma here; tests/Locale.sh makes one");
}
