// Files and batch norm: lazy and empty layers, constants of other systems, and runs that go on.
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ember/core/io/Checkpoint.h>
#include <ember/ember.h>

#include "support/Draw.h"
#include "support/Headline.h"
#include "support/State.h"
#include "support/TempFolder.h"

using namespace ember;
using namespace ember::test;

namespace {

Tensor input(const std::string& name, const Shape& shape) { return draw(name, shape, -1, 3).to(DType::F32); }

nn::Sequential lazyNet() { return nn::Sequential(nn::Linear(4, 6), nn::BatchNorm1D(0), nn::BatchNorm1D(0)); }

}  // namespace

TEST_CASE("a net that was lazy is saved and comes back; a lazy net takes its shapes from the file") {
  const TempFolder folder;
  nn::Sequential net = lazyNet();
  net(input("x", {5, 4}));
  save(folder / "net.json", net);
  const auto again = nn::load(folder / "net.json");
  CHECK(stateDifference(net, *again) == "");
  nn::Sequential fresh = lazyNet();
  const LoadReport report = load(folder / "net.json", fresh);  // strict, the architecture compared
  CHECK(report.taken.size() == stateOf(net).size());
  CHECK(stateDifference(net, fresh) == "");
  CHECK(dynamic_cast<nn::BatchNorm1D&>(fresh.child(1)).maps() == 6);
}

TEST_CASE("a load that fails leaves lazy layers lazy, all of them") {
  const TempFolder folder;
  {
    nn::Sequential other(nn::Linear(4, 5), nn::BatchNorm1D(5), nn::BatchNorm1D(5));  // another width in front
    save(folder / "other.json", other);
    nn::Sequential broken(nn::Linear(4, 6), nn::BatchNorm1D(6));
    save(folder / "fewer.json", broken);
  }
  nn::Sequential net = lazyNet();
  for (const char* file : {"other.json", "fewer.json"}) {
    CHECK_THROWS_AS(load(folder / file, net), IoError);
    CHECK(net.child(1).pending());
    CHECK(net.child(2).pending());
    CHECK(dynamic_cast<nn::BatchNorm1D&>(net.child(1)).maps() == 0);
  }
  net(input("x", {5, 4}));
  CHECK(dynamic_cast<nn::BatchNorm1D&>(net.child(1)).maps() == 6);
}

TEST_CASE("an empty layer has nothing before load() or materialise()") {
  const TempFolder folder;
  nn::BatchNorm2D full(3);
  full(input("x", {4, 3, 2, 2}));
  save(folder / "full.json", full);

  nn::BatchNorm2D norm(3, {.empty = true});
  CHECK_FALSE(norm.weight.defined());
  CHECK_THROWS_WITH_AS(norm(input("x", {4, 3, 2, 2})), doctest::Contains("was built empty"), StateError);
  CHECK_THROWS_AS(norm.namedParameters(), StateError);
  CHECK_THROWS_AS(norm.inferenceScale(), StateError);
  load(folder / "full.json", norm);
  CHECK(stateDifference(full, norm) == "");
  CHECK((norm(input("x", {4, 3, 2, 2})).shape() == Shape{4, 3, 2, 2}));

  nn::BatchNorm2D made(3, {.empty = true});
  CHECK_THROWS_AS(made.materialise({4}), ShapeError);
  CHECK_THROWS_AS(made.materialise({}), ShapeError);
  CHECK_THROWS_AS(made.materialise({3, 1}), ShapeError);
  made.materialise({3});
  CHECK(made.runningVar.toVector<double>() == std::vector<double>(3, 1));
  CHECK_THROWS_AS(made.materialise({3}), StateError);
  CHECK_FALSE(made.args().has("empty"));

  // The number of channels may come from the file, too; another one than the layer was built for is refused.
  nn::BatchNorm2D anyWidth(0, {.empty = true});
  load(folder / "full.json", anyWidth);
  CHECK(anyWidth.maps() == 3);
  nn::BatchNorm2D narrow(2, {.empty = true});
  CHECK_THROWS_AS(load(folder / "full.json", narrow), IoError);
  CHECK(narrow.pending());
}

TEST_CASE("a layer without scale and shift takes files that have the constants 1 and 0 for them, and no others") {
  const TempFolder folder;
  const auto fileWith = [&](double weight, double bias) {
    nn::BatchNorm1D full(3, {.scaleInit = weight, .biasInit = bias});
    full(input("x", {4, 3}));
    io::Checkpoint file = nn::checkpointOf(full);
    file.model = {};  // of a system that has no architecture of ours
    io::writeCheckpoint(folder / "file.json", file);
    return full.runningMean.clone();
  };
  const auto loadInto = [&](const nn::BatchNormNDOptions& options) {
    nn::BatchNorm1D bare(3, options);
    const LoadReport report = load(folder / "file.json", bare);
    CHECK(report.left.empty());
    return bare.runningMean.clone();
  };
  const Tensor mean = fileWith(1, 0);
  CHECK(sameBits(loadInto({.affine = false}), mean));
  CHECK(sameBits(loadInto({.useShift = false}), mean));
  fileWith(2, 0);
  CHECK(sameBits(loadInto({.useShift = false}), mean));
  CHECK(contains(messageOf<IoError>([&] { loadInto({.affine = false}); }), "\"weight\""));
  fileWith(1, 0.5);
  CHECK_THROWS_AS(loadInto({.affine = false}), IoError);
  CHECK_THROWS_AS(loadInto({.useShift = false}), IoError);

  // Below a container as well.
  nn::Sequential full(nn::Linear(2, 3), nn::BatchNorm1D(3, {.sscale = 0}));
  nn::Sequential bare(nn::Linear(2, 3), nn::BatchNorm1D(3, {.affine = false}));
  save(folder / "net.json", full);
  CHECK_THROWS_AS(load(folder / "net.json", bare), IoError);  // the architectures differ, and that is said
  CHECK(load(folder / "net.json", bare, {.compareModel = false}).left.empty());
}

TEST_CASE("a layer with a parameter an element is lazy, has the shape of a sample, and comes back from its file") {
  const TempFolder folder;
  nn::BatchNormND norm(3, {.paramDim = nn::ParamDim::PerActivation});
  CHECK(norm.pending());
  const Tensor x = input("x", {4, 3, 2, 5});
  const Tensor y = norm(x);
  for (const nn::Parameter& p : stateOf(norm)) {
    if (p.name != "num_batches_tracked") CHECK((p.tensor.shape() == Shape{3, 2, 5}));
  }
  // The same numbers as [N, features].
  nn::BatchNorm1D flat(30);
  {
    const NoGrad guard;
    flat.weight.copy_(norm.weight.reshape({30}));
  }
  CHECK(flat(x.reshape({4, 30})).toVector<double>() == y.toVector<double>());
  CHECK(flat.runningVar.toVector<double>() == norm.runningVar.toVector<double>());

  save(folder / "norm.json", norm);
  const auto again = nn::load(folder / "norm.json");
  CHECK(stateDifference(norm, *again) == "");
  nn::BatchNormND fresh(3, {.paramDim = nn::ParamDim::PerActivation});
  load(folder / "norm.json", fresh);
  CHECK(stateDifference(norm, fresh) == "");
  CHECK(stateDifference(norm, *norm.clone()) == "");
  CHECK_THROWS_AS(norm(input("other", {4, 3, 2, 4})), ShapeError);
  nn::BatchNormND other(2, {.paramDim = nn::ParamDim::PerActivation});
  CHECK_THROWS_AS(other(x), ShapeError);  // three channels
  CHECK_THROWS_AS(other.materialise({3, 2, 5}), ShapeError);
  other.materialise({2, 7});
  CHECK((other(input("z", {4, 2, 7})).shape() == Shape{4, 2, 7}));
}

TEST_CASE("a run that was saved and loaded goes on bit for bit as one that was not, the count of batches included") {
  const TempFolder folder;
  const auto make = [] {
    seed(11);
    return nn::Sequential(nn::Linear(4, 6), nn::BatchNorm1D(6), nn::Linear(6, 2));
  };
  const auto step = [](nn::Module& net, optim::Optimizer& sgd, int k) {
    const Tensor y = net(input("step " + std::to_string(k), {8, 4}));
    sgd.zeroGrad();
    (y * y).mean().backward();
    sgd.step();
  };
  nn::Sequential straight = make();
  optim::SGD sgd(straight.namedParameters(), {.lr = 0.05});
  for (int k = 0; k < 7; ++k) step(straight, sgd, k);

  nn::Sequential first = make();
  optim::SGD firstSgd(first.namedParameters(), {.lr = 0.05});
  for (int k = 0; k < 3; ++k) step(first, firstSgd, k);
  save(folder / "run.json", first);
  const auto second = nn::load(folder / "run.json");
  CHECK(dynamic_cast<nn::BatchNorm1D&>(second->child(1)).numBatchesTracked.item() == 3);
  optim::SGD secondSgd(second->namedParameters(), {.lr = 0.05});
  for (int k = 3; k < 7; ++k) step(*second, secondSgd, k);
  CHECK(stateDifference(straight, *second) == "");
}

TEST_CASE("a layer's own name is its name in a Sequential, in the state's keys and in errors") {
  const TempFolder folder;
  nn::Sequential net(nn::Conv2D(1, 2, {.kernel = 1}), nn::BatchNorm2D(2, {.name = "stemNorm"}), nn::ReLU());
  CHECK(net.child(1).name() == "stemNorm");
  CHECK(net.namedParameters()[2].name == "stemNorm.weight");
  CHECK(&net.child("stemNorm") == &net.child(1));
  CHECK(net.child(2).name() == "2");
  CHECK_THROWS_WITH_AS(net.child(1)(input("x", {2, 3, 2, 2})), doctest::Contains("stemNorm (BatchNorm2D"), ShapeError);
  CHECK_THROWS_WITH_AS(nn::BatchNorm2D(2, {.name = "alone"})(input("x", {2, 3, 2, 2})),
                       doctest::Contains("alone (BatchNorm2D"), ShapeError);
  save(folder / "net.json", net);
  const auto again = nn::load(folder / "net.json");
  CHECK(again->namedParameters()[2].name == "stemNorm.weight");
  CHECK(stateDifference(net, *again) == "");
  CHECK_THROWS_AS(nn::BatchNorm2D(2, {.name = "a.b"}), ValueError);
  CHECK_THROWS_AS(nn::Sequential(nn::BatchNorm2D(2, {.name = "n"}), nn::BatchNorm2D(2, {.name = "n"})), ValueError);
}
