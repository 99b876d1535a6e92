// Layers, batch norm over several batches and initialisers against the numbers that PyTorch gives
// (tests/golden/generate_layers.py). State has PyTorch's names.
#include <memory>

#include <doctest/doctest.h>
#include <ember/core/Random.h>
#include <ember/nn/Init.h>
#include <ember/nn/layers/Layers.h>

#include "nn/GoldenLayers.h"
#include "support/GoldenState.h"

using namespace ember;
using namespace ember::test;

namespace {

/// The layers of generate_layers.py.
const Makers layers = {
    {"Linear", make<nn::Linear>(3, 2)},
    {"Linear without bias", make<nn::Linear>(3, 2, nn::LinearOptions{.bias = false})},
    {"Conv1D", make<nn::Conv1D>(2, 3, nn::ConvOptions{.kernel = 3, .stride = 2, .padding = 1})},
    {"Conv2D", make<nn::Conv2D>(2, 3, nn::ConvOptions{.kernel = 3, .padding = 1})},
    {"Conv2D with every option",
     make<nn::Conv2D>(
         2, 4,
         nn::ConvOptions{
             .kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 2}, .dilation = {1, 2}, .groups = 2, .bias = false})},
    {"Conv3D", make<nn::Conv3D>(1, 2, nn::ConvOptions{.kernel = 2})},
    {"Conv1D of the same size", make<nn::Conv1D>(2, 1, nn::ConvOptions{.kernel = 4, .padding = Padding::Same})},
    {"Conv2D reflected",
     make<nn::Conv2D>(
         1, 2, nn::ConvOptions{.kernel = 3, .padding = {1, 2}, .paddingMode = PadMode::Reflect, .bias = false})},
    {"Conv2D circular",
     make<nn::Conv2D>(
         1, 2, nn::ConvOptions{.kernel = 3, .stride = 2, .padding = 1, .paddingMode = PadMode::Circular})},
    {"Conv3D replicated",
     make<nn::Conv3D>(1, 1,
                      nn::ConvOptions{.kernel = 2, .padding = {1, 0, 1}, .paddingMode = PadMode::Replicate})},
    {"ConvTranspose1D",
     make<nn::ConvTranspose1D>(2, 3, nn::ConvTransposeOptions{.kernel = 3, .stride = 2, .padding = 1})},
    {"ConvTranspose2D",
     make<nn::ConvTranspose2D>(2, 3, nn::ConvTransposeOptions{.kernel = 4, .stride = 2, .padding = 1})},
    {"ConvTranspose2D with every option",
     make<nn::ConvTranspose2D>(4, 2,
                               nn::ConvTransposeOptions{.kernel = {3, 2},
                                                        .stride = {2, 3},
                                                        .padding = {1, 0},
                                                        .outputPadding = {1, 2},
                                                        .dilation = {1, 2},
                                                        .groups = 2,
                                                        .bias = false})},
    {"ConvTranspose3D", make<nn::ConvTranspose3D>(1, 2, nn::ConvTransposeOptions{.kernel = 2, .stride = {1, 2, 1}})},
    {"MaxPool1D", make<nn::MaxPool1D>(nn::PoolOptions{.kernel = 2})},
    {"MaxPool2D with holes",
     make<nn::MaxPool2D>(nn::PoolOptions{.kernel = 3, .stride = 2, .padding = 1, .dilation = 2, .ceilMode = true})},
    {"AvgPool2D in ceil mode",
     make<nn::AvgPool2D>(nn::PoolOptions{.kernel = 3, .stride = 2, .ceilMode = true, .divisorOverride = 5})},
    {"AdaptiveAvgPool1D", make<nn::AdaptiveAvgPool1D>(Sizes(3))},
    {"AdaptiveAvgPool2D", make<nn::AdaptiveAvgPool2D>(Sizes{2, -1})},
    {"AdaptiveAvgPool3D", make<nn::AdaptiveAvgPool3D>(Sizes{1, 2, 3})},
    {"AdaptiveMaxPool1D", make<nn::AdaptiveMaxPool1D>(Sizes(3))},
    {"AdaptiveMaxPool2D", make<nn::AdaptiveMaxPool2D>(Sizes{2, -1})},
    {"AdaptiveMaxPool3D", make<nn::AdaptiveMaxPool3D>(Sizes{1, 2, 3})},
    {"GlobalMaxPool", make<nn::GlobalMaxPool>()},
    {"Upsample", make<nn::Upsample>(InterpolateOptions{.scale = {2}})},
    {"Upsample bilinear",
     make<nn::Upsample>(
         InterpolateOptions{.size = {5, 3}, .mode = Interpolation::Linear, .alignCorners = true})},
    {"Upsample bicubic",
     make<nn::Upsample>(InterpolateOptions{.scale = {1.5, 2}, .mode = Interpolation::Cubic})},
    {"PixelShuffle", make<nn::PixelShuffle>(2)},
    {"PixelUnshuffle", make<nn::PixelUnshuffle>(2)},
    {"MaxPool2D", make<nn::MaxPool2D>(nn::PoolOptions{.kernel = 3, .stride = 2, .padding = 1})},
    {"MaxPool3D", make<nn::MaxPool3D>(nn::PoolOptions{.kernel = 2})},
    {"AvgPool1D", make<nn::AvgPool1D>(nn::PoolOptions{.kernel = 2})},
    {"AvgPool2D", make<nn::AvgPool2D>(nn::PoolOptions{.kernel = 3, .stride = 2, .padding = 1})},
    {"AvgPool2D without padding in the mean",
     make<nn::AvgPool2D>(nn::PoolOptions{.kernel = 3, .stride = 2, .padding = 1, .countIncludePad = false})},
    {"AvgPool3D", make<nn::AvgPool3D>(nn::PoolOptions{.kernel = 2})},
    {"GlobalAvgPool", make<nn::GlobalAvgPool>()},
    {"ReLU", make<nn::ReLU>()},
    {"LeakyReLU", make<nn::LeakyReLU>(0.2)},
    {"Sigmoid", make<nn::Sigmoid>()},
    {"Tanh", make<nn::Tanh>()},
    {"GELU", make<nn::GELU>()},
    {"GELU by tanh", make<nn::GELU>(true)},
    {"SiLU", make<nn::SiLU>()},
    {"Softmax", make<nn::Softmax>(1)},
    {"LogSoftmax", make<nn::LogSoftmax>(1)},
    {"Flatten", make<nn::Flatten>()},
    {"Identity", make<nn::Identity>()},
    {"Dropout of nothing", make<nn::Dropout>(0.0)},
};

std::unique_ptr<nn::Module> makeNorm(const std::string& name, const Json& o, i64 maps) {
  nn::BatchNormNDOptions options{.epsilon = o.at("epsilon").get<double>()};
  const bool mean = o.at("factor").is_null();
  options.initFactor = mean ? 1.0 : o.at("factor").get<double>();
  options.minFactor = mean ? 0.0 : o.at("factor").get<double>();
  options.affine = o.at("affine").get<bool>();
  if (name.starts_with("BatchNorm1D")) return std::make_unique<nn::BatchNorm1D>(maps, options);
  if (name.starts_with("BatchNorm2D")) return std::make_unique<nn::BatchNorm2D>(maps, options);
  REQUIRE(name.starts_with("BatchNorm3D"));
  return std::make_unique<nn::BatchNorm3D>(maps, options);
}

}  // namespace

TEST_CASE("every layer gives PyTorch's output, gradients and state, in f64 and f32") { checkLayers("layers", layers); }

TEST_CASE(
    "batch norm layers follow PyTorch over three batches and in evaluation: outputs, gradients, running statistics") {
  for (const Json& c : golden("batchNormLayers")) {
    for (const DType dtype : {DType::F64, DType::F32}) {
      const std::string where = c.at("name").get<std::string>() + " " + std::string(name(dtype));
      CAPTURE(where);
      const auto module = makeNorm(c.at("name").get<std::string>(), c.at("options"),
                                   shapeOf(c.at("state").at("running_mean").at("shape"))[0]);
      module->to(dtype);
      REQUIRE(loadState(*module, c.at("state")) == "");
      std::size_t batch = 0;
      for (const Json& run : c.at("batches")) {
        CAPTURE(batch);
        if (++batch == c.at("batches").size()) module->eval();
        checkRun(*module, run, dtype, toleranceOf(dtype));
        CHECK(stateDifference(*module, run.at("stateAfter"), toleranceOf(dtype)) == "");
      }
    }
  }
}

TEST_CASE("initialisers draw with PyTorch's bounds and standard deviations") {
  for (const Json& c : golden("initialisers")) {
    CAPTURE(c.at("name").get<std::string>());
    const auto op = c.at("op").get<std::string>();
    const Json& o = c.at("options");
    Tensor actual = Tensor::zeros(shapeOf(c.at("shape")), DType::F64), expected = actual.clone();
    // The same draw twice: by the initialiser, and uniform or normal with PyTorch's numbers.
    seed(3);
    if (op.starts_with("kaiming")) {
      const auto fan = o.at("fanOut").get<bool>() ? nn::init::Fan::Out : nn::init::Fan::In;
      const double slope = o.at("slope").get<double>();
      if (op == "kaimingUniform")
        nn::init::kaimingUniform_(actual, slope, fan);
      else
        nn::init::kaimingNormal_(actual, slope, fan);
    } else if (op == "xavierUniform") {
      nn::init::xavierUniform_(actual, o.at("gain").get<double>());
    } else {
      REQUIRE(op == "xavierNormal");
      nn::init::xavierNormal_(actual, o.at("gain").get<double>());
    }
    seed(3);
    if (c.contains("bound")) {
      const double bound = c.at("bound").get<double>();
      nn::init::uniform_(expected, -bound, bound);
    } else {
      nn::init::normal_(expected, 0, c.at("std").get<double>());
    }
    CHECK_CLOSE(actual, expected, (Tolerance{1e-14, 1e-15}), "values");
  }
}
