// The programs that the design promises to users, as they write them. The first net is examples/quickstart.cpp.
#include <algorithm>
#include <cmath>
#include <numeric>

#include <doctest/doctest.h>
#include <ember/ember.h>
#include <ember/nn/Pattern.h>

#include "support/Draw.h"
#include "support/Headline.h"
#include "support/Residual.h"
#include "support/TempFolder.h"

using namespace ember;
using namespace ember::test;

// ---- a module of one's own: Residual (support/Residual.h)

namespace {

/// With its arguments: any width is rebuilt.
struct Wide : Residual {
  using Residual::Residual;
  nn::Args args() const override { return {{"width", channels}}; }
};

nn::Sequential residualNet() {
  return nn::Sequential(nn::Conv2D(1, 4, {.kernel = 3, .padding = 1}), Residual(4), Residual(4), nn::GlobalAvgPool(),
                        nn::Linear(4, 3));
}

/// A net with parts to fine-tune.
struct Classifier : nn::Module {
  explicit Classifier(int classes) : head(add("head", nn::Linear(8, classes))) {}
  nn::Sequential& features =
      add("features", nn::Sequential(nn::Conv2D(1, 2, {.kernel = 3}), nn::BatchNorm2D(2), nn::ReLU(), nn::Flatten()));
  nn::Linear& head;
  Tensor forward(const Tensor& x) override { return head(features(x)); }
};

bool sameState(const nn::Module& a, const nn::Module& b, std::string_view pattern = "*") {
  bool same = true;
  const auto compare = [&](const nn::Parameters& x, const nn::Parameters& y) {
    for (const nn::Parameter& p : x) {
      if (!nn::matches(pattern, p.name)) continue;
      const auto other = std::find_if(y.begin(), y.end(), [&](const nn::Parameter& q) { return q.name == p.name; });
      same = same && other != y.end() && sameBits(p.tensor, other->tensor);
    }
  };
  compare(a.namedParameters(), b.namedParameters());
  compare(a.namedBuffers(), b.namedBuffers());
  return same;
}

data::TensorDataset pictures() {
  const Tensor images = draw("design", {24, 1, 6, 6}).to(DType::F32);
  return data::TensorDataset(images, integers("design labels", {24}, 3));
}

}  // namespace

TEST_CASE("a module of one's own moves into a net, trains, saves and loads") {
  seed(1);
  nn::Sequential net = residualNet();
  nn::Sequential moved(std::move(net));
  const Tensor x = Tensor::uniform({8, 1, 6, 6}), labels = integers("labels", {8}, 3);
  optim::SGD sgd(moved.namedParameters(), {.lr = 0.1, .momentum = 0.9});
  std::vector<double> losses;
  for (int i = 0; i < 20; ++i) {
    Tensor loss = nn::crossEntropy(moved(x), labels);
    losses.push_back(loss.item());
    sgd.zeroGrad();
    loss.backward();
    for (const nn::Parameter& p : moved.namedParameters()) CHECK_MESSAGE(p.tensor.grad().defined(), p.name);
    sgd.step();
  }
  CHECK(losses.back() < losses.front());

  const TempFolder folder;
  save(folder / "net.json", moved);
  seed(2);
  nn::Sequential other = residualNet();
  load(folder / "net.json", other);
  CHECK(sameState(moved, other));
  moved.eval();
  other.eval();
  CHECK(sameBits(moved(x), other(x)));
  CHECK(
      contains(moved.toString(),
               "  1: Residual\n    conv1: Conv2D(4 -> 4, 3x3, padding 1, no bias)\n    norm1: BatchNorm2D(4, relu)\n"));
}

TEST_CASE("a registered module of one's own is rebuilt from the file alone, and clones") {
  const TempFolder folder;
  seed(1);
  nn::Sequential net(Residual(4), Wide(6));
  save(folder / "net.json", net);
  const std::string message = messageOf([&] { nn::load(folder / "net.json"); });
  CHECK(contains(message, "unknown module type \"Residual\""));
  CHECK_THROWS_AS(net.clone(), StateError);

  nn::registerModule("Residual", [](const nn::Args&) { return Residual(4); });
  nn::registerModule("Wide", [](const nn::Args& a) { return Wide(a.get<int>("width")); });
  save(folder / "net.json", net);
  std::unique_ptr<nn::Module> again = nn::load(folder / "net.json");
  CHECK(sameState(net, *again));
  CHECK(dynamic_cast<Wide&>(again->child("1")).channels == 6);
  CHECK(sameState(net, *net.clone()));
}

TEST_CASE("a module of one's own is summarised as it stands") {
  nn::Sequential net = residualNet();
  const nn::Summary summary = net.summary({1, 1, 28, 28});
  constexpr i64 places = 28 * 28, conv = 4 * 9 * 4;
  CHECK(summary.multiplyAdds == places * (9 * 4) + 4 * places * conv + 4 * 3);
  CHECK(summary.parameters == 9 * 4 + 4 + 2 * (2 * conv + 2 * 8) + 4 * 3 + 3);
  const std::string text = fmt::format("{}\n", summary);
  CHECK(contains(text, "\n  1: Residual "));
  CHECK(contains(text, "\n    norm1: BatchNorm2D (4, relu) "));
  CHECK(contains(text, "[1, 4, 28, 28]"));
}

// ---- batch norm in its dialects

TEST_CASE("batch norm speaks the dialects") {
  seed(1);
  nn::BatchNorm3D puzzle(16, {.epsilon = 1e-5, .initFactor = 1.0, .minFactor = 0.1, .sscale = 0.01, .inplace = true});
  const std::shared_ptr<Communicator> world = inProcess(1).front();
  nn::BatchNorm3D brainpy(16, {.momentum = 0.99, .channelAxis = -1, .syncGroup = world});
  nn::BatchNorm2D megengine(16, {.momentum = 0.9, .trackRunningStats = true, .freeze = true});
  nn::BatchNorm2D paddle(16, {.momentum = 0.9, .act = nn::Act::ReLU, .trainableStatistics = true});

  const Tensor volume = Tensor::normal({2, 16, 3, 3, 3}, 5, 2), last = Tensor::normal({2, 3, 3, 3, 16}, 5, 2),
               picture = Tensor::normal({4, 16, 3, 3}, 5, 2);
  const auto meanOf = [](const Tensor& t) { return t.mean().item(); };

  // The first batch counts fully; in place takes the result of an op.
  CHECK(std::abs(meanOf(puzzle(volume + 0.0))) < 0.1);
  CHECK(meanOf(puzzle.runningMean) == doctest::Approx(meanOf(volume)).epsilon(1e-5));
  CHECK(puzzle.weight.toVector<float>() != std::vector<float>(16, 1));

  CHECK(toString(brainpy(last).shape()) == "[2, 3, 3, 3, 16]");
  CHECK(meanOf(brainpy.runningMean) == doctest::Approx(0.01 * meanOf(last)).epsilon(1e-5));

  // Frozen: mean 0 and variance 1 in training too, and nothing moves.
  CHECK(meanOf(megengine(picture)) == doctest::Approx(5).epsilon(0.1));
  CHECK(meanOf(megengine.runningMean) == 0);
  for (const nn::Parameter& p : megengine.namedParameters()) CHECK(!p.tensor.requiresGrad());

  // Eval mode normalises with the batch, too, and updates.
  paddle.eval();
  const Tensor y = paddle(picture);
  CHECK(amin(y).item() == 0);
  CHECK(meanOf(y) == doctest::Approx(0.4).epsilon(0.15));  // half a normal distribution: 1/sqrt(2·pi)
  CHECK(meanOf(paddle.runningMean) == doctest::Approx(0.1 * meanOf(picture)).epsilon(1e-5));
}

TEST_CASE("batch norm as a function gives output, mean and inverse deviation") {
  seed(1);
  const Tensor x = Tensor::normal({8, 3, 4}, 2, 3);
  Tensor gamma = Tensor::full({3}, 7), beta = Tensor::ones({3}), runningMean = Tensor::zeros({3}),
         runningVar = Tensor::ones({3});
  auto [y, mean, invstd] = batchNorm(x, gamma, beta, runningMean, runningVar, {.fixGamma = true});
  for (i64 c = 0; c < 3; ++c) {
    const Tensor channel = x.select(1, c), out = y.select(1, c);
    CHECK(mean.select(0, c).item() == doctest::Approx(channel.mean().item()).epsilon(1e-5));
    const double square = ember::mean(channel * channel).item() - std::pow(channel.mean().item(), 2);
    CHECK(invstd.select(0, c).item() == doctest::Approx(1 / std::sqrt(square + 1e-5)).epsilon(1e-4));
    CHECK(out.mean().item() == doctest::Approx(1).epsilon(1e-4));  // gamma counts as 1
    CHECK(ember::mean((out - 1.0) * (out - 1.0)).item() == doctest::Approx(1).epsilon(1e-3));
  }
  CHECK(gamma.toVector<float>() == std::vector<float>(3, 1));
}

// ---- save, load, fine-tune, resume

TEST_CASE("save, load, fine-tune, rebuild") {
  const TempFolder folder;
  const std::string file = folder / "net.json";
  seed(1);
  Classifier net(4), same(4), other(7);
  save(file, net);
  load(file, same);
  CHECK(sameState(net, same));

  const Tensor head = other.head.weight.clone();
  const LoadReport report = load(file, other, {.strict = false, .only = "features.*"});
  CHECK(sameState(net, other, "features.*"));
  CHECK(sameBits(other.head.weight, head));
  CHECK(report.toString() ==
        "took 7 tensors; left 2 in the file: head.weight, head.bias; 2 of the net kept their values: head.weight, "
        "head.bias");
  // All or nothing: the head does not fit, so not even the features are taken.
  Classifier third(7);
  const Tensor before = third.features.namedParameters()[0].tensor.clone();
  CHECK_THROWS_AS(load(file, third), IoError);
  CHECK(sameBits(third.features.namedParameters()[0].tensor, before));

  nn::Sequential library(nn::Conv2D(1, 2, {.kernel = 3}), nn::BatchNorm2D(2), nn::ReLU(), nn::Flatten(),
                         nn::Linear(8, 4));
  save(file, library);
  std::unique_ptr<nn::Module> again = nn::load(file);
  CHECK(sameState(library, *again));
}

TEST_CASE("a run is saved and resumed") {
  const TempFolder folder;
  const std::string file = folder / "run.json";
  const data::TensorDataset train = pictures();
  const auto make = [] {
    return nn::Sequential(nn::Conv2D(1, 2, {.kernel = 3}), nn::BatchNorm2D(2), nn::ReLU(), nn::Flatten(),
                          nn::Linear(32, 3));
  };
  const auto options = [] { return optim::TrainerOptions{.epochs = 3, .batchSize = 8, .seed = 1}; };

  seed(1);
  nn::Sequential net = make();
  optim::SGD sgd(net.namedParameters(), {.lr = 0.1, .momentum = 0.9});
  optim::Trainer trainer(net, sgd, train, options());
  while (trainer.epoch() < 1 || trainer.batch() < 1) trainer.step();
  trainer.save(file);
  trainer.run();

  seed(2);
  nn::Sequential later = make();
  optim::SGD sgd2(later.namedParameters(), {.lr = 0.1, .momentum = 0.9});
  optim::Trainer second(later, sgd2, train, options());
  second.resume(file);
  CHECK(second.epoch() == 1);
  CHECK(second.batch() == 1);
  second.run();
  CHECK(sameState(net, later));
  CHECK(optim::accuracy(net, train) == optim::accuracy(later, train));
}

// ---- ask it things

TEST_CASE("gradcheck of a net, with respect to its input") {
  seed(1);
  nn::Sequential net(nn::Conv2D(1, 2, {.kernel = 3}), nn::BatchNorm2D(2), nn::Tanh(), nn::Flatten(), nn::Linear(8, 2));
  net.to(DType::F64);
  const Tensor x = draw("gradcheck", {3, 1, 4, 4});
  CHECK(gradcheck([&](const Tensor& t) { return net(t).sum(); }, x) <= 1);
}

TEST_CASE("the user's memory is used as it is, and given back by the user's own hand") {
  std::vector<float> memory(64 * 3 * 32 * 32);
  std::iota(memory.begin(), memory.end(), 0.0f);
  float* pointer = memory.data();
  const void* returned = nullptr;
  const auto deleter = [&](void* p) { returned = p; };
  {
    Tensor view;
    {
      Tensor mine = Tensor::fromBlob(pointer, {64, 3, 32, 32}, deleter);
      CHECK(mine.array().raw() == pointer);
      view = mine.select(0, 63);
      CHECK(nn::Conv2D(3, 4, {.kernel = 3})(mine).size(1) == 4);
      pointer[63 * 3 * 32 * 32] = -5;
    }
    CHECK(returned == nullptr);  // a view is left
    CHECK(view.toVector<float>()[0] == -5);
  }
  CHECK(returned == pointer);
}

TEST_CASE("an error reads like a colleague") {
  struct Images : nn::Module {
    nn::Sequential& features = add("features", nn::Sequential(nn::Conv2D(1, 32, {.kernel = 5}), nn::ReLU()));
    Tensor forward(const Tensor& x) override { return features(x); }
  };
  struct Program : nn::Module {
    Images& net = add("net", Images());
    Tensor forward(const Tensor& x) override { return net(x); }
  } program;
  const std::string expected =
      "[conv2d] ShapeError: input has 3 channels, filters expect 1\n"
      "    input    x [64, 3, 28, 28]\n"
      "    filters  w [32, 1, 5, 5]      groups = 1\n"
      "    at       net.features.0 (Conv2D 1 -> 32, 5x5)\n"
      "    help     build the layer with 3 input channels, or convert the images to grey";
  CHECK(messageOf([&] { program(Tensor::zeros({64, 3, 28, 28})); }) == expected);
  CHECK(messageOf([&] { (void)program.summary({64, 3, 28, 28}); }) == expected);
}
