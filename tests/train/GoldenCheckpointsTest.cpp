// Checkpoints as ember 0.1 wrote them must be read for ever, with these values, and their runs go on as they did.
// tests/golden/checkpoints/generate made the files, and took the values down with Python: a folder for each release.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include <doctest/doctest.h>

#include "support/Headline.h"
#include "support/TempFolder.h"
#include "train/GoldenRuns.h"

using namespace ember;
using namespace ember::test;

namespace {

const std::string first = std::string(EMBER_TEST_DATA) + "/checkpoints/";

/// Of all releases; the first has no name of its own.
std::vector<std::string> folders() {
  std::vector<std::string> list{first};
  for (const auto& entry : std::filesystem::directory_iterator(first)) {
    if (entry.is_directory()) list.push_back(entry.path().string() + "/");
  }
  return list;
}

std::string hexOf(const core::NDArray& array) {
  constexpr char digits[] = "0123456789abcdef";
  const core::NDArray dense = array.contiguous();
  const auto* bytes = static_cast<const unsigned char*>(dense.raw());
  std::string text;
  for (i64 i = 0; i < dense.bytes(); ++i) text.append(1, digits[bytes[i] >> 4]).append(1, digits[bytes[i] & 15]);
  return text;
}

/// Kernels of another CPU round otherwise: by a share of what stands in the list, or of 1.
void checkNear(const std::vector<double>& found, const std::vector<double>& expected, const std::string& what) {
  REQUIRE_MESSAGE(found.size() == expected.size(), what);
  double scale = 1, worst = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    scale = std::max(scale, std::abs(expected[i]));
    worst = std::max(worst, std::abs(found[i] - expected[i]));
  }
  CHECK_MESSAGE(worst <= 1e-4 * scale, what << ": off by " << worst);
}

void checkTensor(const io::CheckpointTensor& tensor, const Value& expected, const std::string& file) {
  CHECK(tensor.name == expected.get<std::string>("name"));
  CHECK(tensor.role == expected.get<std::string>("role"));
  CHECK(ember::name(tensor.array.dtype()) == expected.get<std::string>("dtype"));
  CHECK(tensor.array.shape().vector() == expected.get<std::vector<i64>>("shape"));
  CHECK_MESSAGE(hexOf(tensor.array) == expected.get<std::string>("bytes"), file << ": " << tensor.name);
}

}  // namespace

TEST_CASE("golden checkpoints of every release are read, with the values they were written with") {
  int files = 0, summed = 0, tested = 0, frozen = 0, aliases = 0;
  for (const std::string& folder : folders()) {
    const Value all = Value::parse(readFile(folder + "values.json"));
    for (const auto& entry : all.members()) {
      const std::string& name = entry.first;  // no structured bindings: checks take names into lambdas
      const Value& expected = entry.second;
      const io::Checkpoint file = io::readCheckpoint(folder + name);
      const Value& header = expected.at("header");
      ++files;
      summed += contains(readFile(folder + name), "\"header_crc32\": ");
      tested += header.has("self_test");
      frozen += header.has("frozen");
      aliases += header.has("aliases");
      for (const auto& member : header.members()) {
        const std::string& key = member.first;
        const Value& value = member.second;
        const Value* found = key == "writer"      ? &file.writer
                             : key == "model"     ? &file.model
                             : key == "train"     ? &file.train
                             : key == "optimizer" ? &file.optimizer
                             : key == "scheduler" ? &file.scheduler
                             : key == "self_test" ? &file.selfTest
                                                  : file.extra.find(key);
        REQUIRE_MESSAGE(found, name << ": " << key);
        CHECK_MESSAGE(firstDifference(*found, value) == "", name << ": " << key);
      }
      const Value& tensors = expected.at("tensors");
      REQUIRE(tensors.size() == file.tensors.size());
      for (std::size_t i = 0; i < file.tensors.size(); ++i) checkTensor(file.tensors[i], tensors[i], name);
    }
  }
  CHECK(files >= 10);
  CHECK(summed >= 5);
  CHECK(summed < files);  // the first were written without
  CHECK(tested >= 4);
  CHECK(frozen >= 3);
  CHECK(aliases >= 1);
}

TEST_CASE("golden checkpoints become the nets they were") {
  for (const char* name : {"net.json", "net_readable.json"}) {
    const auto net = goldenNet();
    const auto other = nn::load(first + name);
    REQUIRE(other->namedParameters().size() == net->namedParameters().size());
    for (std::size_t i = 0; i < net->namedParameters().size(); ++i)
      CHECK(hexOf(other->namedParameters()[i].tensor.array()) == hexOf(net->namedParameters()[i].tensor.array()));
    CHECK(load(first + name, *net).missing.empty());
  }
  for (const std::string& folder : folders()) {
    if (folder == first) continue;
    const auto frozen = nn::load(folder + "tested.json");  // its self-test passes
    for (const nn::Parameter& p : frozen->namedParameters())
      CHECK_MESSAGE(p.tensor.requiresGrad() == (p.name != "0.weight"), p.name);
    const auto tied = goldenTied();
    const auto again = nn::load(folder + "tied.json");
    CHECK(again->aliases() == tied->aliases());
    CHECK(again->aliases().size() == 1);
    CHECK((*again)(Tensor::ones({1, 2})).toVector<float>() == (*tied)(Tensor::ones({1, 2})).toVector<float>());
    CHECK_FALSE(again->namedParameters().back().tensor.requiresGrad());
  }
}

TEST_CASE("golden runs go on to the losses and the tensors that they had") {
  for (const std::string& folder : folders()) {
    const Value all = Value::parse(readFile(folder + "resumed.values"));
    CHECK(all.size() == 2);
    for (const auto& entry : all.members()) {
      const std::string& kind = entry.first;
      const Value& expected = entry.second;
      GoldenRun run(kind, folder != first);
      run.trainer->resume(folder + kind + ".json");
      CHECK(run.trainer->epoch() == 1);
      CHECK(run.trainer->batch() == 2);
      const Value found = run.goOn();
      const auto losses = expected.get<std::vector<double>>("losses");
      CHECK(losses.size() == 3);
      checkNear(found.get<std::vector<double>>("losses"), losses, folder + kind + ": losses");
      CHECK(found.at("tensors").size() == expected.at("tensors").size());
      for (const auto& tensor : expected.at("tensors").members())
        checkNear(found.get<std::vector<double>>({"tensors", tensor.first}), tensor.second.as<std::vector<double>>(),
                  folder + kind + ": " + tensor.first);
    }
  }
}

TEST_CASE("write the golden checkpoints" * doctest::skip()) {
  const char* target = std::getenv("EMBER_GOLDEN_FOLDER");
  REQUIRE(target);
  const std::string to = std::string(target) + "/";
  const auto net = goldenNet();
  net->freeze("0.weight");
  (*net)(Tensor::ones({2, 1, 4, 4}));
  save(to + "tested.json", *net);
  save(to + "tied.json", *goldenTied());
  io::writeCheckpoint(to + "types.json", goldenTypes());
  for (const std::string kind : {"sgd", "adam"}) {
    GoldenRun run(kind, true);
    for (int i = 0; i < 7; ++i) run.trainer->step();
    run.trainer->save(to + kind + ".json");
  }
}

TEST_CASE("take down how the golden runs go on" * doctest::skip()) {
  const char* target = std::getenv("EMBER_GOLDEN_FOLDER");
  REQUIRE(target);
  const std::string from = std::string(target) + "/", to = from + "resumed.values";
  REQUIRE_FALSE(std::filesystem::exists(to));
  Value all = Value::object();
  for (const std::string kind : {"sgd", "adam"}) {
    GoldenRun run(kind, !std::filesystem::equivalent(from, first));
    run.trainer->resume(from + kind + ".json");
    all.set(kind, run.goOn());
  }
  writeFile(to, all.dumpReadable() + "\n");
}
