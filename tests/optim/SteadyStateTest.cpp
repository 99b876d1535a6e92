#include <doctest/doctest.h>

#include <ember/autograd/ops/Activation.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Loss.h>
#include <ember/core/Memory.h>
#include <ember/core/Reorders.h>
#include <ember/core/Threads.h>
#include <ember/nn/layers/Layers.h>
#include <ember/optim/SGD.h>

using namespace ember;

namespace {

/// Two 3x3 convolutions with a shortcut around them, by a 1x1 convolution where the sizes differ.
struct Residual : nn::Module {
  using Module::forward;
  Residual(i64 inChannels, i64 outChannels) : in(inChannels), out(outChannels), stride(in == out ? 1 : 2) {
    if (stride == 1) return;
    shortcut = &add("shortcut", nn::Conv2D(in, out, {.kernel = 1, .stride = stride, .bias = false}));
    shortcutNorm = &add("shortcutNorm", nn::BatchNorm2D(out));
  }
  i64 in, out, stride;
  nn::Conv2D& conv1 = add("conv1", nn::Conv2D(in, out, {.kernel = 3, .stride = stride, .padding = 1, .bias = false}));
  nn::BatchNorm2D& norm1 = add("norm1", nn::BatchNorm2D(out, {.act = nn::Act::ReLU}));
  nn::Conv2D& conv2 = add("conv2", nn::Conv2D(out, out, {.kernel = 3, .padding = 1, .bias = false}));
  nn::BatchNorm2D& norm2 = add("norm2", nn::BatchNorm2D(out));
  nn::Conv2D* shortcut = nullptr;
  nn::BatchNorm2D* shortcutNorm = nullptr;
  Tensor forward(const Tensor& x) override {
    const Tensor y = norm2(conv2(norm1(conv1(x))));
    return relu(y + (shortcut ? (*shortcutNorm)((*shortcut)(x)) : x));
  }
};

struct Counts {
  i64 systemCalls, reorders;
};

/// What one training step takes from the system and copies between layouts, once the first steps have run. The batch
/// is row-major, as a loader gives it.
Counts steady(nn::Module& net, const Shape& batch) {
  optim::SGD sgd(net.namedParameters(), {.lr = 1e-3, .momentum = 0.9});
  const Tensor x = Tensor::normal(batch);
  std::vector<i64> classes;
  for (i64 i = 0; i < batch[0]; ++i) classes.push_back(i % 10);
  const Tensor labels = Tensor::of(classes);
  const auto step = [&] {
    const Tensor loss = crossEntropy(net(x), labels);
    sgd.zeroGrad();
    loss.backward();
    sgd.step();
  };
  for (int i = 0; i < 3; ++i) step();
  const i64 calls = memory::stats().systemCalls, reorders = core::reorderCount();
  step();
  const i64 once = core::reorderCount() - reorders;
  for (int i = 0; i < 4; ++i) step();
  CHECK(core::reorderCount() - reorders == 5 * once);
  return {memory::stats().systemCalls - calls, once};
}

// Reorders that a step may make (DESIGN, section 3): of each convolution the weights for the forward and for the
// backward, and their gradient back; for the first layer no backward, but its input, unless row-major is channels last
// already (one channel); a flatten behind a spatial layer, forward and backward.
constexpr i64 convolution = 3, firstConvolution = 2, input = 1, flatten = 2;

nn::Sequential convNorm(i64 in, i64 out) {
  return nn::Sequential(nn::Conv2D(in, out, {.kernel = 3, .padding = 1, .bias = false}),
                        nn::BatchNorm2D(out, {.act = nn::Act::ReLU}));
}

}  // namespace

TEST_CASE("a step of a small lenet takes no memory from the system and reorders weights and the flatten alone") {
  nn::Sequential net(nn::Conv2D(1, 16, {.kernel = 5, .padding = 2}), nn::ReLU(), nn::MaxPool2D({.kernel = 2}),
                     nn::Conv2D(16, 16, {.kernel = 5, .padding = 2}), nn::ReLU(), nn::MaxPool2D({.kernel = 2}),
                     nn::Flatten(), nn::Linear(16 * 3 * 3, 32), nn::ReLU(), nn::Linear(32, 10));
  const Counts counts = steady(net, {4, 1, 12, 12});
  CHECK(counts.systemCalls == 0);
  CHECK(counts.reorders <= firstConvolution + convolution + flatten);
}

TEST_CASE("a step of a small batch-norm net takes no memory from the system and reorders weights alone") {
  nn::Sequential net(convNorm(1, 16), convNorm(16, 16), nn::MaxPool2D({.kernel = 2}), convNorm(16, 32),
                     convNorm(32, 32), nn::MaxPool2D({.kernel = 2}), nn::GlobalAvgPool(), nn::Linear(32, 10));
  const Counts counts = steady(net, {4, 1, 12, 12});
  CHECK(counts.systemCalls == 0);
  CHECK(counts.reorders <= firstConvolution + 3 * convolution);
}

TEST_CASE("a step of a small residual net takes no memory from the system and reorders weights and the input alone") {
  nn::Sequential net(convNorm(3, 16), Residual(16, 16), Residual(16, 32), Residual(32, 32), nn::GlobalAvgPool(),
                     nn::Linear(32, 10));
  const Counts counts = steady(net, {4, 3, 12, 12});
  CHECK(counts.systemCalls == 0);
  CHECK(counts.reorders <= input + firstConvolution + 7 * convolution);
}

TEST_CASE("a step of a perceptron takes no memory from the system and reorders nothing") {
  nn::Sequential net(nn::Linear(40, 32), nn::ReLU(), nn::Linear(32, 24), nn::ReLU(), nn::Linear(24, 10));
  const Counts counts = steady(net, {8, 40});
  CHECK(counts.systemCalls == 0);
  CHECK(counts.reorders == 0);
}

TEST_CASE("a step in one and three dimensions takes no memory from the system and reorders weights and the input") {
  nn::Sequential signals(nn::Conv1D(4, 16, {.kernel = 5, .padding = 2, .bias = false}),
                         nn::BatchNorm1D(16, {.act = nn::Act::ReLU}), nn::MaxPool1D({.kernel = 2}), nn::GlobalAvgPool(),
                         nn::Linear(16, 10));
  const Counts flat = steady(signals, {4, 4, 32});
  CHECK(flat.systemCalls == 0);
  CHECK(flat.reorders <= input + firstConvolution);
  nn::Sequential volumes(nn::Conv3D(4, 16, {.kernel = 3, .padding = 1, .bias = false}),
                         nn::BatchNorm3D(16, {.act = nn::Act::ReLU}), nn::MaxPool3D({.kernel = 2}), nn::GlobalAvgPool(),
                         nn::Linear(16, 10));
  const Counts deep = steady(volumes, {2, 4, 6, 6, 6});
  CHECK(deep.systemCalls == 0);
  CHECK(deep.reorders <= input + firstConvolution);
}

TEST_CASE("evaluation under NoGrad packs the weights once, not for every batch") {
  nn::Sequential net(convNorm(1, 16), convNorm(16, 16), nn::GlobalAvgPool(), nn::Linear(16, 10));
  net.eval();
  const NoGrad guard;
  const Tensor x = Tensor::normal({4, 1, 12, 12});
  net(x);
  const i64 calls = memory::stats().systemCalls, reorders = core::reorderCount();
  for (int i = 0; i < 3; ++i) net(x);
  CHECK(memory::stats().systemCalls == calls);
  CHECK(core::reorderCount() == reorders);
}
