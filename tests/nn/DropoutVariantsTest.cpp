// What the dropouts of channels and samples drop, what stays of mean and variance, noise, and wrong numbers.
#include <cmath>
#include <functional>
#include <memory>
#include <set>

#include <doctest/doctest.h>
#include <ember/autograd/Checkpointing.h>
#include <ember/autograd/ops/Ops.h>
#include <ember/core/Error.h>
#include <ember/core/Random.h>
#include <ember/nn/layers/DropoutVariants.h>
#include <ember/nn/layers/Embedding.h>
#include <ember/nn/layers/InstanceNormND.h>
#include <ember/nn/layers/Norms.h>

#include "support/Draw.h"
#include "support/Headline.h"
#include "support/Near.h"

using namespace ember;
using namespace ember::test;

namespace {

std::vector<std::unique_ptr<nn::Module>> droppers(double p) {
  std::vector<std::unique_ptr<nn::Module>> all;
  all.push_back(std::make_unique<nn::Dropout2D>(p));
  all.push_back(std::make_unique<nn::AlphaDropout>(p));
  all.push_back(std::make_unique<nn::FeatureAlphaDropout>(p));
  all.push_back(std::make_unique<nn::DropPath>(p));
  return all;
}

}  // namespace

TEST_CASE("channel dropout drops whole channels and keeps the mean; drop path drops whole samples") {
  seed(1);
  const i64 samples = 200, channels = 50;
  const Tensor x = Tensor::ones({samples, channels, 2, 3});
  nn::Dropout2D channel(0.3);
  const Tensor y = channel(x);
  const Tensor low = amin(y, {2, 3}), high = amax(y, {2, 3});
  CHECK(sameBits(low, high));
  for (const double v : valuesOf(low)) CHECK((v == 0 || std::abs(v - 1 / 0.7) < 1e-6));
  // 10,000 channels: the mean has a standard deviation of sqrt(0.3/0.7/10000) = 0.0065; five of them.
  CHECK(std::abs(mean(y).item() - 1) < 0.033);

  nn::DropPath path(0.3);
  const Tensor z = path(Tensor::ones({5000, 3}));
  CHECK(sameBits(amin(z, {1}), amax(z, {1})));
  CHECK(std::abs(mean(z).item() - 1) < 0.047);  // 5000 samples
}

TEST_CASE("alpha dropout keeps mean 0 and variance 1 of standard normal numbers") {
  seed(2);
  const Tensor x = Tensor::normal({400, 500});
  nn::AlphaDropout dropout(0.2);
  const Tensor y = dropout(x);
  // 200,000 numbers: standard deviations 0.0022 of the mean and 0.0032 of the variance of normal ones; about five.
  CHECK(std::abs(mean(y).item()) < 0.012);
  CHECK(std::abs(var(y).item() - 1) < 0.02);
  const Tensor pictures = Tensor::ones({50, 20, 3, 3});
  nn::FeatureAlphaDropout features(0.5);
  const Tensor z = features(pictures);
  CHECK(sameBits(amin(z, {2, 3}), amax(z, {2, 3})));
  const Values levels = valuesOf(z);
  CHECK(std::set<double>(levels.begin(), levels.end()).size() == 2);
}

TEST_CASE("in eval mode and with p = 0 the result is the input; p = 1 gives zeros, without NaN") {
  const Tensor x = draw("x", {3, 4, 2, 2}).to(DType::F32);
  for (const auto& layer : droppers(0.6)) {
    layer->eval();
    CHECK(sameBits((*layer)(x), x));
  }
  for (const auto& layer : droppers(0)) CHECK(sameBits((*layer)(x), x));
  for (const auto& layer : droppers(1)) CHECK(largest((*layer)(x)) == 0);
}

TEST_CASE("the same call number draws the same, the next another; eval moves no counter") {
  seed(3);
  const Tensor x = draw("x", {8, 40, 2, 2}).to(DType::F32);
  std::vector<std::unique_ptr<nn::Module>> layers = droppers(0.5);
  layers.push_back(std::make_unique<nn::GaussianNoise>(0.5));
  layers.push_back(std::make_unique<nn::UniformNoise>(-1, 1));
  for (const auto& layer : layers) {
    CAPTURE(layer->typeName());
    const Tensor first = (*layer)(x);
    const auto after = layer->streams();
    const Tensor second = (*layer)(x);
    CHECK_FALSE(sameBits(first, second));
    layer->eval();
    (void)(*layer)(x);
    layer->train();
    layer->setStreams(after);  // as a resumed run does
    CHECK(sameBits((*layer)(x), second));
  }
}

TEST_CASE("noise has its mean and spread, in training alone") {
  seed(4);
  const Tensor zeros = Tensor::zeros({300, 400});
  nn::GaussianNoise gaussian(0.5);
  const Tensor g = gaussian(zeros);
  CHECK(std::abs(mean(g).item()) < 0.008);  // five of 0.5/sqrt(120000)
  CHECK(std::abs(std::sqrt(var(g).item()) - 0.5) < 0.006);
  nn::UniformNoise uniform(-1, 3);
  const Tensor u = uniform(zeros);
  CHECK(std::abs(mean(u).item() - 1) < 0.017);
  CHECK(amin(u).item() >= -1);
  CHECK(amax(u).item() < 3);
  gaussian.eval();
  uniform.eval();
  CHECK(sameBits(gaussian(zeros), zeros));
  CHECK(sameBits(uniform(zeros), zeros));
}

TEST_CASE("numbers and shapes out of range are refused") {
  CHECK(headlineOf([] { nn::Dropout2D layer(1.5); }) == "[Dropout2D] ValueError: p is 1.5");
  CHECK(headlineOf([] { nn::DropPath layer(std::nan("")); }) == "[DropPath] ValueError: p is nan");
  CHECK(headlineOf([] { nn::AlphaDropout layer(-0.1); }) == "[AlphaDropout] ValueError: p is -0.1");
  CHECK(headlineOf([] { nn::GaussianNoise layer(-1); }) == "[GaussianNoise] ValueError: std is -1, must be 0 or more");
  CHECK(headlineOf([] { nn::UniformNoise layer(1, 0); }) == "[UniformNoise] ValueError: low is 1 and high 0");
  nn::Dropout2D pictures(0.5);
  CHECK(headlineOf([&] {
          pictures(Tensor::zeros({2, 3, 4}));
        }) == "[Dropout2D] ShapeError: x is [2, 3, 4], expected [N, C] and 2 spatial axes");
  CHECK(headlineOf([] { featureDropout(Tensor::zeros({3}), 0.5, true); }).starts_with("[featureDropout] ShapeError: "));
  CHECK(headlineOf([] { alphaDropout(Tensor::zeros({3}), 2, true); }) ==
        "[alphaDropout] ValueError: p is 2, must be in [0, 1]");
}

TEST_CASE("norm and embedding layers refuse sizes and numbers out of range when they are made") {
  CHECK(headlineOf([] { nn::LayerNorm layer(Shape{}); }) == "[LayerNorm] ValueError: the normalised shape is []");
  CHECK(headlineOf([] { nn::LayerNorm layer(Shape{4, 0}); }).starts_with("[LayerNorm] ValueError: "));
  CHECK(headlineOf([] { nn::LayerNorm layer(Shape{4}, {.epsilon = -1}); }) ==
        "[LayerNorm] ValueError: epsilon is -1, must be 0 or more");
  CHECK(headlineOf([] { nn::RMSNorm layer(Shape{-1}); }).starts_with("[RMSNorm] ValueError: "));
  CHECK(headlineOf([] { nn::GroupNorm layer(3, 4); }) == "[GroupNorm] ValueError: 3 groups of 4 channels");
  CHECK(headlineOf([] { nn::LocalResponseNorm layer(0); }).starts_with("[localResponseNorm] ValueError: size is 0"));
  CHECK(headlineOf([] { nn::InstanceNorm2D layer(0); }) == "[instanceNorm] ValueError: 0 channels");
  CHECK(headlineOf([] { nn::InstanceNorm2D layer(2, {.momentum = 1.5}); }) ==
        "[instanceNorm] ValueError: momentum is 1.5");
  CHECK(headlineOf([] { nn::Embedding layer(0, 3); }) == "[Embedding] ValueError: 0 rows of 3");
  CHECK(headlineOf([] { nn::Embedding layer(3, 2, {.padding = 3}); }) == "[Embedding] ValueError: padding is row 3 of 3");
  CHECK(headlineOf([] { nn::GroupedLinear layer(4, 6, 4); }) ==
        "[GroupedLinear] ValueError: 4 inputs and 6 outputs in 4 groups");
}

TEST_CASE("an embedding starts standard normal with a padding row of zeros") {
  seed(5);
  nn::Embedding layer(200, 100, {.padding = -1});
  CHECK(largest(layer.weight.select(0, 199)) == 0);
  // 19,900 numbers: 0.0071 and 0.0050 are standard deviations of mean and deviation; five.
  const Tensor rest = layer.weight.detach().slice(0, 0, 199);
  CHECK(std::abs(mean(rest).item()) < 0.036);
  CHECK(std::abs(std::sqrt(var(rest).item()) - 1) < 0.025);
  CHECK(layer.weight.requiresGrad());
}

TEST_CASE("instance norm's running statistics move once under a checkpoint") {
  nn::InstanceNorm2D plain(2, {.trackRunningStats = true}), checkpointed(2, {.trackRunningStats = true});
  const Tensor x = Tensor::uniform({2, 2, 3, 3}).setRequiresGrad();
  sum(plain(x)).backward();
  sum(checkpoint([&](const Tensors& in) { return Tensors{checkpointed(in[0])}; }, {x})[0]).backward();
  CHECK(sameBits(checkpointed.runningVar, plain.runningVar));
  CHECK(sameBits(checkpointed.runningMean, plain.runningMean));
}
