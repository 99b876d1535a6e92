// Nets built from files that nobody should have written: nothing is taken that the tensors of the file do not fill,
// and every refusal is an IoError.
#include <functional>

#include <doctest/doctest.h>

#include <ember/core/Memory.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/ember.h>

#include "nn/LayerSamples.h"
#include "support/Headline.h"
#include "support/State.h"
#include "support/TempFolder.h"

using namespace ember;
using namespace ember::test;

namespace {

/// The message of nn::load for a file of that architecture and these tensors, by which next to no memory was taken.
std::string loadError(const TempFolder& folder, const Value& model, std::vector<io::CheckpointTensor> tensors = {}) {
  io::Checkpoint checkpoint;
  checkpoint.model = model;
  checkpoint.tensors = std::move(tensors);
  io::writeCheckpoint(folder / "net.json", checkpoint);
  memory::resetPeak();
  const i64 before = memory::stats().nowBytes, taken = memory::takenByThread();
  const std::string message = messageOf<IoError>([&] { nn::load(folder / "net.json"); });
  CHECK(memory::stats().peakBytes - before < 100'000);
  CHECK(memory::takenByThread() - taken < 200'000);
  CHECK(memory::stats().nowBytes == before);
  CHECK_MESSAGE(contains(message, "net.json"), message);
  return message;
}

Value layer(const std::string& type, const Value& args, const std::string& name = "") {
  Value entry = Value::object();
  if (!name.empty()) entry.set("name", name);
  return entry.set("type", type).set("args", args);
}

Value sequential(const Value& layers) { return layer("Sequential", {{"layers", layers}}); }

struct Text final : io::ByteSink {
  std::string bytes;
  void write(std::string_view more) override { bytes += more; }
};

/// A type of the program that wants what a file asks for.
struct Table : nn::Module {
  explicit Table(i64 n) : size(n) {}
  i64 size;
  Tensor values = addBuffer("values", Tensor::ones({size}));
  Tensor forward(const Tensor& x) override { return x + values; }
  nn::Args args() const override { return {{"size", size}}; }
};

/// A type whose constructor looks at its values, and keeps a table that no file has.
struct Peeking : nn::Module {
  Tensor w = addParameter("w", Tensor::full({2}, 3));
  Tensor doubled = Tensor::full({2}, 2 * w.toVector<float>()[0]);
  Tensor forward(const Tensor& x) override { return x * w + doubled; }
};

void mutate(Value& value, const std::function<void()>& tried) {
  const Value own = value;
  if (own.isObject()) {
    for (const auto& [key, member] : own.members()) {
      Value inner = member;
      // Each change below, set into this object, is tried with everything around it as it was.
      const std::function<void()> set = [&, key = key] {
        value.set(key, inner);
        tried();
      };
      mutate(inner, set);
      value.set(key, member);
    }
    return;
  }
  if (own.isArray()) {
    for (std::size_t i = 0; i < own.size(); ++i) {
      Value inner = own[i];
      mutate(inner, [&] {
        Value::Elements all = own.elements();
        all[i] = inner;
        value = Value(all);
        tried();
      });
    }
  }
  std::vector<Value> instead{Value(), Value::array(), Value::object(), "x", true};
  for (const i64 n : {i64{-1}, i64{0}, i64{3}, i64{1} << 31, i64{1} << 40, (i64{1} << 62) + 1}) instead.push_back(n);
  for (const double d : {1e300, -1e300, 0.5}) instead.push_back(d);
  for (const Value& other : instead) {
    value = other;
    tried();
  }
  value = own;
}

}  // namespace

TEST_CASE("layers of absurd sizes are refused for what the file has, and nothing is taken for them") {
  const TempFolder folder;
  const i64 huge = 1'000'000'000;
  const Value linear = layer("Linear", {{"in", huge}, {"out", huge}, {"bias", true}}, "big");
  std::string message = loadError(folder, sequential(Value::array({linear})));
  CHECK(contains(message, "2 missing in the file"));
  message = loadError(
      folder, sequential(Value::array({linear})),
      {{"big.weight", "param", core::NDArray::zeros({2, 2})}, {"big.bias", "param", core::NDArray::zeros({2})}});
  CHECK(contains(message, "\"big.weight\": [2, 2] in the file, [1000000000, 1000000000] in the net"));
  const auto conv = [&](const Value& kernel, i64 in) {
    Value args = nn::Conv2D(1, 1, {.kernel = 3, .bias = false}).args();
    return loadError(folder,
                     sequential(Value::array({layer("Conv2D", args.set("kernel", kernel).set("in", in), "conv")})));
  };
  message = conv(Value::array({2147483647, 1}), 1);
  CHECK_MESSAGE(contains(message, "\"conv.weight\""), message);
  message = conv(Value::array({i64{1} << 31, 1}), 1);
  CHECK_MESSAGE(contains(message, "\"conv.weight\""), message);
  message = conv(Value::array({2147483647, 2147483647}), huge);  // beyond 63 bits
  CHECK(contains(message, "layer   \"conv\" (\"Conv2D\")"));
  CHECK_MESSAGE(contains(message, "overflows"), message);
  for (const char* norm : {"BatchNorm2D", "InstanceNorm2D"})
    CHECK(!loadError(folder, layer(norm, {{"channels", huge}, {"maps", huge}, {"affine", true}})).empty());
  CHECK(contains(loadError(folder, layer("Embedding", {{"rows", huge}, {"dim", huge}})), "missing in the file"));
  CHECK(contains(loadError(folder, layer("Replicate", {{"times", huge}})), "Replicate"));
}

TEST_CASE("more modules than a net can have, and deeper ones, are refused, by save() too") {
  const TempFolder folder;
  Value layers = Value::array();
  for (int i = 0; i < 50'000; ++i) layers.push(layer("ReLU", Value::object(), std::to_string(i)));
  const std::string message = loadError(folder, sequential(layers));
  CHECK(contains(message, "more modules than a net may have"));
  CHECK(contains(message, "\"9999\" (\"ReLU\")"));

  nn::Sequential many;
  for (int i = 0; i < 10'000; ++i) many.append(nn::ReLU());
  CHECK(
      contains(messageOf<ValueError>([&] { save(folder / "many.json", many); }), "more modules than a file may hold"));

  std::unique_ptr<nn::Module> deep = std::make_unique<nn::Sequential>();
  for (int i = 0; i < 30; ++i) {
    auto around = std::make_unique<nn::Sequential>();
    around->addChild("0", std::move(deep));
    deep = std::move(around);
  }
  CHECK(messageOf<ValueError>([&] { save(folder / "deep.json", *deep); }) != "no error");
  std::string text = R"({"format": "ember-checkpoint", "format_version": "1.0", "required_features": [], "model": )";
  for (int i = 0; i < 30; ++i) text += R"({"name": "0", "type": "Sequential", "args": {"layers": [)";
  writeFile(folder / "nested.json", text);
  CHECK(contains(messageOf<IoError>([&] { nn::load(folder / "nested.json"); }), "nested"));
}

TEST_CASE("graphs that cannot run are refused, by save() too") {
  const TempFolder folder;
  const auto graph = [](const std::string& from) {
    const auto node = [](const char* name, const std::string& reads) {
      return layer("ReLU", Value::object(), name).set("from", Value::array({reads}));
    };
    return layer("Graph", {{"inputs", Value::array({"x"})},
                           {"nodes", Value::array({node("a", from), node("b", "a"), node("c", "x")})},
                           {"outputs", Value::array({"b", "c"})}});
  };
  CHECK(contains(loadError(folder, graph("b")), "cycle"));
  CHECK(contains(loadError(folder, sequential(Value::array({graph("nobody").set("name", "g")}))), "nobody"));
  nn::Graph cyclic;
  cyclic.input("x").output({"a"});
  cyclic.add("a", nn::Add(), {"x", "a"});
  CHECK(contains(messageOf<ValueError>([&] { save(folder / "cyclic.json", cyclic); }), "cycle"));
}

TEST_CASE("only registered types are built; the refusal names the layer's path, the type and both ways out") {
  const TempFolder folder;
  for (const char* type : {"Trainer", "Module", "nn::Linear", "std::string", "", "/lib/libc.so", "__import__('os')"}) {
    const std::string message = loadError(
        folder, sequential(Value::array(
                    {sequential(Value::array({layer(type, Value::object(), "inner")})).set("name", "outer")})));
    CHECK_MESSAGE(contains(message, "layer   \"outer.inner\""), message);
    CHECK_MESSAGE(contains(message, "unknown module type \"" + std::string(type) + "\""), message);
    CHECK(contains(message, "registerModule"));
    CHECK(contains(message, "build the net in code"));
  }
  CHECK(contains(loadError(folder, {{"type", "ReLU"}}), "was not registered when it was saved"));
  CHECK(contains(loadError(folder, {{"args", Value::object()}}), "\"type\""));
}

TEST_CASE("a type of the program's own gets no more memory than the file accounts for") {
  const TempFolder folder;
  nn::registerModule("Table", [](const nn::Args& a) { return Table(a.get<i64>("size")); });
  io::Checkpoint checkpoint;
  checkpoint.model = layer("Table", {{"size", i64{1} << 30}});
  io::writeCheckpoint(folder / "net.json", checkpoint);
  const i64 before = memory::stats().nowBytes;
  memory::resetPeak();
  const std::string message = messageOf<IoError>([&] { nn::load(folder / "net.json"); });
  CHECK_MESSAGE(contains(message, "4294967296 bytes are more than is allowed here"), message);
  CHECK(memory::stats().peakBytes == before);
  CHECK_NOTHROW(Tensor::ones({1000}));  // the limit ended with the load

  save(folder / "good.json", Table(5));
  CHECK(stateDifference(*nn::load(folder / "good.json"), Table(5)) == "");
}

TEST_CASE("a type whose constructor looks at values is built with them") {
  const TempFolder folder;
  nn::registerModule("Peeking", [](const nn::Args&) { return Peeking(); });
  nn::Sequential net{Peeking()};
  net(Tensor::ones({1, 2}));
  {
    const NoGrad guard;
    net.namedParameters()[0].tensor.fill_(5);
  }
  save(folder / "net.json", net);
  CHECK(contains(readFile(folder / "net.json"), "\"self_test\""));
  const auto again = nn::load(folder / "net.json");
  CHECK(stateDifference(net, *again) == "");
  CHECK((*again)(Tensor::ones({1, 2})).toVector<float>() == net(Tensor::ones({1, 2})).toVector<float>());
}

TEST_CASE("what a member says of frozen and shared tensors is checked") {
  const TempFolder folder;
  nn::Linear net(2, 2);
  const auto with = [&](const char* key, const Value& value) {
    io::Checkpoint checkpoint = nn::checkpointOf(net);
    checkpoint.extra.set(key, value);
    io::writeCheckpoint(folder / "net.json", checkpoint);
    return messageOf<IoError>([&] { nn::load(folder / "net.json"); });
  };
  CHECK(contains(with("frozen", Value::array({"wieght"})), "\"frozen\" names \"wieght\""));
  CHECK(contains(with("frozen", Value::array({3})), "\"frozen\" names 3, which is no parameter of the file"));
  CHECK(contains(with("frozen", "weight"), "\"frozen\" is \"weight\", expected an array of names"));
  CHECK(contains(with("aliases", "weight"), "\"aliases\" is \"weight\", expected an object"));
  CHECK(contains(with("aliases", {{"again", "wieght"}}), "another name of \"wieght\""));
  CHECK(contains(with("aliases", {{"again", 3}}), "another name of 3"));
  CHECK(contains(with("aliases", {{"again", "weight"}}), "1 unexpected"));
  CHECK(contains(with("aliases", {{"bias", "weight"}}), "\"bias\""));
}

TEST_CASE("whatever stands in the arguments of any layer, it is built or refused by an IoError that took no memory") {
  const TempFolder folder;
  const std::string path = folder / "net.json";
  int built = 0, refused = 0;
  for (const auto& entry : layerSamples()) {
    const auto& type = entry.first;  // no structured binding: FAIL_CHECK captures it
    const auto& row = entry.second;
    for (const LayerSample& sample : row.samples) {
      const auto module = sample.make();
      io::Checkpoint checkpoint = nn::checkpointOf(*module);
      mutate(checkpoint.model, [&] {
        try {
          Text text;  // not by way of the disk: there are thousands
          io::writeCheckpoint(text, checkpoint);
          writeFile(path, text.bytes);
        } catch (const ValueError&) {
          return;  // no architecture at all
        }
        const i64 before = memory::stats().nowBytes;
        memory::resetPeak();
        try {
          nn::load(path);
          ++built;
        } catch (const IoError&) {
          ++refused;
        } catch (const std::exception& error) {
          FAIL_CHECK(type << ", " << sample.name << ": " << checkpoint.model.dump() << " threw " << error.what());
        }
        CHECK(memory::stats().peakBytes - before < 1'000'000);
      });
    }
  }
  MESSAGE(built << " built, " << refused << " refused");
  CHECK(built > 500);
  CHECK(refused > 5000);
}
