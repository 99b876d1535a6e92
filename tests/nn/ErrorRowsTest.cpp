// Rows of the catalogue of wrong calls that need modules: T4, T5, T7 and T16 with the layer that refused, M3 and M4. The
// others have their tests elsewhere, with their numbers in the names:
//   M1, M2 ModuleTest   M5, M6, M10 optim/OptimizerTest   M7 optim/OptimTableTest   M8, M9 LayersTest
//   M11 optim/ScheduleTest   M12 data/LoaderTest   M13, M14 data/DatasetTest, data/LoaderTest   M15 optim/ClipTest
#include <memory>

#include <doctest/doctest.h>

#include <ember/ember.h>

#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

TEST_CASE("a convolution that gets other channels names itself and its place (T4)") {
  nn::Sequential net(nn::Conv2D(3, 4, {.kernel = 3}), nn::ReLU(), nn::Conv2D(5, 4, {.kernel = 3}));
  const std::string message = messageOf([&] { net(Tensor::ones({1, 3, 8, 8})); });
  CHECK(contains(message, "[conv2d] ShapeError: input has 4 channels, filters expect 5"));
  CHECK(contains(message, "at       2 (Conv2D 5 -> 4, 3x3)"));
}

TEST_CASE("a batch norm that gets one value a channel names itself and says how to go on (T16)") {
  nn::Sequential net(nn::Linear(2, 3), nn::BatchNorm1D(3));
  const std::string message = messageOf([&] { net(Tensor::ones({1, 2})); });
  CHECK(contains(message, "expected more than 1 value per channel when training, got [1, 3]"));
  CHECK(contains(message, " 1 (BatchNorm1D"));
  CHECK(contains(message, "dropLast"));
  nn::BatchNorm2D norm(3);
  CHECK(contains(messageOf([&] { norm(Tensor::ones({1, 3, 1, 1})); }), "got [1, 3, 1, 1]"));
}

TEST_CASE("layers of convolution and pooling refuse numbers out of range when they are built (T5, T7)") {
  const auto conv = [](const nn::ConvOptions& options) {
    return headlineOf<ValueError>([&] { nn::Conv2D(3, 4, options); });
  };
  CHECK(conv({.kernel = 3, .groups = 2}) == "[Conv2D] ValueError: groups = 2 does not divide 3 input and 4 output channels");
  CHECK(conv({.kernel = 3, .groups = 0}) == "[Conv2D] ValueError: groups is 0");
  CHECK(conv({.kernel = 3, .stride = 0}) == "[Conv2D] ValueError: stride is 0");
  CHECK(conv({.kernel = 3, .stride = -2}) == "[Conv2D] ValueError: stride is -2");
  CHECK(conv({.kernel = 3, .padding = -1}) == "[Conv2D] ValueError: padding is -1");
  CHECK(conv({.kernel = 3, .dilation = 0}) == "[Conv2D] ValueError: dilation is 0");
  CHECK(conv({.kernel = 0}) == "[Conv2D] ValueError: kernel is 0");
}

TEST_CASE("a module that would contain itself is refused (M3)") {
  auto own = std::make_unique<nn::Sequential>();
  nn::Sequential& self = *own;
  CHECK(headlineOf<ValueError>([&] { self.addChild("again", std::move(own)); }) ==
        "[Sequential] ValueError: the child \"again\" would contain itself");

  auto root = std::make_unique<nn::Sequential>();
  auto& middle = root->addChild("middle", std::make_unique<nn::Sequential>());
  auto& leaf = middle.addChild("leaf", std::make_unique<nn::Sequential>());
  const std::string message = messageOf([&] { leaf.addChild("root", std::move(root)); });
  CHECK(contains(message, "the child \"root\" would contain itself"));
  CHECK(contains(message, "this module is its \"middle.leaf\""));
}

TEST_CASE("a module has one place: what was moved into a net is there and nowhere else (M4)") {
  nn::Linear layer(2, 2);
  nn::Sequential net(std::move(layer));
  CHECK_THROWS_AS(nn::Sequential(std::move(layer))(Tensor::ones({1, 2})), StateError);
  CHECK(net.parameterCount() == 6);
}
