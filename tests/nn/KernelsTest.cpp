// Which of oneDNN's kernels the nets of the benchmark end up with.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ember/core/kernels/onednn/ImplNames.h>
#include <ember/core/kernels/onednn/PrimitiveCache.h>
#include <ember/ember.h>

using namespace ember;

namespace {

/// A training step and an inference of the folded net; the names of all kernels.
std::vector<std::string> kernelsOf(nn::Sequential&& net, const Shape& input) {
  core::onednn::clearCache();
  const Tensor x = Tensor::uniform(input);
  const Tensor y = net(x);
  sum(y * y).backward();
  net.eval();
  const NoGrad guard;
  nn::folded(net)(x);
  return core::onednn::usedImplementations();
}

void checkFast(nn::Sequential&& net, const Shape& input) {
  const auto names = kernelsOf(std::move(net), input);
  CHECK_FALSE(names.empty());
  for (const std::string& name : names) {
    CAPTURE(name);
    CHECK(name.find("ref") == std::string::npos);
    if (name.find("convolution") != std::string::npos) CHECK(name.find("gemm") == std::string::npos);
  }
}

}  // namespace

TEST_CASE("no net of the benchmark runs on oneDNN's reference or gemm convolutions") {
  seed(1);
  const nn::ConvOptions five{.kernel = 5, .padding = 2}, three{.kernel = 3, .padding = 1, .bias = false};
  checkFast(nn::Sequential(nn::Conv2D(1, 32, five), nn::ReLU(), nn::MaxPool2D(), nn::Conv2D(32, 64, five), nn::ReLU(),
                           nn::MaxPool2D(), nn::Flatten(), nn::Linear(3136, 64), nn::ReLU(), nn::Linear(64, 10)),
            {4, 1, 28, 28});
  checkFast(nn::Sequential(nn::Conv2D(1, 32, three), nn::BatchNorm2D(32, {.act = nn::Act::ReLU}), nn::MaxPool2D(),
                           nn::Conv2D(32, 64, three), nn::BatchNorm2D(64), nn::ReLU(), nn::GlobalAvgPool(),
                           nn::Linear(64, 10)),
            {4, 1, 28, 28});
  checkFast(
      nn::Sequential(nn::Conv2D(3, 16, three), nn::BatchNorm2D(16), nn::ReLU(),
                     nn::Conv2D(16, 32, {.kernel = 3, .stride = 2, .padding = 1, .bias = false}), nn::BatchNorm2D(32),
                     nn::ReLU(), nn::Conv2D(32, 64, {.kernel = 1, .stride = 2, .bias = false}), nn::GlobalAvgPool(),
                     nn::Linear(64, 10)),
      {4, 3, 32, 32});
  checkFast(nn::Sequential(nn::Conv1D(16, 32, five), nn::BatchNorm1D(32), nn::ReLU(), nn::MaxPool1D(),
                           nn::Conv1D(32, 64, five), nn::BatchNorm1D(64), nn::ReLU(), nn::GlobalAvgPool(),
                           nn::Linear(64, 10)),
            {4, 16, 256});
  checkFast(nn::Sequential(nn::Conv3D(4, 16, three), nn::BatchNorm3D(16), nn::ReLU(), nn::MaxPool3D(),
                           nn::Conv3D(16, 32, three), nn::BatchNorm3D(32), nn::ReLU(), nn::GlobalAvgPool(),
                           nn::Linear(32, 10)),
            {2, 4, 8, 16, 16});
}

TEST_CASE("a first layer computes no gradient of the data") {
  core::onednn::clearCache();
  seed(1);
  nn::Sequential net(nn::Conv2D(3, 16, {.kernel = 3, .padding = 1}), nn::ReLU());
  const Tensor y = net(Tensor::uniform({2, 3, 16, 16}));
  sum(y * y).backward();
  for (const std::string& name : core::onednn::usedImplementations()) {
    CAPTURE(name);
    CHECK(name.find("backward data") == std::string::npos);
  }
}
