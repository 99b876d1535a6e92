#include <doctest/doctest.h>

#include <ember/core/Error.h>
#include <ember/core/Random.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/nn/Checkpoint.h>
#include <ember/nn/Registry.h>
#include <ember/nn/layers/Layers.h>

#include "support/Headline.h"
#include "support/TempFolder.h"

using namespace ember;
using namespace ember::test;

namespace {

nn::Sequential smallNet(u64 seedValue = 1, int classes = 4) {
  seed(seedValue);
  return nn::Sequential(
      nn::Sequential(nn::Conv2D(1, 3, {.kernel = 3, .padding = 1, .bias = false}), nn::BatchNorm2D(3), nn::ReLU()),
      nn::Dropout(0.25), nn::Flatten(), nn::Linear(3 * 4 * 4, classes));
}

/// Every tensor of a net by name, as numbers.
std::string contentOf(const nn::Module& module) {
  std::string text;
  auto all = module.namedParameters();
  for (const auto& buffer : module.namedBuffers()) all.push_back(buffer);
  for (const auto& entry : all) {
    const core::NDArray dense = entry.tensor.array().contiguous();
    text += entry.name + toString(dense.shape()) +
            std::string(static_cast<const char*>(dense.raw()), static_cast<std::size_t>(dense.bytes()));
  }
  return text;
}

template <class F>
std::string loadError(F&& f) {
  return messageOf<IoError>(f);
}

/// A module type of a user; `Block` is registered by the tests that say so, `Stranger` never.
struct Block : nn::Module {
  explicit Block(int width) : channels(width) {}
  int channels;
  nn::Conv2D& conv = add("conv", nn::Conv2D(channels, channels, {.kernel = 1}));
  Tensor scale = addParameter("scale", Tensor::ones({1}));
  Tensor forward(const Tensor& x) override { return conv(x); }
  nn::Args args() const override { return {{"width", channels}}; }
};
struct Stranger : nn::Module {
  nn::Linear& linear = add("linear", nn::Linear(2, 2));
  Tensor forward(const Tensor& x) override { return linear(x); }
};

}  // namespace

TEST_CASE("a net saved and loaded into another of the same make is the same bit for bit") {
  const TempFolder folder;
  nn::Sequential net = smallNet(1), other = smallNet(2);
  net(Tensor::uniform({8, 1, 4, 4}));  // running statistics move
  REQUIRE(contentOf(net) != contentOf(other));
  for (const bool readable : {false, true}) {
    save(folder / "net.json", net, {.readable = readable});
    nn::Sequential copy = smallNet(3);
    const LoadReport report = load(folder / "net.json", copy);
    CHECK(contentOf(copy) == contentOf(net));
    CHECK(report.taken.size() == net.namedParameters().size() + net.namedBuffers().size());
    CHECK(report.left.empty());
    CHECK(report.missing.empty());
    CHECK(contains(report.toString(), "took " + std::to_string(report.taken.size()) + " tensors"));
  }
}

TEST_CASE("a net is rebuilt from its file alone, with its frozen parameters") {
  const TempFolder folder;
  nn::Sequential net = smallNet(1);
  net.freeze("0.*");
  save(folder / "net.json", net);
  const std::unique_ptr<nn::Module> again = nn::load(folder / "net.json");
  CHECK(contentOf(*again) == contentOf(net));
  CHECK(again->architecture() == net.architecture());
  CHECK(again->toString() == net.toString());
  const auto before = net.namedParameters(), after = again->namedParameters();
  for (std::size_t i = 0; i < before.size(); ++i)
    CHECK(after[i].tensor.requiresGrad() == before[i].tensor.requiresGrad());
  save(folder / "again.json", *again);
  CHECK(readFile(folder / "again.json") == readFile(folder / "net.json"));  // save(load(f)) = f
  net.eval();
  again->eval();
  const Tensor x = Tensor::uniform({2, 1, 4, 4});
  CHECK(net(x).toVector<float>() == (*again)(x).toVector<float>());
}

TEST_CASE("an f64 net is rebuilt in f64") {
  const TempFolder folder;
  nn::Sequential net = smallNet(1);
  net.to(DType::F64);
  save(folder / "net.json", net);
  CHECK(contentOf(*nn::load(folder / "net.json")) == contentOf(net));
}

TEST_CASE("types that the program registered are rebuilt; an unknown type is named with both ways out") {
  const TempFolder folder;
  nn::registerModule("Block", [](const nn::Args& args) { return Block(args.get<int>("width")); });
  nn::Sequential net(Block(2), nn::ReLU());
  save(folder / "net.json", net);
  CHECK(contentOf(*nn::load(folder / "net.json")) == contentOf(net));

  nn::Sequential strange(nn::Linear(2, 2), Stranger());
  save(folder / "strange.json", strange);
  const std::string message = loadError([&] { nn::load(folder / "strange.json"); });
  CHECK(contains(message, "Stranger"));
  CHECK(contains(message, "registerModule"));
  CHECK(contains(message, "build the net in code and load() the file into it"));
  nn::Sequential same(nn::Linear(2, 2), Stranger());
  load(folder / "strange.json", same);
  CHECK(contentOf(same) == contentOf(strange));
}

TEST_CASE("values are loaded in place: handles and memory order stay") {
  const TempFolder folder;
  nn::Sequential net = smallNet(1), other = smallNet(2);
  save(folder / "net.json", net);
  const Tensor handle = other.namedParameters()[0].tensor;
  load(folder / "net.json", other);
  CHECK(handle.toVector<float>() == net.namedParameters()[0].tensor.toVector<float>());
  CHECK(handle.requiresGrad());
}

TEST_CASE("missing and unexpected names are all listed with the nearest, and nothing is loaded (J21)") {
  const TempFolder folder;
  struct Old : nn::Module {
    nn::Linear& first = add("first", nn::Linear(2, 2));
    nn::Linear& head = add("head", nn::Linear(2, 2));
  } old;
  struct New : nn::Module {
    nn::Linear& first = add("first", nn::Linear(2, 2));
    nn::Linear& heads = add("heads", nn::Linear(2, 2));
  } present;
  save(folder / "old.json", old);
  const std::string before = contentOf(present);
  const std::string message = loadError([&] { load(folder / "old.json", present); });
  CHECK(contains(message, "does not fit the net: 2 missing in the file, 2 unexpected"));
  CHECK(contains(message, "missing     \"heads.weight\"; did you mean \"head.weight\"?"));
  CHECK(contains(message, "unexpected  \"head.bias\"; did you mean \"heads.bias\"?"));
  struct Other : nn::Module {
    nn::Linear& first = add("first", nn::Linear(2, 2));
    nn::Linear& embedding = add("embedding", nn::Linear(2, 2));
  } other;
  // Nothing in the file is like it, so nothing is guessed.
  CHECK(contains(loadError([&] { load(folder / "old.json", other); }), "missing     \"embedding.weight\"\n"));
  CHECK(contentOf(present) == before);
  const LoadReport report = load(folder / "old.json", present, {.rename = {{"head.*", "heads.*"}}});
  CHECK(report.left.empty());
  CHECK(present.heads.namedParameters()[0].tensor.toVector<float>() ==
        old.head.namedParameters()[0].tensor.toVector<float>());
}

TEST_CASE("long lists are cut at 20 names and a count") {
  const TempFolder folder;
  nn::Sequential many, none;
  for (int i = 0; i < 15; ++i) many.addChild("layer" + std::to_string(i), std::make_unique<nn::Linear>(1, 1));
  save(folder / "many.json", many);
  save(folder / "none.json", none);
  const std::string message = loadError([&] { load(folder / "none.json", many); });
  CHECK(contains(message, "30 missing in the file"));
  CHECK(contains(message, "... and 10 more"));
}

TEST_CASE("another shape is refused before anything changes (J22)") {
  const TempFolder folder;
  nn::Sequential net = smallNet(1, 4), wider = smallNet(2, 5);
  save(folder / "net.json", net);
  const std::string before = contentOf(wider);
  for (const bool strict : {true, false}) {
    const std::string message = loadError([&] { load(folder / "net.json", wider, {.strict = strict}); });
    CHECK(contains(message, "2 of another shape"));
    CHECK(contains(message, "\"3.weight\": [4, 48] in the file, [5, 48] in the net"));
    CHECK(contentOf(wider) == before);
  }
}

TEST_CASE("fine-tuning takes what a pattern names and says what it took and left") {
  const TempFolder folder;
  nn::Sequential net = smallNet(1, 4), wider = smallNet(2, 5);
  save(folder / "net.json", net);
  const std::vector<float> head = wider.namedParameters().back().tensor.toVector<float>();
  const LoadReport report = load(folder / "net.json", wider, {.strict = false, .only = "0.*"});
  CHECK(report.taken == std::vector<std::string>{"0.0.weight", "0.1.weight", "0.1.bias", "0.1.running_mean",
                                                 "0.1.running_var", "0.1.num_batches_tracked"});
  CHECK(report.left == std::vector<std::string>{"3.weight", "3.bias"});
  CHECK(report.missing == std::vector<std::string>{"3.weight", "3.bias"});
  CHECK(contains(report.toString(), "left 2 in the file: 3.weight, 3.bias"));
  CHECK(wider.namedParameters()[0].tensor.toVector<float>() == net.namedParameters()[0].tensor.toVector<float>());
  CHECK(wider.namedParameters().back().tensor.toVector<float>() == head);
  CHECK(contains(loadError([&] { load(folder / "net.json", wider, {.strict = false, .only = "features.*"}); }),
                 "has no tensor that the net takes under \"features.*\""));
}

TEST_CASE("another dtype is refused unless a cast is allowed (J23)") {
  const TempFolder folder;
  nn::Sequential net = smallNet(1), twice = smallNet(2);
  twice.to(DType::F64);
  save(folder / "net.json", net);
  const std::string message = loadError([&] { load(folder / "net.json", twice); });
  CHECK(contains(message, "of another dtype"));
  CHECK(contains(message, "allowCast"));
  const LoadReport report = load(folder / "net.json", twice, {.allowCast = true});
  CHECK(contains(report.cast.at(0), "f32 -> f64"));
  CHECK(twice.namedParameters()[0].tensor.toVector<float>() == net.namedParameters()[0].tensor.toVector<float>());
  CHECK(twice.namedParameters()[0].tensor.dtype() == DType::F64);
}

TEST_CASE("a net of other arguments is refused, the first difference named (J25)") {
  const TempFolder folder;
  nn::Sequential net(nn::Linear(2, 2), nn::Dropout(0.25)), other(nn::Linear(2, 2), nn::Dropout(0.5));
  save(folder / "net.json", net);
  const std::string message = loadError([&] { load(folder / "net.json", other); });
  CHECK(contains(message, "was saved from another net"));
  CHECK(contains(message, "0.25 here and 0.5 there"));
  CHECK(contentOf(other) != contentOf(net));
  load(folder / "net.json", other, {.compareModel = false});
  CHECK(contentOf(other) == contentOf(net));
}

TEST_CASE("renames have one star a side, and must not make two names one") {
  const TempFolder folder;
  nn::Sequential net(nn::Linear(2, 2), nn::Linear(2, 2));
  save(folder / "net.json", net);
  CHECK_THROWS_AS(load(folder / "net.json", net, {.rename = {{"*.a.*", "b.*"}}}), ValueError);
  CHECK_THROWS_AS(load(folder / "net.json", net, {.rename = {{"a", "b.*"}}}), ValueError);
  CHECK_THROWS_AS(load(folder / "net.json", net, {.rename = {{"0.*", "1.*"}}}), ValueError);
  nn::Sequential swapped(nn::Linear(2, 2), nn::Linear(2, 2));
  load(folder / "net.json", swapped, {.rename = {{"0.*", "1.*"}, {"1.*", "0.*"}}});
  CHECK(swapped.child("1").namedParameters()[0].tensor.toVector<float>() ==
        net.child("0").namedParameters()[0].tensor.toVector<float>());
}

TEST_CASE("a damaged file changes nothing, wherever the damage is") {
  const TempFolder folder;
  nn::Sequential net = smallNet(1), other = smallNet(2);
  save(folder / "net.json", net);
  const std::string text = readFile(folder / "net.json"), before = contentOf(other);
  const std::size_t step = text.size() / 97;  // a spread of places; tests/core/CheckpointTest tries each
  for (std::size_t at = 0; at < text.size() - 2; at += step) {
    writeFile(folder / "cut.json", text.substr(0, at));
    CHECK_THROWS_AS(load(folder / "cut.json", other), IoError);
    CHECK_THROWS_AS(nn::load(folder / "cut.json"), IoError);
  }
  CHECK(contentOf(other) == before);
  CHECK(contains(loadError([&] { load(folder / "missing.json", other); }), "No such file"));
}

TEST_CASE("tensors of other roles, as a run saves them, are not the net's") {
  const TempFolder folder;
  nn::Sequential net(nn::Linear(2, 2)), other(nn::Linear(2, 2));
  io::Checkpoint run = nn::checkpointOf(net);
  run.optimizer = {{"type", "SGD"}};
  run.tensors.push_back({"optim/momentum/0.weight", "optim.momentum", core::NDArray::zeros({2, 2})});
  io::writeCheckpoint(folder / "run.json", run);
  CHECK(load(folder / "run.json", other).left.empty());
  CHECK(contentOf(other) == contentOf(net));
  CHECK(contentOf(*nn::load(folder / "run.json")) == contentOf(net));
}

TEST_CASE("a file without architecture loads into a net but builds none") {
  const TempFolder folder;
  nn::Sequential net(nn::Linear(2, 2)), other(nn::Linear(2, 2));
  io::Checkpoint plain = nn::checkpointOf(net);
  plain.model = {};
  io::writeCheckpoint(folder / "plain.json", plain);
  load(folder / "plain.json", other);
  CHECK(contentOf(other) == contentOf(net));
  CHECK(contains(loadError([&] { nn::load(folder / "plain.json"); }), "has no architecture"));
}
