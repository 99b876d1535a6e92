// The self-test of a checkpoint: what is written, what it finds, and that nobody notices it otherwise.
#include <atomic>
#include <cmath>
#include <limits>
#include <thread>

#include <doctest/doctest.h>

#include <ember/core/Memory.h>
#include <ember/core/Random.h>
#include <ember/core/Trace.h>
#include <ember/core/Warn.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/ember.h>

#include "nn/LayerSamples.h"
#include "support/Headline.h"
#include "support/State.h"
#include "support/Untouched.h"

using namespace ember;
using namespace ember::test;

namespace {

nn::Sequential smallNet(u64 seedValue = 1) {
  seed(seedValue);
  return nn::Sequential(nn::Conv2D(1, 3, {.kernel = 3, .padding = 1, .bias = false}), nn::BatchNorm2D(3), nn::ReLU(),
                        nn::Dropout(0.25), nn::Flatten(), nn::Linear(3 * 4 * 4, 5));
}

Value testOf(const std::string& path) { return io::readCheckpoint(path).selfTest; }

/// Rewrites a file with other values under right check sums, which no check sum tells.
void change(const std::string& path, const std::function<void(io::Checkpoint&)>& how) {
  io::Checkpoint checkpoint = io::readCheckpoint(path);
  how(checkpoint);
  io::writeCheckpoint(path, checkpoint);
}

void fill(io::Checkpoint& checkpoint, const std::string& name, double value) {
  for (io::CheckpointTensor& tensor : checkpoint.tensors) {
    if (tensor.name == name) tensor.array = core::NDArray::full(tensor.array.shape(), value, tensor.array.dtype());
  }
}

/// A module of the user's whose forward is given.
struct Own : nn::Module {
  explicit Own(std::function<Tensor(const Tensor&)> f) : body(std::move(f)) {}
  std::function<Tensor(const Tensor&)> body;
  nn::Linear& inner = add("inner", nn::Linear(2, 2));
  Tensor forward(const Tensor& x) override { return body(inner(x)); }
};

struct TwoInputs : nn::Module {
  nn::Embedding& table = add("table", nn::Embedding(3, 4));
  nn::Linear& side = add("side", nn::Linear(2, 4));
  using nn::Module::forward;
  Tensors forward(const Tensors& in) override { return {table(in[0]).reshape({-1, 4}) + side(in[1]), side(in[1])}; }
};

}  // namespace

TEST_CASE("a net that has run is saved with the shape it saw, a seed and a few outputs") {
  const TempFolder folder;
  nn::Sequential net = smallNet();
  save(folder / "new.json", net);
  CHECK(testOf(folder / "new.json").isNull());  // no input is known
  net(Tensor::uniform({8, 1, 4, 4}));
  save(folder / "net.json", net);
  const Value test = testOf(folder / "net.json");
  CHECK(test.get<std::string>("input_seed") == "7");
  CHECK(test.at("inputs").dump() == R"([{"dtype": "f32", "shape": [1, 1, 4, 4]}])");
  CHECK(test.get<i64>("elements") == 5);
  CHECK(test.at("outputs").size() == 5);
  // The outputs can be made again by hand.
  std::vector<float> values(16);
  for (u64 i = 0; i < 16; ++i) values[i] = static_cast<float>(random::uniform({7, 0, 0}, i));
  net.eval();
  const std::vector<double> outputs = net(Tensor::of<float>(values, {1, 1, 4, 4})).toVector<double>();
  double scale = 0;
  for (const double y : outputs) scale = std::max(scale, std::abs(y));
  for (std::size_t i = 0; i < 5; ++i)
    CHECK(std::abs(outputs[i] - test.at("outputs")[i].as<double>()) <= 1e-6 * std::abs(outputs[i]));
  CHECK(test.get<double>("scale") == doctest::Approx(scale).epsilon(1e-6));
  save(folder / "off.json", net, {.selfTest = false});
  CHECK(testOf(folder / "off.json").isNull());
  const std::string text = readFile(folder / "net.json");
  CHECK(text.find("\"tensors\"") < text.find("\"self_test\""));
  CHECK(text.find("\"self_test\"") < text.find("\"data\""));
}

TEST_CASE("a shape can be given for a net that has not run, and many outputs are sampled") {
  const TempFolder folder;
  seed(3);
  nn::Linear net(3, 100);
  save(folder / "net.json", net, {.sample = {Tensor::shapeOnly({6, 3})}});
  const Value test = testOf(folder / "net.json");
  CHECK(test.at("inputs").dump() == R"([{"dtype": "f32", "shape": [1, 3]}])");
  CHECK(test.get<i64>("elements") == 100);
  CHECK(test.at("outputs").size() == 16);
  CHECK(net.seenInputs().get().empty());
  // Saved again from its file it is the same file: the loaded net knows its input.
  save(folder / "again.json", *nn::load(folder / "net.json"));
  CHECK(readFile(folder / "again.json") == readFile(folder / "net.json"));
  nn::Linear other(3, 100);
  load(folder / "net.json", other);
  save(folder / "third.json", other);
  CHECK(readFile(folder / "third.json") == readFile(folder / "net.json"));
}

TEST_CASE("values that were changed under right check sums are found, and nothing is loaded") {
  const TempFolder folder;
  nn::Sequential net = smallNet(1), other = smallNet(2);
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
  nn::Sequential net = smallNet();
  net(Tensor::uniform({8, 1, 4, 4}));
  const auto with = [&](double factor) {
    save(folder / "net.json", net);
    change(folder / "net.json", [&](io::Checkpoint& c) {
      Value outputs = Value::array();
      for (const double y : c.selfTest.get<std::vector<double>>("outputs"))
        outputs.push(y + (factor - 1) * c.selfTest.get<double>("scale"));
      c.selfTest.set("outputs", outputs);
    });
    nn::Sequential other = smallNet(2);
    return refusal({other, folder}, [&] { load(folder / "net.json", other); });
  };
  CHECK(contains(with(1 + 5e-5), "SOMETHING CHANGED, no error"));  // it was loaded
  CHECK(contains(with(1 - 5e-5), "SOMETHING CHANGED, no error"));
  CHECK(contains(with(1 + 2e-4), "wrong   5 of 5"));
  CHECK(contains(with(1 - 2e-4), "wrong   5 of 5"));
}

TEST_CASE("a scale in the file that is not the largest output does not widen what is allowed") {
  const TempFolder folder;
  nn::Sequential net = smallNet();
  net(Tensor::uniform({8, 1, 4, 4}));
  for (const double scale : {1e300, 100.0}) {
    save(folder / "net.json", net);
    change(folder / "net.json", [&](io::Checkpoint& c) {
      c.selfTest.set("scale", scale);
      Value outputs = Value::array();
      for (const double y : c.selfTest.get<std::vector<double>>("outputs")) outputs.push(y + 1e-3);
      c.selfTest.set("outputs", outputs);
    });
    nn::Sequential other = smallNet(2);
    const std::string message = refusal({other, folder}, [&] { load(folder / "net.json", other); });
    CHECK_MESSAGE(contains(message, "largest"), message);
    CHECK(contains(message, "does not compute what it computed"));
  }
}

TEST_CASE("values that are no numbers are loaded, as they were saved, with a warning of how many there are") {
  const TempFolder folder;
  nn::Sequential net = smallNet();
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
  nn::Sequential tested = smallNet(2);
  tested(Tensor::uniform({8, 1, 4, 4}));
  save(folder / "tested.json", tested);
  change(folder / "tested.json",
         [](io::Checkpoint& c) { fill(c, "5.bias", std::numeric_limits<double>::quiet_NaN()); });
  CHECK(contains(refusal({tested, folder}, [&] { load(folder / "tested.json", tested); }), "does not compute"));
  setWarningHandler(before);
}

TEST_CASE("where other outputs are to be expected nothing is compared") {
  const TempFolder folder;
  nn::Sequential net = smallNet(1);
  net(Tensor::uniform({8, 1, 4, 4}));
  save(folder / "net.json", net);
  change(folder / "net.json", [](io::Checkpoint& c) { fill(c, "5.bias", 99); });
  nn::Sequential part = smallNet(2), wide = smallNet(3);
  CHECK_NOTHROW(load(folder / "net.json", part, {.strict = false, .only = "0.*"}));
  wide.to(DType::F64);
  CHECK_NOTHROW(load(folder / "net.json", wide, {.allowCast = true}));
  nn::Sequential dry(nn::Conv2D(1, 3, {.kernel = 3, .padding = 1, .bias = false}), nn::BatchNorm2D(3), nn::ReLU(),
                     nn::Dropout(0.5), nn::Flatten(), nn::Linear(3 * 4 * 4, 5));
  CHECK_NOTHROW(load(folder / "net.json", dry, {.compareModel = false}));
}

TEST_CASE("saving and loading a test disturbs no mode, statistic, counter, draw, gradient, hook or trace") {
  const TempFolder folder;
  nn::Sequential net = smallNet(1);
  int calls = 0;
  const auto hook = [&](nn::Module&, const Tensors&, const Tensors&) { ++calls; };
  for (const auto& [path, module] : net.namedModules()) module->registerForwardHook(hook);
  const Tensor x = Tensor::uniform({8, 1, 4, 4});
  net.child("1").eval();  // a mixture of modes
  Tensor loss = net(x).sum();
  const int before = calls;
  const std::string state = fingerprint(net);
  Trace trace;
  save(folder / "net.json", net);
  CHECK(fingerprint(net) == state);
  CHECK(contains(readFile(folder / "net.json"), "\"self_test\""));
  // The values come from the file of the same values: loading writes, and nothing else.
  const std::vector<std::pair<std::string, i64>> streams = net.streams();
  const i64 program = random::programCalls();
  load(folder / "net.json", net);
  CHECK(net.streams() == streams);
  CHECK(random::programCalls() == program);
  CHECK(calls == before);
  CHECK(trace.table().find("Sequential") == std::string::npos);
  CHECK_FALSE(net.child("1").training());
  CHECK(net.child("3").training());
  nn::Sequential again = smallNet(1);
  again(x).sum().backward();
  CHECK(gradEnabled());
  CHECK_THROWS_AS(loss.backward(), StateError);  // the load wrote into what this gradient needs, as every write does
}

TEST_CASE("a graph that waits for its backward survives a save, and a load that is refused") {
  const TempFolder folder;
  const auto gradientsOf = [&](bool between) {
    nn::Sequential net = smallNet(1);
    const Tensor x = Tensor::uniform({8, 1, 4, 4});
    const Tensor loss = net(x).sum();
    if (between) {
      save(folder / "net.json", net);
      change(folder / "net.json", [](io::Checkpoint& c) { fill(c, "5.bias", 99); });
      CHECK(contains(refusal({net, folder}, [&] { load(folder / "net.json", net); }), "[load] IoError"));
    }
    loss.backward();
    std::vector<float> all;
    for (const nn::Parameter& p : net.namedParameters()) {
      for (const float g : p.tensor.grad().toVector<float>()) all.push_back(g);
    }
    return all;
  };
  CHECK(gradientsOf(true) == gradientsOf(false));
}

TEST_CASE("training goes on bit for bit whether it saves between its steps or not") {
  const TempFolder folder;
  const auto train = [&](bool saves) {
    nn::Sequential net = smallNet(5);
    optim::Adam adam(net.namedParameters(), {.lr = 0.01});
    for (int i = 0; i < 6; ++i) {
      const Tensor loss = mse(net(Tensor::uniform({8, 1, 4, 4})), Tensor::zeros({8, 5}));
      if (saves) save(folder / "net.json", net);
      adam.zeroGrad();
      loss.backward();
      adam.step();
      if (saves) save(folder / "net.json", net);
    }
    return net;
  };
  const nn::Sequential with = train(true), without = train(false);
  CHECK(stateDifference(with, without) == "");
  CHECK(with.streams() == without.streams());
}

TEST_CASE("nets that cannot be tested are saved without a test") {
  const TempFolder folder;
  const auto saved = [&](nn::Module& net, const Tensors& x, bool runs = true) {
    if (runs) net(x);
    const std::string state = fingerprint(net);
    save(folder / "net.json", net, {.sample = runs ? Tensors() : x});
    CHECK(fingerprint(net) == state);
    return testOf(folder / "net.json");
  };
  const Tensor x = Tensor::ones({4, 2});
  int runs = 0;
  Own throwing([&](const Tensor& y) {
    if (++runs > 1) throw std::runtime_error("not again");
    return y;
  });
  CHECK(saved(throwing, {x}).isNull());
  CHECK(runs == 2);
  Own foreign([&](const Tensor& y) -> Tensor {
    if (++runs > 3) throw 5;
    return y;
  });
  CHECK(saved(foreign, {x}).isNull());
  Own infinite([](const Tensor& y) { return y / 0.0; });
  CHECK(saved(infinite, {x}).isNull());
  Own empty([](const Tensor& y) { return y.slice(0, 0, 0); });
  CHECK(saved(empty, {x}).isNull());
  i64 count = 0;
  Own forgetful([&](const Tensor& y) { return y + static_cast<double>(++count); });
  CHECK(saved(forgetful, {x}).isNull());
  Own jumping([](const Tensor& y) { return sin(y * 1e9); });
  CHECK(saved(jumping, {x}).isNull());
  Own large([](const Tensor& y) { return Tensor::zeros({1 << 27}).reshape({-1, 2}) + y.slice(0, 0, 1); });
  CHECK(saved(large, {x}, false).isNull());
  Own wide([](const Tensor& y) { return y; });
  CHECK(saved(wide, {Tensor::shapeOnly({1 << 22, 2})}, false).isNull() == false);  // the batch is 1
  CHECK(saved(wide, {Tensor::shapeOnly({1, 1 << 22, 2})}, false).isNull());
}

TEST_CASE("random numbers of a forward in eval mode are the same in each test, whatever the program's seed") {
  const TempFolder folder;
  seed(1);
  Own noisy([](const Tensor& y) { return y + Tensor::normal(y.shape()); });
  noisy(Tensor::ones({4, 2}));
  const auto streams = noisy.streams();
  save(folder / "net.json", noisy);
  CHECK(noisy.streams() == streams);
  CHECK_FALSE(testOf(folder / "net.json").isNull());
  seed(99);
  Own other([](const Tensor& y) { return y + Tensor::normal(y.shape()); });
  CHECK_NOTHROW(load(folder / "net.json", other));
  CHECK(currentSeed() == 99);
  Own changed([](const Tensor& y) { return y * 2 + Tensor::normal(y.shape()); });  // the code of a module was changed
  CHECK(contains(refusal({changed, folder}, [&] { load(folder / "net.json", changed); }), "does not compute"));
  Own broken([](const Tensor&) -> Tensor { throw std::runtime_error("no such thing"); });
  const std::string message = refusal({broken, folder}, [&] { load(folder / "net.json", broken); });
  CHECK(contains(message, "its self-test cannot be run"));
  CHECK(contains(message, "reason  no such thing"));
}

TEST_CASE("several inputs, integers among them, and several outputs are tested") {
  const TempFolder folder;
  seed(1);
  TwoInputs net;
  net(Tensors{Tensor::zeros({5}, DType::I64), Tensor::ones({5, 2})});
  save(folder / "net.json", net);
  const Value test = testOf(folder / "net.json");
  // One input has the batch alone: it stays as it was, and so do all.
  CHECK(test.at("inputs").dump() == R"([{"dtype": "i64", "shape": [5]}, {"dtype": "f32", "shape": [5, 2]}])");
  CHECK(test.get<i64>("elements") == 40);
  TwoInputs other;
  CHECK_NOTHROW(load(folder / "net.json", other));
  CHECK(stateDifference(net, other) == "");
}

TEST_CASE("a lazy net is tested with the tensors that the file gives it, and stays lazy if that fails") {
  const TempFolder folder;
  const auto lazy = [] { return nn::Sequential(nn::Linear(4, 6), nn::BatchNorm1D(0)); };
  nn::Sequential net = lazy();
  net(Tensor::uniform({5, 4}));
  save(folder / "net.json", net);
  nn::Sequential good = lazy(), bad = lazy();
  load(folder / "net.json", good);
  CHECK(stateDifference(net, good) == "");
  change(folder / "net.json", [](io::Checkpoint& c) { fill(c, "0.bias", 99); });
  CHECK(contains(refusal({bad, folder}, [&] { load(folder / "net.json", bad); }), "does not compute"));
  CHECK(bad.child(1).pending());
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

TEST_CASE("every layer is saved with a test that its file passes, and comes back as the same file") {
  const TempFolder folder;
  int tested = 0;
  for (const auto& entry : layerSamples()) {
    const auto& type = entry.first;  // no structured binding: CAPTURE takes it into a lambda
    for (const LayerSample& sample : entry.second.samples) {
      CAPTURE(type);
      seed(7);
      const auto module = sample.make();
      Tensors x{sample.classes > 0 ? Tensor::zeros(sample.input, DType::I64) : Tensor::uniform(sample.input)};
      for (const Shape& more : sample.more)
        x.push_back(sample.below > 0 ? Tensor::zeros(more, DType::I64) : Tensor::uniform(more));
      (void)(*module)(x);
      save(folder / "a.json", *module);
      const auto again = nn::load(folder / "a.json");
      CHECK(stateDifference(*module, *again) == "");
      save(folder / "b.json", *again);
      CHECK(readFile(folder / "a.json") == readFile(folder / "b.json"));  // save(load(f)) = f
      const bool has = !testOf(folder / "a.json").isNull();
      tested += has;
      if (!has) MESSAGE(type << ", " << sample.name << " is saved without a test");
    }
  }
  CHECK(tested > 150);
}

TEST_CASE("forwards in eval mode on other threads do not notice a save (threads)") {
  const TempFolder folder;
  nn::Sequential net = smallNet();
  net.eval();
  const Tensor x = Tensor::uniform({2, 1, 4, 4});
  std::vector<float> expected;
  {
    const NoGrad guard;
    expected = net(x).toVector<float>();
  }
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&, i] {
      const NoGrad guard;
      const Tensor own = i == 0 ? x : x.slice(0, 0, 1);  // another batch: what was seen last does not change
      while (!stop) {
        const std::vector<float> y = net(own).toVector<float>();
        if (!std::equal(y.begin(), y.end(), expected.begin())) ++wrong;
      }
    });
  }
  for (int i = 0; i < 20; ++i) save(folder / "net.json", net, {.keepPrevious = false});
  stop = true;
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK_FALSE(testOf(folder / "net.json").isNull());
}
