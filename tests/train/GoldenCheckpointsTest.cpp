// Checkpoints as ember 0.1 wrote them must be read for ever, with these values. tests/golden/checkpoints/generate made
// the files, and took the values down with Python.
#include <cstdlib>
#include <fstream>

#include <doctest/doctest.h>

#include "support/TempFolder.h"
#include "train/GoldenRuns.h"

using namespace ember;
using namespace ember::test;

namespace {

const std::string folder = std::string(EMBER_TEST_DATA) + "/checkpoints/";

std::string hexOf(const core::NDArray& array) {
  constexpr char digits[] = "0123456789abcdef";
  const core::NDArray dense = array.contiguous();
  const auto* bytes = static_cast<const unsigned char*>(dense.raw());
  std::string text;
  for (i64 i = 0; i < dense.bytes(); ++i) text.append(1, digits[bytes[i] >> 4]).append(1, digits[bytes[i] & 15]);
  return text;
}

}  // namespace

TEST_CASE("golden checkpoints of every release are read, with the values they were written with") {
  const Value all = Value::parse(readFile(folder + "values.json"));
  CHECK(all.size() == 6);
  for (const auto& entry : all.members()) {
    const std::string& name = entry.first;  // no structured bindings: checks take names into lambdas
    const Value& expected = entry.second;
    const io::Checkpoint file = io::readCheckpoint(folder + name);
    const Value& header = expected.at("header");
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
    for (std::size_t i = 0; i < file.tensors.size(); ++i) {
      const io::CheckpointTensor& tensor = file.tensors[i];
      CHECK(tensor.name == tensors[i].get<std::string>("name"));
      CHECK(tensor.role == tensors[i].get<std::string>("role"));
      CHECK(ember::name(tensor.array.dtype()) == tensors[i].get<std::string>("dtype"));
      CHECK(tensor.array.shape().vector() == tensors[i].get<std::vector<i64>>("shape"));
      CHECK_MESSAGE(hexOf(tensor.array) == tensors[i].get<std::string>("bytes"), name << ": " << tensor.name);
    }
  }
}

TEST_CASE("golden checkpoints become nets and runs that go on") {
  for (const char* name : {"net.json", "net_readable.json"}) {
    const auto net = goldenNet();
    const auto other = nn::load(folder + name);
    REQUIRE(other->namedParameters().size() == net->namedParameters().size());
    for (std::size_t i = 0; i < net->namedParameters().size(); ++i)
      CHECK(hexOf(other->namedParameters()[i].tensor.array()) == hexOf(net->namedParameters()[i].tensor.array()));
    CHECK(load(folder + name, *net).missing.empty());
  }
  for (const std::string kind : {"sgd", "adam"}) {
    GoldenRun run(kind);
    run.trainer->resume(folder + kind + ".json");
    CHECK(run.trainer->epoch() == 1);
    CHECK(run.trainer->batch() == 2);
    CHECK(run.trainer->run());
  }
}

TEST_CASE("write the golden checkpoints" * doctest::skip()) {
  const char* target = std::getenv("EMBER_GOLDEN_FOLDER");
  REQUIRE(target);
  const std::string to = std::string(target) + "/";
  save(to + "net.json", *goldenNet());
  save(to + "net_readable.json", *goldenNet(), {.readable = true});
  io::writeCheckpoint(to + "types.json", goldenTypes());
  io::writeCheckpoint(to + "types_readable.json", goldenTypes(), {.readable = true});
  for (const std::string kind : {"sgd", "adam"}) {
    GoldenRun run(kind);
    for (int i = 0; i < 7; ++i) run.trainer->step();
    run.trainer->save(to + kind + ".json");
  }
}
