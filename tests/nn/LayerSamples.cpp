#include "nn/LayerSamples.h"

#include <ember/nn/layers/Layers.h>

namespace ember::test {
namespace {

template <class M>
LayerRow pools(int spatial, const nn::PoolOptions& other) {
  Shape input{2, 2};
  for (int i = 0; i < spatial; ++i) input.push(4 + i);
  return {{oneInput<M>("as it comes", input, Shape{2, 3}), oneInput<M>("other options", input, Shape{2, 3}, other)}};
}

template <class M>
LayerRow norms(const Shape& input, std::map<LayerCheck, std::string> skips = {}) {
  Shape wrong = input;
  wrong[1] = input[1] + 1;
  const auto with = [&](const char* name, const nn::BatchNormNDOptions& options) {
    return LayerSample{name, [=] { return std::make_unique<M>(input[1], options); }, input, wrong};
  };
  return {{with("as it comes", {}),
           with("constant factor, exact scale", {.initFactor = 0.1, .minFactor = 0.1, .sscale = 0}),
           with("not affine", {.affine = false}),
           with("scale alone, LeakyReLU", {.useShift = false, .act = Act::LeakyReLU, .slope = 0.2}),
           with("momentum, biased", {.epsilon = 0.01, .momentum = 0.8, .varEstimator = VarEstimator::Biased}),
           with("no running statistics", {.trackRunningStats = false})},
          std::move(skips)};
}

/// A net of nets.
std::unique_ptr<nn::Module> nested() {
  return std::make_unique<nn::Sequential>(nn::Sequential(nn::Conv2D(2, 3, {.kernel = 3, .padding = 1, .bias = false}),
                                                         nn::BatchNorm2D(3), nn::ReLU(), nn::MaxPool2D({.kernel = 2})),
                                          nn::Dropout(0.3), nn::Flatten(), nn::Linear(12, 4));
}

LayerRows basicSamples() {
  using Conv = nn::ConvOptions;
  return {
      {"Sequential",
       {{{"layers",
          [] { return std::make_unique<nn::Sequential>(nn::Linear(3, 4), nn::Tanh(), nn::Linear(4, 2)); },
          {3, 3},
          Shape{3, 5}},
         {"nested", nested, {3, 2, 4, 4}, Shape{3, 2, 6, 6}},
         {"nothing", [] { return std::make_unique<nn::Sequential>(); }, {2, 3}, {}}},
        {{LayerCheck::Golden, "a chain has no numbers of its own; tests/optim trains whole nets against PyTorch"}}}},
      {"Conv1D",
       {{oneInput<nn::Conv1D>("plain", {2, 2, 5}, Shape{2, 3, 5}, 2, 3, Conv{.kernel = 3}),
         oneInput<nn::Conv1D>("every option", {2, 4, 9}, Shape{2, 4}, 4, 2,
                            Conv{.kernel = 3, .stride = 2, .padding = 1, .dilation = 2, .groups = 2, .bias = false})}}},
      {"Conv2D",
       {{oneInput<nn::Conv2D>("plain", {2, 2, 4, 4}, Shape{2, 3, 4, 4}, 2, 3, Conv{.kernel = 3, .padding = 1}),
         oneInput<nn::Conv2D>("kernel larger than the input", {1, 1, 3, 3}, Shape{1, 1, 2, 2}, 1, 1, Conv{.kernel = 3}),
         oneInput<nn::Conv2D>("every option", {1, 2, 7, 6}, Shape{1, 2, 7}, 2, 4,
                            Conv{.kernel = {3, 2},
                                 .stride = {2, 1},
                                 .padding = {0, 2},
                                 .dilation = {1, 2},
                                 .groups = 2,
                                 .bias = false})}}},
      {"Conv3D", {{oneInput<nn::Conv3D>("plain", {1, 2, 3, 3, 3}, Shape{1, 1, 3, 3, 3}, 2, 2, Conv{.kernel = 2})}}},
      {"Linear",
       {{oneInput<nn::Linear>("plain", {4, 3}, Shape{4, 2}, 3, 2),
         oneInput<nn::Linear>("no bias", {4, 3}, Shape{4, 2}, 3, 2, nn::LinearOptions{.bias = false}),
         oneInput<nn::Linear>("sequences", {2, 4, 3}, Shape{4, 3, 2}, 3, 2)}}},
      {"BatchNormND",
       norms<nn::BatchNormND>(
           {2, 3, 2, 2},
           {{LayerCheck::Golden, "BatchNorm1D to BatchNorm3D, which are nothing but its ranks, are compared"}})},
      {"BatchNorm1D", norms<nn::BatchNorm1D>({5, 3})},
      {"BatchNorm2D", norms<nn::BatchNorm2D>({2, 3, 2, 2})},
      {"BatchNorm3D", norms<nn::BatchNorm3D>({2, 2, 2, 1, 2})},
      {"MaxPool1D", pools<nn::MaxPool1D>(1, {.kernel = 3, .stride = 2, .padding = 1})},
      {"MaxPool2D", pools<nn::MaxPool2D>(2, {.kernel = {3, 2}, .stride = {1, 2}, .padding = {1, 0}})},
      {"MaxPool3D", pools<nn::MaxPool3D>(3, {.kernel = 2, .stride = 1})},
      {"AvgPool1D", pools<nn::AvgPool1D>(1, {.kernel = 3, .stride = 2, .padding = 1, .countIncludePad = false})},
      {"AvgPool2D", pools<nn::AvgPool2D>(2, {.kernel = {3, 2}, .stride = {1, 2}, .padding = {1, 0}})},
      {"AvgPool3D", pools<nn::AvgPool3D>(3, {.kernel = 3, .padding = 1, .countIncludePad = false})},
      {"GlobalAvgPool",
       {{oneInput<nn::GlobalAvgPool>("pictures", {2, 3, 2, 4}, Shape{2, 3}),
         oneInput<nn::GlobalAvgPool>("sequences", {2, 3, 4}, Shape{2, 3})}}},
      {"Dropout", anyShape<nn::Dropout>(0.4)},
      {"Flatten",
       {{oneInput<nn::Flatten>("pictures", {2, 3, 2, 2}, Shape{3}),
         oneInput<nn::Flatten>("the first two", {2, 3, 4}, Shape{3}, 0, 1)}}},
      {"Identity", anyShape<nn::Identity>()},
  };
}

}  // namespace

const LayerRows& layerSamples() {
  static const LayerRows rows = [] {
    LayerRows all = basicSamples();
    for (const auto family : {
             shapeLayerSamples,
             resizeLayerSamples,
             containerSamples,
             activationLayerSamples,
             normLayerSamples,
         })
      all.merge(family());
    addResizeOptionSamples(all);
    return all;
  }();
  return rows;
}

}  // namespace ember::test
