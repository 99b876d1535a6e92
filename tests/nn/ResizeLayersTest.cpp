// Layers that change spatial sizes and the newer options of convolutions and pools: what the walk over the table does
// not say.
#include <cmath>

#include <doctest/doctest.h>
#include <ember/autograd/ops/Ops.h>
#include <ember/nn/Registry.h>
#include <ember/nn/inference/Fold.h>
#include <ember/nn/layers/Layers.h>

#include "support/Draw.h"
#include "support/Golden.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

TEST_CASE("layers refuse at construction what no input could fit") {
  CHECK(headlineOf([] {
          nn::Conv2D(1, 1, {.kernel = 3, .padding = Padding::sides({0, -1}, 0)});
        }) == "[Conv2D] ValueError: padding is -1");
  CHECK(headlineOf([] { nn::ConvTranspose2D(3, 4, {.kernel = 3, .groups = 2}); }) ==
        "[ConvTranspose2D] ValueError: groups = 2 does not divide 3 input and 4 output channels");
  CHECK(headlineOf([] { nn::ConvTranspose1D(3, 4, {.kernel = 3, .stride = 2, .outputPadding = 2}); }) ==
        "[ConvTranspose1D] ValueError: outputPadding is 2");
  CHECK(headlineOf([] { nn::ConvTranspose1D(3, 4, {.padding = Padding::Same}); }) ==
        "[ConvTranspose1D] ValueError: padding is Same, but several inputs of a convolution have one size");
  CHECK(headlineOf([] { nn::ConvTranspose1D(0, 4); }) == "[ConvTranspose1D] ValueError: 0 input and 4 output channels");
  CHECK(headlineOf([] { nn::AvgPool2D({.dilation = 2}); }) ==
        "[AvgPool2D] ValueError: dilation is 2, but a mean has none");
  CHECK(headlineOf([] { nn::AvgPool2D({.returnIndices = true}); }) ==
        "[AvgPool2D] ValueError: returnIndices is set, but a mean has none");
  CHECK(headlineOf([] { nn::MaxPool2D({.divisorOverride = 2}); }) ==
        "[MaxPool2D] ValueError: divisorOverride is set, but a maximum has none");
  CHECK(headlineOf([] { nn::MaxPool1D({.kernel = 2, .dilation = i64{1} << 63 >> 1}); }) != "nothing was thrown");
  CHECK(headlineOf([] { nn::MaxPool1D({.kernel = 2, .padding = 2}); }) ==
        "[MaxPool1D] ValueError: padding is 2 for a kernel of 2");
  CHECK(headlineOf([] { nn::AdaptiveAvgPool2D({2, 0}); }) == "[AdaptiveAvgPool2D] ValueError: size is 0");
  CHECK(headlineOf([] { nn::MaxUnpool2D({.outputSize = 0}); }) == "[MaxUnpool2D] ValueError: outputSize is 0");
  CHECK(headlineOf([] { nn::Upsample({}); }) == "[Upsample] ValueError: neither size nor scale is given");
  CHECK(headlineOf([] { nn::Upsample({.scale = {0}}); }) == "[Upsample] ValueError: scale is 0.000000");
  CHECK(headlineOf([] { nn::PixelShuffle(0); }) == "[PixelShuffle] ValueError: factor is 0");
}

TEST_CASE("a pool that returns indices and its unpool undo each other's sizes") {
  nn::MaxPool2D pool({.kernel = 2, .returnIndices = true});
  nn::MaxUnpool2D unpool({.kernel = 2});
  const Tensor x = distinct("x", {2, 3, 4, 6});
  const Tensors pooled = pool(Tensors{x});
  REQUIRE(pooled.size() == 2);
  CHECK(pooled[1].dtype() == DType::I64);
  const Tensor y = unpool(pooled[0], pooled[1]);
  CHECK((y.shape() == x.shape()));
  CHECK(sameBits(contiguous(maxPool2d(y + 100.0)),
                 contiguous(maxPool2d(where(y == 0.0, Tensor::zeros(y.shape(), y.dtype()), x) + 100.0))));
  CHECK(headlineOf([&] { (void)pool(x); }) == "[MaxPool2D] StateError: forward gave 2 tensors where one was expected");
  CHECK(headlineOf([&] { (void)unpool(Tensors{x}); }) ==
        "[MaxUnpool2D] ShapeError: forward takes a tensor and its indices, got 1");
  CHECK(pool.toString() == "MaxPool2D(2, with indices)\n");
  const auto again = nn::build(pool.architecture());
  CHECK((*again)(Tensors{x}).size() == 2);
}

TEST_CASE("options print, and files of nets without the newer ones stay as they were") {
  CHECK(nn::Conv2D(2, 4, {.kernel = 3, .padding = 1}).args().dump() ==
        "{\"in\": 2, \"out\": 4, \"kernel\": [3], \"stride\": [1], \"padding\": [1], \"dilation\": [1], \"groups\": 1, "
        "\"bias\": true}");
  CHECK(nn::MaxPool2D().args().dump() == "{\"kernel\": [2], \"stride\": [2], \"padding\": [0]}");
  CHECK(nn::Conv2D(2, 4, {.kernel = 3, .padding = Padding::sides({0, 1}, 2), .paddingMode = PadMode::Reflect})
            .details() == "2 -> 4, 3x3, padding 0x1 and 2 reflect");
  CHECK(nn::Conv1D(2, 4, {.kernel = 3, .padding = Padding::Same}).details() == "2 -> 4, 3, padding same");
  CHECK(nn::ConvTranspose2D(2, 4, {.kernel = {2, 3}, .stride = 2, .outputPadding = {1, 0}, .bias = false}).details() ==
        "2 -> 4, 2x3, stride 2, output padding 1x0, no bias");
  CHECK(nn::MaxPool2D({.kernel = {2, 3}, .dilation = 2, .ceilMode = true}).details() == "2x3, dilation 2, ceil mode");
  CHECK(nn::Upsample({.scale = {2, 1.5}, .mode = Interpolation::Linear, .alignCorners = true}).details() ==
        "by 2.0x1.5, linear, corners aligned");
  CHECK(nn::AdaptiveAvgPool2D({2, -1}).details() == "to 2x-1");
  CHECK(
      headlineOf([] {
        nn::Conv2D::fromArgs(Value::parse(
            R"({"in": 1, "out": 1, "kernel": [1], "stride": [1], "padding": "valid", "dilation": [1], "groups": 1, "bias": true})"));
      }) == "[padding] ValueError: no padding is called \"valid\"");
}

TEST_CASE("folding leaves a transposed convolution and its norm as they are, and folds one with a paddingMode") {
  nn::Sequential net(nn::ConvTranspose2D(2, 3, {.kernel = 2, .stride = 2}), nn::BatchNorm2D(3), nn::ReLU(),
                     nn::Conv2D(3, 2, {.kernel = 3, .padding = 1, .paddingMode = PadMode::Replicate}),
                     nn::BatchNorm2D(2));
  const Tensor x = draw("x", {2, 2, 3, 3}).to(DType::F32);
  (void)net(x);  // statistics
  net.eval();
  const Tensor expected = net(x);
  nn::Sequential folded = nn::folded(net);
  CHECK_CLOSE(folded(x), expected, toleranceF32, "output");
  CHECK(folded.toString().find("ConvTranspose2D") != std::string::npos);
  CHECK(folded.childCount() == net.childCount() - 1);
}

TEST_CASE("transposed convolutions start with PyTorch's bounds") {
  nn::ConvTranspose2D layer(4, 6, {.kernel = {3, 5}, .groups = 2});
  CHECK((layer.weight.shape() == Shape{4, 3, 3, 5}));
  CHECK((layer.bias.shape() == Shape{6}));
  const double bound = 1 / std::sqrt(3.0 * 15);  // output channels of a group times the kernel
  for (const Tensor& t : {layer.weight, layer.bias}) {
    CHECK(amax(abs(t)).item() <= bound);
    CHECK(amax(abs(t)).item() > bound / 2);
  }
}
