// Every option of batch norm, walked as nn/Layers.def is: training, evaluation, arguments, clone, file, f64. What an
// option means is checked behind the walk and in BatchNormModesTest.cpp, its parameters in BatchNormParametersTest.cpp.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ember/ember.h>

#include "support/Cpu.h"
#include "support/Draw.h"
#include "support/Golden.h"
#include "support/Headline.h"
#include "support/State.h"
#include "support/TempFolder.h"

using namespace ember;
using namespace ember::test;

namespace {

using Options = nn::BatchNormNDOptions;

struct Row {
  const char* name;
  Options options;
  Shape input = {4, 3, 2, 5};
  bool wide = true;  ///< whether the layer can become f64
};

std::vector<Row> rows() {
  const nn::Initial drawn = [](Tensor& t) { nn::init::uniform_(t, 0.5, 1.5); };
  const nn::ParamAttr attr{.name = "gamma",
                           .init = 0.75,
                           .lrMultiplier = 2,
                           .weightDecayMultiplier = 0.5,
                           .trainable = false,
                           .doModelAverage = false};
  return {
      {"nothing", {}},
      {"epsilon", {.epsilon = 0.01}},
      {"epsMode", {.epsilon = 0.5, .epsMode = nn::EpsMode::Max}},
      {"initFactor and minFactor", {.initFactor = 0.5, .minFactor = 0.2}},
      {"factorWeighs", {.factorWeighs = nn::FactorWeighs::Old}},
      {"momentum", {.momentum = 0.8}},
      {"varEstimator Biased", {.varEstimator = nn::VarEstimator::Biased}},
      {"varEstimator UnbiasedLocal", {.varEstimator = nn::VarEstimator::UnbiasedLocal}},
      {"affine", {.affine = false}},
      {"useScale", {.useScale = false}},
      {"useShift", {.useShift = false}},
      {"affine against useShift", {.affine = false, .useShift = true}},
      {"fixGamma", {.fixGamma = true}},
      {"sscale", {.sscale = 0}},
      {"initialisers: numbers", {.scaleInit = 1.25, .biasInit = -1, .meanInit = 0.5, .varInit = 2}},
      {"initialisers: tensors",
       {.scaleInit = Tensor::of({1, 2, 3}), .biasInit = Tensor::of({4, 5, 6}), .varInit = Tensor::of({7, 8, 9})}},
      {"initialisers: functions", {.scaleInit = drawn, .biasInit = drawn, .meanInit = drawn, .varInit = drawn}},
      {"paramAttr", {.paramAttr = attr}},
      {"biasAttr", {.biasAttr = nn::ParamAttr{.name = "beta", .init = drawn, .trainable = false}}},
      {"act ReLU", {.act = nn::Act::ReLU}},
      {"act LeakyReLU", {.act = nn::Act::LeakyReLU, .slope = 0.3}},
      {"channelAxis", {.channelAxis = -1}, {4, 2, 5, 3}},
      {"reduceAxes", {.reduceAxes = {0, 1, -2}}, {4, 2, 5, 3}},
      {"dataLayout", {.dataLayout = "NHWC"}, {4, 2, 5, 3}},
      {"paramDim", {.paramDim = nn::ParamDim::PerActivation}},
      {"dtype", {.dtype = DType::F64}},
      {"isTest", {.isTest = true}},
      {"useGlobalStats True", {.useGlobalStats = nn::GlobalStats::True}},
      {"useGlobalStats False", {.useGlobalStats = nn::GlobalStats::False}},
      {"trainableStatistics", {.trainableStatistics = true}},
      {"trackRunningStats", {.trackRunningStats = false}},
      {"freeze", {.freeze = true}},
      {"updateStatsOn", {.updateStatsOn = nn::StatsUpdate::Backward}},
      {"singleValuePolicy Zero", {.singleValuePolicy = nn::SingleValue::Zero}, {1, 3, 1, 1}},
      {"singleValuePolicy PassThrough", {.singleValuePolicy = nn::SingleValue::PassThrough}, {1, 3, 1, 1}},
      {"outputMeanVar", {.outputMeanVar = true}},
      {"inplace", {.act = nn::Act::LeakyReLU, .slope = 0.2, .inplace = true}},
      {"meanName and varName", {.meanName = "moving_mean", .varName = "moving_variance"}},
      {"doModelAverage", {.doModelAverage = false}},
      {"minCalib and maxCalib", {.minCalib = -3, .maxCalib = 4}},
      {"backend OneDNN", {.act = nn::Act::ReLU, .backend = nn::BatchNormBackend::OneDNN}, {4, 3, 2, 5}, false},
      {"backend Reference", {.backend = nn::BatchNormBackend::Reference}},
      {"name", {.name = "stemNorm"}},
      {"empty", {.empty = true}},
  };
}

void walk(const std::function<void(const Row&)>& body) {
  for (const Row& row : rows()) {
    CAPTURE(std::string(row.name));
    try {
      body(row);
    } catch (const std::exception& error) {
      FAIL_CHECK(row.name << " threw " << std::string(error.what()));
    }
  }
}

std::unique_ptr<nn::BatchNormND> make(const Row& row) {
  seed(5);
  auto norm = std::make_unique<nn::BatchNormND>(3, row.options);
  if (norm->pending()) norm->materialise(row.options.empty ? Shape{3} : Shape{3, 2, 5});
  return norm;
}

Tensor inputOf(const Row& row, DType dtype = DType::F32) {
  return distinct("input", row.input).to(row.options.dtype == DType::F64 ? DType::F64 : dtype);
}

/// y, and with outputMeanVar what comes beside it. The layer gets the result of an op, which it may overwrite.
Tensors forward(nn::Module& norm, const Tensor& x) { return norm(Tensors{x * 1}); }

/// The same arguments, state and results, through a training step and in evaluation.
void checkEqual(nn::Module& a, nn::Module& b, const Row& row, DType dtype = DType::F32) {
  CHECK(firstDifference(a.architecture(), b.architecture()) == "");
  CHECK(a.toString() == b.toString());
  CHECK(stateDifference(a, b) == "");
  for (const bool training : {true, false}) {
    const auto step = [&](nn::Module& module) {
      module.train(training);
      module.zeroGrad();
      Tensor x = inputOf(row, dtype);
      Tensors outputs = forward(module, x.setRequiresGrad());
      outputs[0].sum().backward();
      outputs.push_back(x.grad());
      return outputs;
    };
    const Tensors first = step(a), second = step(b);
    REQUIRE(first.size() == second.size());
    for (std::size_t i = 0; i < first.size(); ++i) CHECK_MESSAGE(sameBits(first[i], second[i]), "result " << i);
    CHECK(stateDifference(a, b) == "");
  }
}

}  // namespace

TEST_CASE("every option: training and evaluation give finite numbers of the right shapes, and the next step as well") {
  walk([](const Row& row) {
    const auto norm = make(row);
    CHECK(norm->training() == !row.options.isTest);
    for (const bool training : {true, true, false}) {
      norm->train(training);
      Tensor x = inputOf(row);
      const Tensors outputs = forward(*norm, x.setRequiresGrad());
      CHECK(outputs.size() == (row.options.outputMeanVar ? 3 : 1));
      CHECK((outputs[0].shape() == row.input));
      outputs[0].sum().backward();
      for (const double v : outputs[0].toVector<double>()) CHECK(std::isfinite(v));
      for (const double v : x.grad().toVector<double>()) CHECK(std::isfinite(v));
      for (const nn::Parameter& p : stateOf(*norm)) {
        for (const double v : p.tensor.toVector<double>()) CHECK(std::isfinite(v));
      }
    }
  });
}

TEST_CASE("every option stands in the arguments, and an equal layer comes from them") {
  walk([](const Row& row) {
    const nn::BatchNormND norm(3, row.options);
    const nn::Args args = Value::parse(norm.args().dump());
    const nn::init::Skip skip;  // of a function the arguments only know that there was one
    const auto again = nn::BatchNormND::fromArgs(args);
    CHECK(again.args().dump() == norm.args().dump());
    CHECK(again.details() == norm.details());
    CHECK(again.training() == norm.training());
    CHECK(again.pending() == norm.pending());
    const bool plain = std::string_view(row.name) == "nothing";
    CHECK_MESSAGE((args.size() > 1) == !plain, args.dump());
  });
}

TEST_CASE("every option: a clone is equal and goes the same way on") {
  walk([](const Row& row) {
    const auto norm = make(row);
    forward(*norm, inputOf(row));
    const auto copy = norm->clone();
    CHECK(copy->training() == norm->training());
    CHECK(copy->name() == norm->name());
    checkEqual(*norm, *copy, row);
  });
}

TEST_CASE("every option: the layer comes back from its file, by itself and into a layer of other values") {
  const TempFolder folder;
  const std::string path = folder / "norm.json";
  walk([&](const Row& row) {
    const auto norm = make(row);
    forward(*norm, inputOf(row));
    save(path, *norm);
    const auto again = nn::load(path);
    checkEqual(*norm, *again, row);

    save(path, *norm, {.readable = true});
    nn::BatchNormND other(3, row.options);  // lazy and empty ones take their shapes from the file
    if (!other.pending()) {
      const NoGrad guard;
      for (nn::Parameter& p : stateOf(other)) p.tensor.fill_(3);
    }
    const LoadReport report = load(path, other);
    CHECK(report.left.empty());
    CHECK(report.missing.empty());
    checkEqual(*norm, other, row);
  });
}

TEST_CASE("every option in f64 gives what f32 gives, and comes back from its file") {
  const TempFolder folder;
  walk([&](const Row& row) {
    if (!row.wide || row.options.dtype == DType::F64) return;
    const auto narrow = make(row), wide = make(row);
    wide->to(DType::F64);
    for (const bool training : {true, false}) {
      narrow->train(training);
      wide->train(training);
      const Tensors a = forward(*narrow, inputOf(row)), b = forward(*wide, inputOf(row, DType::F64));
      for (std::size_t i = 0; i < a.size(); ++i) {
        CHECK(name(b[i].dtype()) == "f64");
        CHECK_CLOSE(a[i], b[i], toleranceF32, "output " << i);
      }
    }
    save(folder / "wide.json", *wide);
    const auto again = nn::load(folder / "wide.json");
    checkEqual(*wide, *again, row, DType::F64);
  });
}

TEST_CASE("every option takes bf16 data with f32 parameters and statistics") {
  walk([](const Row& row) {
    if (row.options.dtype == DType::F64) return;
    if (row.options.backend == nn::BatchNormBackend::OneDNN && !oneDnnTakesBf16()) return;
    const auto norm = make(row), same = make(row);
    for (const bool training : {true, false}) {
      norm->train(training);
      same->train(training);
      const NoGrad guard;  // in place in training takes no bf16
      const Tensor x = inputOf(row).to(DType::BF16);
      const Tensors y = forward(*norm, x), expected = forward(*same, x.to(DType::F32));
      CHECK(name(y[0].dtype()) == "bf16");
      // y is rounded to 8 bits once.
      CHECK_CLOSE(y[0], expected[0], (Tolerance{1.0 / 128, 1e-5}), "y");
      for (const nn::Parameter& p : stateOf(*norm)) CHECK(p.tensor.dtype() != DType::BF16);
      for (const nn::Parameter& b : norm->namedBuffers()) {
        for (const nn::Parameter& e : same->namedBuffers()) {
          if (b.name == e.name) CHECK_CLOSE(b.tensor, e.tensor, toleranceF32, b.name);
        }
      }
    }
  });
}

TEST_CASE("the dtype of a layer is f32 or f64, and data must fit it") {
  CHECK_THROWS_WITH_AS(nn::BatchNorm1D(3, {.dtype = DType::BF16}), doctest::Contains("dtype is bf16"), ValueError);
  CHECK_THROWS_AS(nn::BatchNorm1D(3, {.dtype = DType::I64}), ValueError);
  nn::BatchNorm1D narrow(3), wide(3, {.dtype = DType::F64});
  CHECK(name(wide.runningVar.dtype()) == "f64");
  CHECK_THROWS_WITH_AS(narrow(Tensor::ones({4, 3}, DType::F64)), doctest::Contains("f64 needs f64"), DtypeError);
  CHECK_THROWS_AS(wide(Tensor::ones({4, 3})), DtypeError);
  CHECK_THROWS_AS(narrow(Tensor::ones({4, 3}, DType::I64)), DtypeError);
  CHECK(narrow.numBatchesTracked.item() == 0);
}
