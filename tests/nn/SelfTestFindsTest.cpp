// The self-test of a checkpoint: what a load finds by it, and which it refuses to run.
#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include <ember/core/Memory.h>
#include <ember/core/Warn.h>
#include <ember/ember.h>

#include "nn/SelfTested.h"
#include "support/Headline.h"
#include "support/TempFolder.h"
#include "support/Untouched.h"

using namespace ember;
using namespace ember::test;

TEST_CASE("values that were changed under right check sums are found, and nothing is loaded") {
  const TempFolder folder;
  nn::Sequential net = fiveClasses(1), other = fiveClasses(2);
  net(Tensor::uniform({8, 1, 4, 4}));
  other(Tensor::uniform({8, 1, 4, 4}));
  optim::SGD sgd(other.namedParameters(), {.momentum = 0.9});
  other(Tensor::uniform({8, 1, 4, 4})).sum().backward();
  sgd.step();
  for (const char* name : {"0.weight", "1.running_var", "5.bias"}) {
    save(folder / "net.json", net);
    change(folder / "net.json", [&](io::Checkpoint& c) { fill(c, name, 0.5); });
    const std::string message = refusal({other, folder, &sgd}, [&] { load(folder / "net.json", other); });
    CHECK_MESSAGE(contains(message, "[load] IoError: "), message);
    CHECK(contains(message, "net.json\": the net does not compute what it computed when it was saved"));
    CHECK(contains(message, "output  "));
    CHECK(contains(message, " of 5: "));
    CHECK(contains(message, " when saved, "));
    CHECK(contains(message, "set selfTest = false"));
    CHECK(contains(messageOf<IoError>([&] { nn::load(folder / "net.json"); }), "does not compute"));
    CHECK_NOTHROW(nn::load(folder / "net.json", {.selfTest = false}));
  }
  CHECK_NOTHROW(load(folder / "net.json", other, {.selfTest = false}));
  CHECK(other.namedParameters().back().tensor.toVector<float>() == std::vector<float>(5, 0.5f));
}

TEST_CASE("a layer that computes otherwise than when it was saved is found; roundings of another CPU are not") {
  const TempFolder folder;
  nn::Sequential net = fiveClasses();
  net(Tensor::uniform({8, 1, 4, 4}));
  const auto with = [&](double factor) {
    save(folder / "net.json", net);
    change(folder / "net.json", [&](io::Checkpoint& c) {
      Value outputs = Value::array();
      for (const double y : c.selfTest.get<std::vector<double>>("outputs"))
        outputs.push(y + (factor - 1) * c.selfTest.get<double>("scale"));
      c.selfTest.set("outputs", outputs);
    });
    nn::Sequential other = fiveClasses(2);
    return refusal({other, folder}, [&] { load(folder / "net.json", other); });
  };
  CHECK(contains(with(1 + 5e-5), "SOMETHING CHANGED, no error"));  // it was loaded
  CHECK(contains(with(1 - 5e-5), "SOMETHING CHANGED, no error"));
  CHECK(contains(with(1 + 2e-4), "wrong   5 of 5"));
  CHECK(contains(with(1 - 2e-4), "wrong   5 of 5"));
}

TEST_CASE("a scale in the file that is not the largest output does not widen what is allowed") {
  const TempFolder folder;
  nn::Sequential net = fiveClasses();
  net(Tensor::uniform({8, 1, 4, 4}));
  for (const double scale : {1e300, 100.0}) {
    save(folder / "net.json", net);
    change(folder / "net.json", [&](io::Checkpoint& c) {
      c.selfTest.set("scale", scale);
      Value outputs = Value::array();
      for (const double y : c.selfTest.get<std::vector<double>>("outputs")) outputs.push(y + 1e-3);
      c.selfTest.set("outputs", outputs);
    });
    nn::Sequential other = fiveClasses(2);
    const std::string message = refusal({other, folder}, [&] { load(folder / "net.json", other); });
    CHECK_MESSAGE(contains(message, "largest"), message);
    CHECK(contains(message, "does not compute what it computed"));
  }
}

TEST_CASE("values that are no numbers are loaded, as they were saved, with a warning of how many there are") {
  const TempFolder folder;
  nn::Sequential net = fiveClasses();
  net(Tensor::uniform({8, 1, 4, 4}));
  save(folder / "net.json", net, {.selfTest = false});
  std::string said;
  const WarningHandler before = setWarningHandler([&](std::string_view text) { said += std::string(text) + "\n"; });
  CHECK_NOTHROW(load(folder / "net.json", net));
  CHECK(said.empty());
  change(folder / "net.json", [](io::Checkpoint& c) {
    fill(c, "5.bias", std::numeric_limits<double>::quiet_NaN());
    fill(c, "0.weight", std::numeric_limits<double>::infinity());
    for (io::CheckpointTensor& tensor : c.tensors) {
      if (tensor.name == "5.bias") tensor.array.data<float>()[2] = 1;
    }
  });
  CHECK_NOTHROW(load(folder / "net.json", net));
  CHECK_MESSAGE(contains(said, "net.json has 31 values that are not finite in 2 tensors, \"0.weight\" first"), said);
  CHECK(std::isnan(net.namedParameters().back().tensor.toVector<float>()[0]));  // 5.bias
  // With a self-test the net must compute what it computed.
  said.clear();
  nn::Sequential tested = fiveClasses(2);
  tested(Tensor::uniform({8, 1, 4, 4}));
  save(folder / "tested.json", tested);
  change(folder / "tested.json",
         [](io::Checkpoint& c) { fill(c, "5.bias", std::numeric_limits<double>::quiet_NaN()); });
  CHECK(contains(refusal({tested, folder}, [&] { load(folder / "tested.json", tested); }), "does not compute"));
  setWarningHandler(before);
}

TEST_CASE("where other outputs are to be expected nothing is compared") {
  const TempFolder folder;
  nn::Sequential net = fiveClasses(1);
  net(Tensor::uniform({8, 1, 4, 4}));
  save(folder / "net.json", net);
  change(folder / "net.json", [](io::Checkpoint& c) { fill(c, "5.bias", 99); });
  nn::Sequential part = fiveClasses(2), wide = fiveClasses(3);
  CHECK_NOTHROW(load(folder / "net.json", part, {.strict = false, .only = "0.*"}));
  wide.to(DType::F64);
  CHECK_NOTHROW(load(folder / "net.json", wide, {.allowCast = true}));
  nn::Sequential dry(nn::Conv2D(1, 3, {.kernel = 3, .padding = 1, .bias = false}), nn::BatchNorm2D(3), nn::ReLU(),
                     nn::Dropout(0.5), nn::Flatten(), nn::Linear(3 * 4 * 4, 5));
  CHECK_NOTHROW(load(folder / "net.json", dry, {.compareModel = false}));
}

TEST_CASE("a self-test that makes no sense is refused, whatever it asks for, and takes no memory") {
  const TempFolder folder;
  seed(1);
  nn::Linear net(2, 2), other(2, 2);
  net(Tensor::ones({1, 2}));
  const auto with = [&](const std::string& key, const Value& value) {
    save(folder / "net.json", net);
    change(folder / "net.json", [&](io::Checkpoint& c) { c.selfTest.set(key, value); });
    memory::resetPeak();
    const i64 before = memory::stats().nowBytes;
    const std::string message = refusal({other, folder}, [&] { load(folder / "net.json", other); });
    CHECK(memory::stats().peakBytes - before < 1'000'000);
    CHECK_MESSAGE(contains(message, "[load] IoError"), message);
    CHECK(contains(message, "selfTest = false"));
    return message;
  };
  const auto shape = [](const Value& sizes, const char* dtype = "f32") {
    return Value::array({Value{{"dtype", dtype}, {"shape", sizes}}});
  };
  CHECK(contains(with("inputs", shape(Value::array({1'000'000'000, 1'000'000'000}))), "more than 4194304 elements"));
  CHECK(contains(with("inputs", shape(Value::array({i64{1} << 40, i64{1} << 40}))), "makes no sense"));
  CHECK(contains(with("inputs", shape(Value::array({-1, 2}))), "negative size"));
  CHECK(contains(with("inputs", shape(Value::array({1, 2}), "f16")), "f16"));
  CHECK(contains(with("inputs", Value::array()), "0 inputs"));
  CHECK(contains(with("inputs", "x"), "makes no sense"));
  CHECK(contains(with("inputs", shape(Value::array({1, 3}))), "cannot be run"));
  CHECK(contains(with("outputs", Value::array()), "no outputs"));
  CHECK(contains(with("outputs", Value::array({1})), "2 numbers when saved, 2 now"));
  CHECK(contains(with("outputs", Value::array({"NaN", 1})), "does not compute"));
  CHECK(contains(with("outputs", Value::array({true, 1})), "makes no sense"));
  CHECK(contains(with("elements", 1'000'000'000'000), "1000000000000 numbers when saved, 2 now"));
  CHECK(contains(with("scale", "Infinity"), "no scale"));
  CHECK(contains(with("scale", -1), "no scale"));
  // A scale that would let anything pass, or nothing but the same bits.
  for (const double scale : {1e300, 1e3, 0.0}) CHECK(contains(with("scale", scale), "does not compute"));
  CHECK(contains(with("input_seed", "x"), "makes no sense"));
  CHECK(contains(with("input_seed", "8"), "does not compute"));
}

TEST_CASE("the forward of a self-test takes no more memory than a limit, however a file blows its layers up") {
  const TempFolder folder;
  nn::Sequential net(nn::Flatten(), nn::Linear(4, 4), nn::Unflatten(1, {1, 2, 2}), nn::Upsample({.scale = {2}}));
  net(Tensor::ones({1, 4}));
  save(folder / "net.json", net);
  REQUIRE_FALSE(testOf(folder / "net.json").isNull());
  change(folder / "net.json", [](io::Checkpoint& c) {
    std::string text = c.model.dump();
    const std::string scale = "2.0";
    for (std::size_t at = 0; (at = text.find(scale, at)) != text.npos; at += 5) text.replace(at, 3, "5e4");
    c.model = Value::parse(text);
  });
  memory::resetPeak();
  const i64 before = memory::stats().nowBytes;
  const std::string message = messageOf<IoError>([&] { nn::load(folder / "net.json"); });
  CHECK_MESSAGE(contains(message, "its self-test cannot be run"), message);
  CHECK(memory::stats().peakBytes - before < (i64{600} << 20));
}
