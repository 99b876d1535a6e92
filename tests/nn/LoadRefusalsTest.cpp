// Loads into a net that are refused: every message, and nothing changed by any of them (J21 to J25). And what a load
// costs in memory.
#include <doctest/doctest.h>

#include <ember/core/Memory.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/ember.h>

#include "support/Headline.h"
#include "support/State.h"
#include "support/Untouched.h"

using namespace ember;
using namespace ember::test;

namespace {

nn::Sequential smallNet(u64 seedValue, int classes = 4, double dropout = 0.25) {
  seed(seedValue);
  nn::Sequential net(nn::Conv2D(1, 3, {.kernel = 3, .padding = 1, .bias = false}), nn::BatchNorm2D(3), nn::ReLU(),
                     nn::Dropout(dropout), nn::Flatten(), nn::Linear(3 * 4 * 4, classes));
  net(Tensor::uniform({8, 1, 4, 4})).sum().backward();
  return net;
}

nn::Sequential named(const std::string& prefix, int count) {
  nn::Sequential net;
  for (int i = 0; i < count; ++i) net.addChild(prefix + std::to_string(i), std::make_unique<nn::Linear>(1, 1));
  return net;
}

/// The refusal of a load into a net with gradients and a stepped optimiser.
std::string refused(const TempFolder& folder, nn::Module& net, const LoadOptions& options = {}) {
  optim::SGD sgd(net.namedParameters(), {.momentum = 0.9});
  for (const nn::Parameter& p : net.namedParameters()) Tensor(p.tensor).setGrad(p.tensor.detach().clone());
  sgd.step();
  const std::string message = refusal({net, folder, &sgd}, [&] { load(folder / "net.json", net, options); });
  CHECK_MESSAGE(message.starts_with("[load] IoError: \""), message);
  CHECK(contains(message, "net.json\""));
  CHECK_MESSAGE(contains(message, "    help    "), message);
  return message;
}

}  // namespace

TEST_CASE("missing and unexpected tensors are all listed, 20 and a count, with the nearest names (J21)") {
  const TempFolder folder;
  save(folder / "net.json", named("layer", 15));
  nn::Sequential other = named("layre", 13);
  std::string message = refused(folder, other);
  CHECK(contains(message, "26 missing in the file, 30 unexpected"));
  CHECK(contains(message, "missing     \"layre0.weight\"; did you mean \"layer0.weight\"?"));
  CHECK(contains(message, "missing     ... and 6 more"));
  CHECK(contains(message, "unexpected  \"layer0.weight\"; did you mean \"layre0.weight\"?"));
  CHECK(contains(message, "unexpected  ... and 10 more"));
  CHECK(contains(message, "nothing was loaded; strict = false takes what both have"));
  nn::Sequential more = named("layer", 25);
  message = refused(folder, more);
  CHECK(contains(message, "20 missing in the file"));
  CHECK(contains(message, "strict = false takes what both have"));
  CHECK_FALSE(contains(message, "more\n"));  // exactly 20 are listed in full
  CHECK(contains(message, "\"layer24.bias\""));
}

TEST_CASE("another shape is refused with both shapes (J22)") {
  const TempFolder folder;
  save(folder / "net.json", smallNet(1));
  for (const bool strict : {true, false}) {
    nn::Sequential wider = smallNet(2, 5);
    const std::string message = refused(folder, wider, {.strict = strict});
    CHECK(contains(message, "2 of another shape"));
    CHECK(contains(message, "shape   \"5.weight\": [4, 48] in the file, [5, 48] in the net"));
    CHECK(contains(message, "shape   \"5.bias\": [4] in the file, [5] in the net"));
  }
}

TEST_CASE("another dtype is refused unless a cast is allowed, and then only between floating types (J23)") {
  const TempFolder folder;
  save(folder / "net.json", smallNet(1));
  nn::Sequential wide = smallNet(2);
  wide.to(DType::F64);
  wide.zeroGrad();
  const std::string message = refused(folder, wide);
  CHECK(contains(message, "7 of another dtype"));
  CHECK(contains(message, "dtype   \"0.weight\": f32 in the file, f64 in the net"));
  CHECK(contains(message, "allowCast = true"));
  CHECK(load(folder / "net.json", wide, {.allowCast = true}).cast.size() == 7);

  io::Checkpoint counts = io::readCheckpoint(folder / "net.json");
  for (io::CheckpointTensor& tensor : counts.tensors) {
    if (tensor.name == "1.num_batches_tracked") tensor.array = tensor.array.to(DType::F32);
  }
  io::writeCheckpoint(folder / "net.json", counts);
  nn::Sequential net = smallNet(3);
  CHECK(contains(refused(folder, net, {.allowCast = true}),
                 "\"1.num_batches_tracked\": f32 in the file, i64 in the net"));
}

TEST_CASE("another architecture is refused with the first field that differs (J25)") {
  const TempFolder folder;
  save(folder / "net.json", smallNet(1, 4, 0.25));
  nn::Sequential other = smallNet(2, 4, 0.5);
  const std::string message = refused(folder, other);
  CHECK(contains(message, "was saved from another net"));
  CHECK(contains(message, "differs  args.layers[3].args.p is 0.25 here and 0.5 there (here: the file, "));
  CHECK(contains(message, "compareModel = false"));
}

TEST_CASE("a net one of whose tensors cannot be written is refused before anything is written") {
  const TempFolder folder;
  struct Odd : nn::Module {
    Tensor first = addBuffer("first", Tensor::zeros({2}));
    Tensor second = addBuffer("second", Tensor(core::NDArray::zeros({1}).expand({3})));
  } odd;
  io::Checkpoint file;
  file.tensors = {{"first", "buffer", core::NDArray::full({2}, 1)}, {"second", "buffer", core::NDArray::full({3}, 1)}};
  io::writeCheckpoint(folder / "net.json", file);
  const std::string message = refusal({odd, folder}, [&] { load(folder / "net.json", odd); });
  CHECK_MESSAGE(contains(message, "[load] IoError: "), message);
  CHECK(contains(message, "\"second\" is expanded"));
}

TEST_CASE("a load takes the arrays that were read, and a forward that copies no weights, also of one layer alone") {
  const TempFolder folder;
  seed(1);
  int layers = 0, width = 0;
  nn::Sequential net;
  Tensor sample;
  SUBCASE("many layers") { layers = 16, width = 500; }
  SUBCASE("one layer") { layers = 1, width = 5000; }
  if (layers > 0) sample = Tensor::shapeOnly({1, width});
  for (int i = 0; i < layers; ++i) net.append(nn::Linear(width, width));
  SUBCASE("one convolution") {
    net.append(nn::Conv2D(1000, 2000, {.kernel = 3, .padding = 1}));
    sample = Tensor::shapeOnly({1, 1000, 8, 8});
  }
  SUBCASE("one convolution of volumes") {
    net.append(nn::Conv3D(500, 1000, {.kernel = 3}));
    sample = Tensor::shapeOnly({1, 500, 3, 4, 5});
  }
  SUBCASE("one convolution in two groups") {
    net.append(nn::Conv2D(2000, 2000, {.kernel = 3, .groups = 2}));
    sample = Tensor::shapeOnly({1, 2000, 8, 8});
  }
  SUBCASE("one convolution of each channel alone") {
    net.append(nn::Conv1D(100'000, 100'000, {.kernel = 99, .padding = 49, .groups = 100'000, .bias = false}));
    sample = Tensor::shapeOnly({1, 100'000, 1});
  }
  SUBCASE("one transposed convolution") {
    net.append(nn::ConvTranspose2D(2000, 1000, {.kernel = 3, .stride = 2}));
    sample = Tensor::shapeOnly({1, 2000, 4, 4});
  }
  save(folder / "net.json", net, {.sample = {sample}});
  REQUIRE_FALSE(io::readCheckpoint(folder / "net.json").selfTest.isNull());
  i64 bytes = 0;
  for (const nn::Parameter& p : stateOf(net)) bytes += p.tensor.array().bytes();
  const auto peak = [&](auto&& call) {
    memory::releaseCached();
    memory::resetPeak();
    const i64 before = memory::stats().nowBytes;
    call();
    return static_cast<double>(memory::stats().peakBytes - before) / static_cast<double>(bytes);
  };
  std::unique_ptr<nn::Module> loaded;
  CHECK(peak([&] { loaded = nn::load(folder / "net.json"); }) < 1.2);
  CHECK(memory::stats().cachedBytes < bytes / 5);  // what the self-test took is the system's again
  CHECK(peak([&] { load(folder / "net.json", net); }) < 1.2);
  CHECK(stateDifference(net, *nn::load(folder / "net.json")) == "");
}
