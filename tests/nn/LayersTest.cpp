// What LayerTableTest (every layer alike) and GoldenTest (PyTorch's numbers) leave: options out of range, starting
// values, texts, and what each layer does beside its formula. Batch norm has a test of its own.
#include <cmath>

#include <doctest/doctest.h>

#include <ember/ember.h>

#include "support/Draw.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

namespace {

template <class Make>
std::string refusal(Make&& make) {
  return headlineOf<ValueError>(make);
}

}  // namespace

TEST_CASE("linear layers need one input and one output at least (M9)") {
  CHECK(refusal([] { nn::Linear(-3, 2); }) == "[Linear] ValueError: -3 inputs and 2 outputs");
  CHECK(refusal([] { nn::Linear(0, 2); }) == "[Linear] ValueError: 0 inputs and 2 outputs");
  CHECK(refusal([] { nn::Linear(2, 0); }) == "[Linear] ValueError: 2 inputs and 0 outputs");
  CHECK(!nn::Linear(2, 3, {.bias = false}).bias.defined());
  CHECK(nn::Linear(2, 3, {.bias = false}).parameterCount() == 6);
}

TEST_CASE("convolutions refuse sizes out of range and groups that do not divide") {
  CHECK(refusal([] { nn::Conv2D(0, 2); }) == "[Conv2D] ValueError: 0 input and 2 output channels");
  CHECK(refusal([] { nn::Conv1D(2, -1); }) == "[Conv1D] ValueError: 2 input and -1 output channels");
  CHECK(refusal([] { nn::Conv2D(1, 1, {.kernel = 0}); }) == "[Conv2D] ValueError: kernel is 0");
  CHECK(refusal([] { nn::Conv2D(1, 1, {.kernel = {3, -1}}); }) == "[Conv2D] ValueError: kernel is -1");
  CHECK(refusal([] { nn::Conv3D(1, 1, {.stride = 0}); }) == "[Conv3D] ValueError: stride is 0");
  CHECK(refusal([] { nn::Conv2D(1, 1, {.padding = -1}); }) == "[Conv2D] ValueError: padding is -1");
  CHECK(refusal([] { nn::Conv2D(1, 1, {.dilation = 0}); }) == "[Conv2D] ValueError: dilation is 0");
  CHECK(refusal([] { nn::Conv2D(4, 4, {.groups = 0}); }) == "[Conv2D] ValueError: groups is 0");
  CHECK(refusal([] { nn::Conv2D(4, 6, {.groups = 4}); }) ==
        "[Conv2D] ValueError: groups = 4 does not divide 4 input and 6 output channels");
  CHECK_THROWS_AS(nn::Conv2D(1, 1, {.kernel = {3, 3, 3}}), ValueError);
  CHECK(toString(nn::Conv2D(4, 6, {.kernel = {1, 3}, .groups = 2}).weight.shape()) == "[6, 2, 1, 3]");
}

TEST_CASE("pools refuse windows of nothing and padding beyond half a window") {
  CHECK(refusal([] { nn::MaxPool2D({.kernel = 0}); }) == "[MaxPool2D] ValueError: kernel is 0");
  CHECK(refusal([] { nn::AvgPool1D({.kernel = 2, .stride = -1}); }) == "[AvgPool1D] ValueError: stride is -1");
  CHECK(refusal([] { nn::MaxPool3D({.kernel = 3, .padding = 2}); }) ==
        "[MaxPool3D] ValueError: padding is 2 for a kernel of 3");
  CHECK(refusal([] { nn::AvgPool2D({.padding = -1}); }) == "[AvgPool2D] ValueError: padding is -1 for a kernel of 2");
  CHECK(toString(nn::MaxPool2D({.kernel = 3})(Tensor::zeros({1, 1, 9, 9})).shape()) ==
        "[1, 1, 3, 3]");  // the stride is the kernel
}

TEST_CASE("weights start uniform in 1/sqrt of the fan-in, biases alike") {
  seed(1);
  const auto check = [](const Tensor& t, double bound) {
    double greatest = 0;
    for (const double v : t.toVector<double>()) greatest = std::max(greatest, std::abs(v));
    CHECK(greatest <= bound);
    CHECK(greatest >
          0.95 * bound);  // of 64 values and more all would be below that once in 27 seeds; this seed is not one
  };
  const nn::Linear linear(100, 64);
  check(linear.weight, 0.1);
  check(linear.bias, 0.1);
  const nn::Conv2D conv(8, 64, {.kernel = {5, 5}, .groups = 2});
  check(conv.weight, 0.1);
  check(conv.bias, 0.1);
}

TEST_CASE("dropout refuses what is no probability (M8)") {
  CHECK(refusal([] { nn::Dropout(1.5); }) == "[Dropout] ValueError: p is 1.500000");
  CHECK(refusal([] { nn::Dropout(-0.1); }) == "[Dropout] ValueError: p is -0.100000");
  CHECK_THROWS_AS(nn::Dropout(std::nan("")), ValueError);
}

TEST_CASE("dropout zeroes its share and scales the rest in training, and is the identity in eval mode") {
  seed(2);
  nn::Dropout layer(0.25);
  const Tensor x = Tensor::full({40000}, 3);
  i64 zeros = 0, scaled = 0;
  for (const float v : layer(x).toVector<float>()) {
    zeros += v == 0 ? 1 : 0;
    scaled += v == 4 ? 1 : 0;
  }
  CHECK(zeros + scaled == 40000);
  CHECK(std::abs(static_cast<double>(zeros) - 10000) < 4 * std::sqrt(40000 * 0.25 * 0.75));  // four standard errors
  layer.eval();
  CHECK(sameBits(layer(x), x));
  // p = 1 is zeros, not NaN; p = 0 draws nothing.
  for (const float v : nn::Dropout(1)(x).toVector<float>()) REQUIRE(v == 0);
  CHECK(sameBits(nn::Dropout(0)(x), x));
}

TEST_CASE("dropout's gradient goes through the same mask") {
  seed(3);
  nn::Dropout layer(0.5);
  Tensor x = Tensor::ones({1000}).setRequiresGrad();
  const Tensor y = layer(x);
  y.sum().backward();
  CHECK(sameBits(x.grad(), y));
}

TEST_CASE("flatten joins axes in logical order, whatever the memory order") {
  const Tensor x = Tensor::arange(0, 24).reshape({2, 3, 2, 2});
  const Tensor turned(x.array().contiguous(MemoryOrder::ChannelsLast));
  CHECK(sameBits(nn::Flatten()(turned), x.reshape({2, 12})));
  CHECK(sameBits(nn::Flatten(0, 1)(turned), x.reshape({6, 2, 2})));
  CHECK(toString(nn::Flatten(1, 2)(x).shape()) == "[2, 6, 2]");
}

TEST_CASE("identity passes any number of tensors") {
  nn::Identity layer;
  const Tensor a = Tensor::ones({1}), b = Tensor::zeros({2});
  CHECK(layer(Tensors{}).empty());
  const Tensors both = layer(Tensors{a, b});
  CHECK(both[0].impl() == a.impl());
  CHECK(both[1].impl() == b.impl());
}

TEST_CASE("activations as modules are the functions of the same name") {
  const Tensor x = draw("activations", {3, 4});
  const auto same = [&](nn::Module&& layer, const Tensor& expected) {
    CHECK_MESSAGE(sameBits(layer(x), expected), layer.typeName());
  };
  same(nn::ReLU(), relu(x));
  same(nn::Sigmoid(), sigmoid(x));
  same(nn::Tanh(), tanh(x));
  same(nn::SiLU(), silu(x));
  same(nn::LeakyReLU(), leakyRelu(x, 0.01));
  same(nn::LeakyReLU(0.3), leakyRelu(x, 0.3));
  same(nn::GELU(), gelu(x));
  same(nn::Softmax(), softmax(x, 1));
  same(nn::Softmax(0), softmax(x, 0));
  same(nn::LogSoftmax(-1), logSoftmax(x, 1));
}

TEST_CASE("a layer says of itself what is not usual") {
  CHECK(nn::Conv2D(1, 32, {.kernel = 5}).details() == "1 -> 32, 5x5");
  CHECK(nn::Conv2D(4, 8, {.kernel = {1, 3}, .stride = 2, .padding = {0, 1}, .dilation = 2, .groups = 4, .bias = false})
            .details() == "4 -> 8, 1x3, stride 2, padding 0x1, dilation 2, groups 4, no bias");
  CHECK(nn::Conv1D(1, 2, {.kernel = 3, .padding = {1}}).details() == "1 -> 2, 3, padding 1");
  CHECK(nn::Conv3D(1, 2).details() == "1 -> 2, 1x1x1");
  CHECK(nn::Linear(3, 4).details() == "3 -> 4");
  CHECK(nn::Linear(3, 4, {.bias = false}).details() == "3 -> 4, no bias");
  CHECK(nn::MaxPool2D().details() == "2");
  CHECK(nn::AvgPool2D({.kernel = {3, 2}, .stride = 1, .padding = 1}).details() == "3x2, stride 1, padding 1");
  CHECK(nn::Dropout(0.1).details() == "0.1");
  CHECK(nn::LeakyReLU(0.2).details() == "0.2");
  CHECK(nn::GELU(true).details() == "tanh form");
  CHECK(nn::Softmax().details() == "axis 1");
  CHECK(nn::BatchNorm2D(8, {.momentum = 0.9, .act = nn::Act::ReLU}).details() == "8, momentum 0.9, relu");
}
