// Walks nn/Layers.def: every layer gets every check with every sample of tests/nn/LayerSamples.cpp.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <set>

#include <doctest/doctest.h>
#include <ember/autograd/GradCheck.h>
#include <ember/autograd/ops/Ops.h>
#include <ember/core/Error.h>
#include <ember/core/Random.h>
#include <ember/nn/Checkpoint.h>
#include <ember/nn/Init.h>
#include <ember/nn/Registry.h>
#include <ember/nn/layers/Layers.h>
#include <fmt/format.h>

#include "nn/LayerSamples.h"
#include "support/Draw.h"
#include "support/Golden.h"
#include "support/State.h"

using namespace ember;
using namespace ember::test;

namespace {

const std::vector<std::string> table = {
#define EMBER_HOLDER(Type)  // does not run
#define EMBER_LAYER(Type) #Type,
#include <ember/nn/Layers.def>
#undef EMBER_LAYER
};

void walk(const std::function<void(const std::string&, const LayerSample&)>& body) {
  for (const std::string& type : table) {
    const auto row = layerSamples().find(type);
    if (row == layerSamples().end()) continue;  // a test of its own reports it
    for (const LayerSample& sample : row->second.samples) {
      const std::string where = type + ", " + sample.name;
      CAPTURE(where);
      try {
        body(type, sample);
      } catch (const std::exception& error) {
        FAIL_CHECK(where << " threw " << std::string(error.what()));
      }
    }
  }
}

/// Whether a row skips a check; says so.
bool skips(const std::string& type, LayerCheck check, const char* what) {
  const auto& reasons = layerSamples().at(type).skips;
  const auto reason = reasons.find(check);
  if (reason == reasons.end()) return false;
  fmt::print("{} skips {}: {}\n", type, what, reason->second);
  CHECK_MESSAGE(reason->second.size() > 10, type << " skips " << what << " without a reason");
  return true;
}

std::unique_ptr<nn::Module> make(const LayerSample& sample, DType dtype = DType::F32) {
  seed(7);
  auto module = sample.make();
  module->to(dtype);
  return module;
}

/// 0, 1, 2, ... below a bound, from the start again behind it.
Tensor indices(const Shape& shape, i64 below) {
  std::vector<i64> values;
  for (i64 i = 0; i < numel(shape); ++i) values.push_back(i % below);
  return Tensor::of<i64>(values, shape);
}

Tensors inputsOf(const LayerSample& sample, DType dtype = DType::F32) {
  Tensors inputs{sample.classes > 0 ? integers("input", sample.input, sample.classes)
                                    : distinct("input", sample.input).to(dtype)};
  for (std::size_t i = 0; i < sample.more.size(); ++i) {
    inputs.push_back(sample.below > 0 ? indices(sample.more[i], sample.below)
                                      : distinct("input " + std::to_string(i), sample.more[i]).to(dtype));
  }
  return inputs;
}

/// Shapes alone, the first one another if so wanted.
Tensors shapesOf(const LayerSample& sample, const Shape& first) {
  Tensors inputs{Tensor::shapeOnly(first, sample.classes > 0 ? DType::I64 : DType::F32)};
  for (const Shape& shape : sample.more)
    inputs.push_back(Tensor::shapeOnly(shape, sample.below > 0 ? DType::I64 : DType::F32));
  return inputs;
}

/// Forward with the counters of random draws at 0, so every call draws the same.
Tensors forwardAll(nn::Module& module, const Tensors& inputs) {
  module.setStreams({});
  return module(inputs);
}

/// The same; several outputs behind each other in one tensor.
Tensor forward(nn::Module& module, const Tensors& inputs) {
  Tensors outputs = forwardAll(module, inputs);
  if (outputs.size() == 1) return outputs[0];
  for (Tensor& output : outputs) output = flatten(output);
  return concat(outputs, 0);
}

/// The same architecture, text, state and results, in training and in evaluation.
void checkEqual(nn::Module& a, nn::Module& b, const Tensors& x) {
  CHECK(firstDifference(a.architecture(), b.architecture()) == "");
  CHECK(a.toString() == b.toString());
  CHECK(stateDifference(a, b) == "");
  for (const bool training : {true, false}) {
    a.train(training);
    b.train(training);
    CHECK(sameBits(forward(a, x), forward(b, x)));
    CHECK(stateDifference(a, b) == "");
  }
}

}  // namespace

TEST_CASE("every layer of the table has samples of its type, and every sample belongs to a layer") {
  std::set<std::string> names;
  for (const std::string& type : table) {
    CHECK_MESSAGE(names.insert(type).second, type << " stands twice in Layers.def");
    CHECK_MESSAGE(layerSamples().contains(type), type << " has no row in LayerSamples.cpp");
  }
  for (const auto& row : layerSamples()) {
    CHECK_MESSAGE(names.contains(row.first), row.first << " is not in Layers.def");
    CHECK_FALSE(row.second.samples.empty());
  }
  walk([](const std::string& type, const LayerSample& sample) { CHECK(make(sample)->typeName() == type); });
}

TEST_CASE("the gradient of a layer's input agrees with differences, in training and in evaluation") {
  walk([](const std::string&, const LayerSample& sample) {
    if (sample.classes > 0) return;  // integers have no gradient
    const auto module = make(sample, DType::F64);
    for (const bool training : {true, false}) {
      CAPTURE(training);
      module->train(training);
      const auto fn = [&](const Tensors& x) { return forward(*module, x); };
      CHECK(gradcheck(fn, inputsOf(sample, DType::F64)) <= 1);
    }
  });
}

TEST_CASE("the gradients of a layer's parameters agree with differences") {
  walk([](const std::string&, const LayerSample& sample) {
    const auto module = make(sample, DType::F64);
    const Tensors x = inputsOf(sample, DType::F64);
    const Tensor y = forward(*module, x), weights = draw("weights", y.shape());
    if (y.requiresGrad()) y.backward({.gradient = weights});
    const NoGrad guard;
    const auto value = [&] { return sum(forward(*module, x) * weights).item(); };
    for (nn::Parameter& p : module->namedParameters()) {
      CAPTURE(p.name);
      REQUIRE(p.tensor.grad().defined());
      const auto analytic = p.tensor.grad().toVector<double>(), start = p.tensor.toVector<double>();
      const Shape shape = p.tensor.shape();
      for (std::size_t i = 0; i < start.size(); ++i) {
        const double step = 1e-6;
        const auto at = [&](double shift) {
          auto moved = start;
          moved[i] += shift;
          p.tensor.copy_(Tensor::of<double>(moved, shape));
          return value();
        };
        const double numeric = (at(step) - at(-step)) / (2 * step);
        CHECK(std::abs(numeric - analytic[i]) <= 1e-5 + 1e-3 * std::abs(numeric));  // as gradcheck
      }
      p.tensor.copy_(Tensor::of<double>(start, shape));
    }
  });
}

TEST_CASE("layers in f32 stay close to f64") {
  for (const std::string& type : table) (void)skips(type, LayerCheck::Dtype, "the type of the output");
  walk([](const std::string& type, const LayerSample& sample) {
    const auto wide = make(sample, DType::F64), narrow = make(sample, DType::F32);
    for (const bool training : {true, false}) {
      wide->train(training);
      narrow->train(training);
      const Tensor y = forward(*narrow, inputsOf(sample));
      if (!layerSamples().at(type).skips.contains(LayerCheck::Dtype)) CHECK(name(y.dtype()) == "f32");
      CHECK_CLOSE(y, forward(*wide, inputsOf(sample, DType::F64)), toleranceF32, "output");
    }
  });
}

TEST_CASE("a shape-only run and the summary give the shapes and counts of the real run, and leave the state alone") {
  walk([](const std::string& type, const LayerSample& sample) {
    const auto module = make(sample), untouched = make(sample);
    const nn::Summary summary =
        sample.more.empty() ? module->summary(sample.input, sample.classes > 0 ? DType::I64 : DType::F32)
                            : module->summary(inputsOf(sample));
    const Tensors shapes = forwardAll(*module, shapesOf(sample, sample.input));
    CHECK(stateDifference(*module, *untouched) == "");
    const Tensors real = forwardAll(*module, inputsOf(sample));
    REQUIRE_FALSE(summary.rows.empty());
    CHECK(summary.rows[0].type == type);
    REQUIRE(shapes.size() == real.size());
    REQUIRE(summary.rows[0].outputs.size() == real.size());
    for (std::size_t i = 0; i < real.size(); ++i) {
      CHECK(shapes[i].isShapeOnly());
      CHECK(toString(shapes[i].shape()) == toString(real[i].shape()));
      CHECK(name(shapes[i].dtype()) == name(real[i].dtype()));
      CHECK(toString(summary.rows[0].outputs[i]) == toString(real[i].shape()));
    }
    CHECK(toString(summary.rows[0].output) == toString(real[0].shape()));
    CHECK(summary.rows[0].parameters == module->parameterCount());
    CHECK(summary.parameters == module->parameterCount());
    CHECK(summary.rows.size() == module->namedModules().size());
    CHECK(fmt::format("{}", summary).find(type) != std::string::npos);
  });
}

TEST_CASE("a layer is rebuilt from its arguments") {
  walk([](const std::string& type, const LayerSample& sample) {
    const auto module = make(sample);
    const Value architecture = module->architecture();
    CHECK(architecture.get<std::string>("type") == type);
    // Through text, as in a file.
    const auto again = nn::build(Value::parse(architecture.dump()));
    CHECK(again->typeName() == type);
    CHECK(firstDifference(again->architecture(), architecture) == "");
    CHECK(again->toString() == module->toString());
    const nn::Parameters here = stateOf(*module), there = stateOf(*again);
    REQUIRE(here.size() == there.size());
    for (std::size_t i = 0; i < here.size(); ++i) {
      CHECK(here[i].name == there[i].name);
      CHECK(toString(here[i].tensor.shape()) == toString(there[i].tensor.shape()));
    }
  });
}

TEST_CASE("a layer built of shapes alone has the state of the real one, runs on shapes, and holds no numbers") {
  walk([](const std::string&, const LayerSample& sample) {
    const auto real = make(sample);
    seed(7);
    std::unique_ptr<nn::Module> module;
    {
      const nn::init::ShapesOnly scope;
      module = sample.make();
    }
    CHECK_FALSE(nn::init::ShapesOnly::active());
    CHECK(firstDifference(module->architecture(), real->architecture()) == "");
    const nn::Parameters here = stateOf(*module), there = stateOf(*real);
    REQUIRE(here.size() == there.size());
    for (std::size_t i = 0; i < here.size(); ++i) {
      CHECK(here[i].name == there[i].name);
      CHECK(toString(here[i].tensor.shape()) == toString(there[i].tensor.shape()));
      CHECK(here[i].tensor.requiresGrad() == there[i].tensor.requiresGrad());
      CHECK(here[i].tensor.isShapeOnly());
    }
    const Tensors shapes = forwardAll(*module, shapesOf(sample, sample.input));
    const Tensors expected = forwardAll(*real, shapesOf(sample, sample.input));
    REQUIRE(shapes.size() == expected.size());
    for (std::size_t i = 0; i < shapes.size(); ++i)
      CHECK(toString(shapes[i].shape()) == toString(expected[i].shape()));
  });
}

TEST_CASE("a layer prints its type, and a line for each module below it") {
  walk([](const std::string& type, const LayerSample& sample) {
    const auto module = make(sample);
    const std::string text = module->toString();
    CHECK(text.starts_with(type));
    CHECK(std::count(text.begin(), text.end(), '\n') == static_cast<std::ptrdiff_t>(module->namedModules().size()));
    if (!module->details().empty()) CHECK(text.find(module->details()) != std::string::npos);
  });
}

TEST_CASE("a clone is equal, and apart") {
  walk([](const std::string&, const LayerSample& sample) {
    const auto module = make(sample);
    const Tensors x = inputsOf(sample);
    (void)(*module)(x);  // running statistics and counters that a clone must take over
    module->train(false);
    const auto copy = module->clone();
    CHECK_FALSE(copy->training());
    CHECK(copy->streams() == module->streams());
    checkEqual(*module, *copy, x);
    const NoGrad guard;
    for (const nn::Parameter& p : stateOf(*copy)) {
      Tensor t = p.tensor;
      t.fill_(9);
    }
    for (const nn::Parameter& p : stateOf(*module)) {
      for (const double v : p.tensor.toVector<double>()) CHECK(v != 9);
    }
  });
}

TEST_CASE("a layer comes back from its file, by itself and into a layer of other values") {
  const std::string path = "layer.json";
  walk([&](const std::string& type, const LayerSample& sample) {
    for (const DType dtype : {DType::F32, DType::F64}) {
      const auto module = make(sample, dtype);
      const Tensors x = inputsOf(sample, dtype);
      (void)(*module)(x);
      save(path, *module);
      const auto again = nn::load(path);
      CHECK(again->typeName() == type);
      checkEqual(*module, *again, x);

      save(path, *module, {.readable = true});
      const auto other = make(sample, dtype);
      const NoGrad guard;
      for (const nn::Parameter& p : stateOf(*other)) {
        Tensor t = p.tensor;
        t.fill_(3);
      }
      const LoadReport report = load(path, *other);
      CHECK(report.taken.size() == stateOf(*module).size());
      CHECK(report.left.empty());
      CHECK(report.missing.empty());
      checkEqual(*module, *other, x);
    }
  });
  std::filesystem::remove(path);
  std::filesystem::remove(path + ".prev");
}

TEST_CASE("a wrong input is a ShapeError that names the layer, without data as with data") {
  for (const std::string& type : table) (void)skips(type, LayerCheck::WrongInput, "a wrong input");
  walk([](const std::string& type, const LayerSample& sample) {
    if (!sample.wrong) {
      if (!layerSamples().at(type).skips.contains(LayerCheck::WrongInput)) CHECK(sample.name == "nothing");
      return;
    }
    const auto module = make(sample);
    std::vector<std::string> texts;
    const Tensors shapes = shapesOf(sample, *sample.wrong);
    Tensors zeros;
    for (const Tensor& shape : shapes) zeros.push_back(Tensor::zeros(shape.shape()));
    for (const Tensors& x : {zeros, shapes}) {
      try {
        (void)forward(*module, x);
        FAIL_CHECK("took " << toString(*sample.wrong));
      } catch (const ShapeError& error) {
        texts.emplace_back(error.what());
      }
    }
    REQUIRE(texts.size() == 2);
    CHECK(texts[0] == texts[1]);
    bool named = false;  // the layer itself, or the one inside that met the input
    for (const auto& [path, part] : module->namedModules())
      named = named || texts[0].find(part->typeName()) != std::string::npos;
    CHECK_MESSAGE(texts[0].find("] ShapeError: ") != std::string::npos, texts[0]);
    CHECK_MESSAGE(named, texts[0]);
  });
}

TEST_CASE("every layer is compared with PyTorch in tests/golden") {
  std::set<std::string> covered;
  for (const char* family : {
           "layers",
           "batchNormLayers",
           "shapeLayers",
           "activationLayers",
           "normLayers",
       }) {
    for (const Json& c : golden(family)) {
      const auto name = c.at("name").get<std::string>();
      covered.insert(name.substr(0, name.find_first_of(" :")));
    }
  }
  for (const std::string& type : table) {
    if (!layerSamples().contains(type) || skips(type, LayerCheck::Golden, "golden values")) continue;
    CHECK_MESSAGE(covered.contains(type), type << " has no golden case");
  }
}
