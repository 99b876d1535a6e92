// Layers that change spatial sizes: transposed convolutions, pools into bins, unpooling, upsampling; and the options of
// convolutions and pools that the plain samples have not.
#include <ember/nn/layers/Layers.h>

#include "nn/LayerSamples.h"

namespace ember::test {
namespace {

template <class M, class... A>
LayerSample sample(std::string name, const Shape& input, const std::optional<Shape>& wrong, A... arguments) {
  return {std::move(name), [=] { return std::make_unique<M>(arguments...); }, input, wrong};
}

Shape spatialShape(int spatial, i64 channels, i64 first) {
  Shape shape{2, channels};
  for (int i = 0; i < spatial; ++i) shape.push(first + i);
  return shape;
}

template <class M>
LayerRow adaptive(int spatial, const Sizes& size) {
  const Shape x = spatialShape(spatial, 2, 4);
  return {{sample<M>("two bins an axis", x, Shape{2, 3}, Sizes(2)), sample<M>("other sizes", x, Shape{2, 3}, size)}};
}

template <class M>
LayerRow transposed(int spatial, const nn::ConvTransposeOptions& other) {
  const Shape x = spatialShape(spatial, 4, 2), wrong = spatialShape(spatial, 3, 2);
  return {{sample<M>("plain", x, wrong, 4, 3, nn::ConvTransposeOptions{.kernel = 2}),
           sample<M>("every option", x, wrong, 4, 2, other)}};
}

template <class M>
LayerRow unpools(int spatial) {
  const Shape x = spatialShape(spatial, 2, 2);
  LayerSample plain = sample<M>("twice the size", x, Shape{2, 2}, nn::UnpoolOptions{.kernel = 2});
  LayerSample sized = sample<M>("an output size", x, Shape{2, 2},
                                nn::UnpoolOptions{.kernel = 3, .stride = 2, .padding = 1, .outputSize = 7});
  i64 places = 1;
  for (int i = 0; i < spatial; ++i) places *= 2 * (2 + i);
  for (LayerSample* each : {&plain, &sized}) {
    each->more = {x};
    each->below = places;  // both results have as many places, or more
  }
  return {{plain, sized},
          {{LayerCheck::Golden, "the op that it calls is compared, with the indices of PyTorch's pools"}}};
}

}  // namespace

LayerRows resizeLayerSamples() {
  using Transposed = nn::ConvTransposeOptions;
  using Mode = Interpolation;
  return {
      {"ConvTranspose1D",
       transposed<nn::ConvTranspose1D>(
           1, {.kernel = 3, .stride = 2, .padding = 1, .outputPadding = 1, .dilation = 2, .groups = 2, .bias = false})},
      {"ConvTranspose2D", transposed<nn::ConvTranspose2D>(2, Transposed{.kernel = {2, 3},
                                                                        .stride = {1, 2},
                                                                        .padding = Padding::sides({0, 1}, {1, 0}),
                                                                        .outputPadding = {0, 1},
                                                                        .groups = 2})},
      {"ConvTranspose3D", transposed<nn::ConvTranspose3D>(3, {.kernel = 2, .stride = {2, 1, 1}, .groups = 2})},
      {"GlobalMaxPool",
       {{sample<nn::GlobalMaxPool>("pictures", {2, 3, 2, 4}, Shape{2, 3}),
         sample<nn::GlobalMaxPool>("sequences", {2, 3, 4}, Shape{2, 3})}}},
      {"AdaptiveAvgPool1D", adaptive<nn::AdaptiveAvgPool1D>(1, 3)},
      {"AdaptiveAvgPool2D", adaptive<nn::AdaptiveAvgPool2D>(2, {-1, 3})},
      {"AdaptiveAvgPool3D", adaptive<nn::AdaptiveAvgPool3D>(3, {1, 3, -1})},
      {"AdaptiveMaxPool1D", adaptive<nn::AdaptiveMaxPool1D>(1, 3)},
      {"AdaptiveMaxPool2D", adaptive<nn::AdaptiveMaxPool2D>(2, {-1, 3})},
      {"AdaptiveMaxPool3D", adaptive<nn::AdaptiveMaxPool3D>(3, {1, 3, -1})},
      {"MaxUnpool1D", unpools<nn::MaxUnpool1D>(1)},
      {"MaxUnpool2D", unpools<nn::MaxUnpool2D>(2)},
      {"MaxUnpool3D", unpools<nn::MaxUnpool3D>(3)},
      {"Upsample",
       {{sample<nn::Upsample>("by 2", {2, 2, 2, 3}, Shape{2, 3}, InterpolateOptions{.scale = {2}}),
         sample<nn::Upsample>("a size, corners aligned", {1, 2, 3, 4}, Shape{2, 3},
                              InterpolateOptions{.size = {5, 2}, .mode = Mode::Linear, .alignCorners = true}),
         sample<nn::Upsample>("cubic", {1, 2, 4, 3}, Shape{2, 3, 0, 3},
                              InterpolateOptions{.scale = {1.5, 0.5}, .mode = Mode::Cubic}),
         sample<nn::Upsample>("exact", {2, 2, 5}, Shape{2, 3},
                              InterpolateOptions{.size = 3, .mode = Mode::NearestExact})}}},
      {"PixelShuffle", {{sample<nn::PixelShuffle>("by 2", {2, 8, 2, 3}, Shape{2, 6, 2, 3}, 2)}}},
      {"PixelUnshuffle", {{sample<nn::PixelUnshuffle>("by 2", {2, 2, 4, 6}, Shape{2, 2, 4, 5}, 2)}}},
  };
}

void addResizeOptionSamples(LayerRows& rows) {
  using Conv = nn::ConvOptions;
  using Pool = nn::PoolOptions;
  rows["Conv1D"].samples.push_back(sample<nn::Conv1D>("the same size", {2, 2, 5}, Shape{2, 3, 5}, 2, 3,
                                                      Conv{.kernel = 4, .padding = Padding::Same}));
  rows["Conv2D"].samples.push_back(sample<nn::Conv2D>(
      "reflected, other sides", {1, 2, 4, 4}, Shape{1, 3, 4, 4}, 2, 2,
      Conv{.kernel = 3, .padding = Padding::sides({1, 0}, {2, 1}), .paddingMode = PadMode::Reflect}));
  rows["Conv3D"].samples.push_back(
      sample<nn::Conv3D>("circular", {1, 1, 2, 3, 2}, Shape{1, 2, 2, 3, 2}, 1, 2,
                         Conv{.kernel = {1, 3, 2}, .padding = {0, 1, 1}, .paddingMode = PadMode::Circular}));
  rows["MaxPool1D"].samples.push_back(
      sample<nn::MaxPool1D>("holes, ceil mode", {2, 2, 8}, Shape{2, 2},
                            Pool{.kernel = 3, .stride = 2, .padding = 1, .dilation = 2, .ceilMode = true}));
  rows["MaxPool2D"].samples.push_back(sample<nn::MaxPool2D>(
      "the same size", {2, 2, 5, 4}, Shape{2, 2}, Pool{.kernel = {2, 3}, .stride = 1, .padding = Padding::Same}));
  rows["AvgPool2D"].samples.push_back(
      sample<nn::AvgPool2D>("a divisor, ceil mode", {2, 2, 5, 4}, Shape{2, 2},
                            Pool{.kernel = 3, .stride = 2, .ceilMode = true, .divisorOverride = 4}));
}

}  // namespace ember::test
