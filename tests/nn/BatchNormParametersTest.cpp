// The parameters of batch norm: own names, initialisers, settings, model averages; and layers whose tensors come later.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ember/core/io/Checkpoint.h>
#include <ember/ember.h>

#include "support/Draw.h"
#include "support/Headline.h"
#include "support/TempFolder.h"

using namespace ember;
using namespace ember::test;

namespace {

using Values = std::vector<double>;
using Options = nn::BatchNormNDOptions;

Values valuesOf(const Tensor& t) { return t.toVector<double>(); }

std::vector<std::string> namesOf(const nn::Module& module) {
  std::vector<std::string> names;
  for (const auto& p : module.namedParameters()) names.push_back(p.name);
  for (const auto& b : module.namedBuffers()) names.push_back(b.name);
  return names;
}

Tensor input(const Shape& shape) { return draw("input", shape).to(DType::F32); }

}  // namespace

TEST_CASE("parameters and statistics take their own names, which the file has too") {
  const TempFolder folder;
  nn::BatchNorm1D norm(3, {.paramAttr = nn::ParamAttr{.name = "gamma"},
                           .biasAttr = nn::ParamAttr{.name = "beta"},
                           .meanName = "moving_mean",
                           .varName = "moving_variance"});
  CHECK(namesOf(norm) ==
        std::vector<std::string>{"gamma", "beta", "moving_mean", "moving_variance", "num_batches_tracked"});
  norm(input({4, 3}));
  save(folder / "norm.json", norm);
  const io::Checkpoint file = io::readCheckpoint(folder / "norm.json");
  CHECK(file.find("moving_variance") != nullptr);
  CHECK(file.find("running_var") == nullptr);

  // Into a layer with PyTorch's names.
  nn::BatchNorm1D other(3);
  load(folder / "norm.json", other,
       {.rename = {{"gamma", "weight"},
                   {"beta", "bias"},
                   {"moving_mean", "running_mean"},
                   {"moving_variance", "running_var"}}});
  CHECK(sameBits(other.runningVar, norm.runningVar));
  CHECK(sameBits(other.weight, norm.weight));
}

TEST_CASE("two tensors of one name are refused at construction, also where the tensors come later") {
  const Options doubled[] = {
      {.meanName = "running_var"},
      {.meanName = "weight"},
      {.varName = "num_batches_tracked"},
      {.paramAttr = nn::ParamAttr{.name = "bias"}},
      {.biasAttr = nn::ParamAttr{.name = "running_mean"}},
      {.paramAttr = nn::ParamAttr{.name = "p"}, .biasAttr = nn::ParamAttr{.name = "p"}},
  };
  for (const Options& options : doubled) {
    CHECK_THROWS_AS(nn::BatchNorm1D(3, options), ValueError);
    CHECK_THROWS_AS(nn::BatchNorm1D(0, options), ValueError);
  }
  CHECK_THROWS_AS(nn::BatchNorm1D(3, {.meanName = ""}), ValueError);
  CHECK_THROWS_AS(nn::BatchNorm1D(3, {.varName = "running.var"}), ValueError);
  // A name is free where its tensor does not exist.
  CHECK(namesOf(nn::BatchNorm1D(3, {.useScale = false, .meanName = "weight"})).size() == 4);
}

TEST_CASE("the four initialisers take numbers, tensors and functions, and resetting draws anew") {
  nn::BatchNorm1D numbers(2, {.scaleInit = 3, .biasInit = -1.5, .meanInit = 0.25, .varInit = 4});
  CHECK(valuesOf(numbers.weight) == Values(2, 3));
  CHECK(valuesOf(numbers.bias) == Values(2, -1.5));
  CHECK(valuesOf(numbers.runningMean) == Values(2, 0.25));
  CHECK(valuesOf(numbers.runningVar) == Values(2, 4));

  nn::BatchNorm1D tensors(2, {.scaleInit = Tensor::of({1, 2}),
                              .biasInit = Tensor::of({3, 4}, DType::F64),
                              .meanInit = Tensor::of({5, 6}),
                              .varInit = Tensor::of({7, 8})});
  tensors(input({4, 2}));
  {
    const NoGrad guard;
    tensors.weight.fill_(9);
  }
  tensors.resetParameters();
  CHECK(valuesOf(tensors.weight) == Values{1, 2});
  CHECK(valuesOf(tensors.bias) == Values{3, 4});
  CHECK(valuesOf(tensors.runningMean) == Values{5, 6});
  CHECK(valuesOf(tensors.runningVar) == Values{7, 8});
  CHECK(tensors.numBatchesTracked.item() == 0);

  int calls = 0;
  nn::BatchNorm1D functions(2, {.scaleInit = [&](Tensor& t) { t.fill_(++calls); },
                                .biasInit = [](Tensor& t) { nn::init::uniform_(t, 2, 3); }});
  CHECK(valuesOf(functions.weight) == Values(2, 1));
  const Values bias = valuesOf(functions.bias);
  functions.resetParameters();
  CHECK(valuesOf(functions.weight) == Values(2, 2));
  CHECK(valuesOf(functions.bias) != bias);
  functions.resetRunningStats();
  CHECK(calls == 2);
}

TEST_CASE("an initialiser of another shape is a ShapeError that names its field") {
  CHECK_THROWS_WITH_AS(nn::BatchNorm2D(3, {.scaleInit = Tensor::of({1, 2})}),
                       doctest::Contains("[BatchNorm2D] ShapeError: scaleInit is [2], expected [3]"), ShapeError);
  CHECK_THROWS_WITH_AS(nn::BatchNorm2D(3, {.varInit = Tensor::ones({3, 1})}), doctest::Contains("varInit is [3, 1]"),
                       ShapeError);
  CHECK_THROWS_AS(nn::BatchNorm2D(3, {.biasAttr = nn::ParamAttr{.init = Tensor::of({1})}}), ShapeError);
  CHECK_THROWS_AS(nn::BatchNorm2D(3, {.meanInit = Tensor()}), ShapeError);
  // A lazy layer learns only from the data that it does not fit, and is as before.
  nn::BatchNorm2D lazy(0, {.scaleInit = Tensor::of({1, 2})});
  CHECK_THROWS_AS(lazy(input({4, 3, 2, 2})), ShapeError);
  CHECK(lazy.pending());
  CHECK((lazy(input({4, 2, 2, 2})).shape() == Shape{4, 2, 2, 2}));
}

TEST_CASE("a loaded layer knows that a function drew its values and refuses to draw them; a clone has the function") {
  const TempFolder folder;
  nn::BatchNorm1D norm(2, {.scaleInit = [](Tensor& t) { nn::init::uniform_(t, 1, 2); }, .biasInit = 0.5});
  save(folder / "norm.json", norm);
  const auto again = nn::load(folder / "norm.json");
  auto& loaded = dynamic_cast<nn::BatchNorm1D&>(*again);
  CHECK(sameBits(loaded.weight, norm.weight));
  CHECK(messageOf<StateError>([&] { loaded.resetParameters(); }).find("was not saved with the net") !=
        std::string::npos);
  CHECK(sameBits(loaded.weight, norm.weight));
  loaded.resetRunningStats();  // those start as numbers

  const auto copy = norm.clone();
  auto& cloned = dynamic_cast<nn::BatchNorm1D&>(*copy);
  cloned.resetParameters();
  for (const double w : valuesOf(cloned.weight)) CHECK((w >= 1 && w < 2));
  CHECK_FALSE(sameBits(cloned.weight, norm.weight));
}

TEST_CASE("the settings of paramAttr and biasAttr stand in the lists of parameters, and optimisers obey them") {
  nn::BatchNorm1D norm(2, {.paramAttr = nn::ParamAttr{.init = 2, .lrMultiplier = 0.5, .weightDecayMultiplier = 3},
                           .biasAttr = nn::ParamAttr{.init = 4, .lrMultiplier = 0, .doModelAverage = false}});
  const nn::Parameters list = norm.namedParameters();
  CHECK(list[0].settings.lrMultiplier == 0.5);
  CHECK(list[0].settings.weightDecayMultiplier == 3);
  CHECK(list[0].settings.averaged);
  CHECK(list[1].settings.lrMultiplier == 0);
  CHECK_FALSE(list[1].settings.averaged);

  optim::SGD sgd(list, {.lr = 0.1, .weightDecay = 0.01});
  for (const nn::Parameter& p : list) Tensor(p.tensor).setGrad(Tensor::ones({2}));
  sgd.step();
  const double expected = 2 - 0.1 * 0.5 * (1 + 0.01 * 3 * 2);
  CHECK(valuesOf(norm.weight)[0] == doctest::Approx(expected).epsilon(1e-6));
  CHECK(valuesOf(norm.bias) == Values(2, 4));
}

TEST_CASE("a parameter that is not trainable gets no gradient and stays, the other trains") {
  nn::BatchNorm1D norm(3, {.paramAttr = nn::ParamAttr{.trainable = false}});
  const Values before = valuesOf(norm.weight);
  optim::SGD sgd(norm.namedParameters(), {.lr = 1, .weightDecay = 0.1});
  (norm(input({6, 3})) * norm(input({6, 3}))).sum().backward();
  sgd.step();
  CHECK_FALSE(norm.weight.grad().defined());
  CHECK(valuesOf(norm.weight) == before);
  CHECK(valuesOf(norm.bias) != Values(3, 0));
}

TEST_CASE("a weight average leaves out what doModelAverage takes out") {
  const auto averaged = [](const Options& options) {
    const nn::BatchNorm1D norm(2, options);
    const optim::Ema ema(norm, 0.9);
    std::string names;
    for (const nn::Parameter& p : ema.averages()) names += p.name + " ";
    return names;
  };
  CHECK(averaged({}) == "weight bias running_mean running_var ");
  CHECK(averaged({.doModelAverage = false}) == "weight bias ");
  CHECK(averaged({.paramAttr = nn::ParamAttr{.doModelAverage = false}}) == "bias running_mean running_var ");
}

TEST_CASE("a lazy layer takes its channels from the first input, and asking for parameters before is an error") {
  for (const bool bySummary : {false, true}) {
    nn::Sequential net(nn::Conv2D(1, 5, {.kernel = 3}), nn::BatchNorm2D(0), nn::ReLU());
    for (const auto& ask : std::vector<std::function<void()>>{
             [&] { net.namedParameters(); }, [&] { net.namedBuffers(); }, [&] { net.parameterCount(); },
             [&] { net.zeroGrad(); }, [&] { (void)net.clone(); }, [&] { net.to(DType::F64); },
             [&] { save("never.json", net); }, [&] { optim::SGD(net.namedParameters(), {}); }}) {
      const std::string text = messageOf<StateError>(ask);
      CHECK_MESSAGE(contains(text, "[BatchNorm2D] StateError: the layer has no tensors yet"), text);
      CHECK_MESSAGE(contains(text, "run one forward first"), text);
    }
    CHECK(contains(net.toString(), "maps from the first input"));
    if (bySummary) {
      const nn::Summary summary = net.summary({2, 1, 6, 6});
      CHECK(summary.parameters == 9 * 5 + 5 + 10);
      CHECK(summary.rows.at(2).details == "5");
      CHECK(summary.rows.at(2).parameters == 10);
    } else {
      net(input({2, 1, 6, 6}));
    }
    CHECK(namesOf(net).size() == 2 + 5);
    const auto& norm = dynamic_cast<nn::BatchNorm2D&>(net.child(1));
    CHECK(norm.maps() == 5);
    CHECK(norm.numBatchesTracked.item() == (bySummary ? 0 : 1));
    const Tensor before = norm.bias.clone();
    optim::SGD sgd(net.namedParameters(), {.lr = 0.1});
    const Tensor y = net(input({2, 1, 6, 6}));
    (y * y).sum().backward();
    sgd.step();
    CHECK_FALSE(sameBits(norm.bias, before));
    CHECK_THROWS_AS(net.child(1)(input({2, 4, 3, 3})), ShapeError);
  }
}

TEST_CASE("an input that a lazy layer refuses decides nothing") {
  nn::BatchNorm1D norm(0);
  CHECK_THROWS_AS(norm(input({1, 7})), ValueError);  // one value a channel
  CHECK_THROWS_AS(norm(Tensor::ones({4, 7}, DType::F64)), DtypeError);
  CHECK_THROWS_AS(norm(input({4, 7, 2, 2})), ShapeError);
  CHECK_THROWS_AS(norm(input({4, 0})), ShapeError);
  CHECK(norm.pending());
  CHECK(norm.maps() == 0);
  norm(input({4, 3}));
  CHECK(norm.maps() == 3);
}
