#include <clocale>

#include "CheckpointText.h"

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
