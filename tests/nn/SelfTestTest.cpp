// The self-test of a checkpoint: what is written, and that nobody notices it otherwise.
#include <atomic>
#include <cmath>
#include <thread>

#include <doctest/doctest.h>

#include <ember/core/Random.h>
#include <ember/core/Trace.h>
#include <ember/ember.h>

#include "nn/LayerSamples.h"
#include "nn/SelfTested.h"
#include "support/Headline.h"
#include "support/State.h"
#include "support/TempFolder.h"
#include "support/Untouched.h"

using namespace ember;
using namespace ember::test;

namespace {

struct TwoInputs : nn::Module {
  nn::Embedding& table = add("table", nn::Embedding(3, 4));
  nn::Linear& side = add("side", nn::Linear(2, 4));
  using nn::Module::forward;
  Tensors forward(const Tensors& in) override { return {table(in[0]).reshape({-1, 4}) + side(in[1]), side(in[1])}; }
};

}  // namespace

TEST_CASE("a net that has run is saved with the shape it saw, a seed and a few outputs") {
  const TempFolder folder;
  nn::Sequential net = fiveClasses();
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

TEST_CASE("saving and loading a test disturbs no mode, statistic, counter, draw, gradient, hook or trace") {
  const TempFolder folder;
  nn::Sequential net = fiveClasses(1);
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
  nn::Sequential again = fiveClasses(1);
  again(x).sum().backward();
  CHECK(gradEnabled());
  CHECK_THROWS_AS(loss.backward(), StateError);  // the load wrote into what this gradient needs, as every write does
}

TEST_CASE("a graph that waits for its backward survives a save, and a load that is refused") {
  const TempFolder folder;
  const auto gradientsOf = [&](bool between) {
    nn::Sequential net = fiveClasses(1);
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
    nn::Sequential net = fiveClasses(5);
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
  nn::Sequential net = fiveClasses();
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
