// Layers that reshape, join and split.
#include <ember/nn/layers/JoinLayers.h>
#include <ember/nn/layers/PadND.h>
#include <ember/nn/layers/ShapeLayers.h>

#include "nn/LayerSamples.h"

namespace ember::test {
namespace {

/// One input, or several of which the first may be wrong.
template <class M, class... A>
LayerSample sample(std::string name, const std::vector<Shape>& inputs, const std::optional<Shape>& wrong,
                   A... arguments) {
  return {std::move(name), [=] { return std::make_unique<M>(arguments...); }, inputs[0], wrong,
          {inputs.begin() + 1, inputs.end()}};
}

const std::map<LayerCheck, std::string> everyShape = {{LayerCheck::WrongInput, "it takes every shape"}};

template <class M>
LayerRow pads(int spatial, const nn::PadOptions& other) {
  Shape input{2, 2};
  for (int i = 0; i < spatial; ++i) input.push(2 + i);
  const auto with = [](PadMode mode) { return nn::PadOptions{.before = 1, .mode = mode}; };
  return {{sample<M>("as it comes", {input}, Shape{2, 3}), sample<M>("other options", {input}, Shape{2, 3}, other),
           sample<M>("reflect", {input}, Shape{2, 3}, with(PadMode::Reflect)),
           sample<M>("replicate", {input}, Shape{2, 3}, with(PadMode::Replicate)),
           sample<M>("circular", {input}, Shape{2, 3}, with(PadMode::Circular))}};
}

template <class M>
LayerRow elementwise() {
  return {{sample<M>("one", {{2, 3}}, std::nullopt), sample<M>("two", {{2, 3}, {2, 3}}, Shape{2, 4}),
           sample<M>("three, of several shapes", {{2, 3, 4}, {3, 1}, {2, 1, 4}}, Shape{5, 3, 4})},
          {{LayerCheck::WrongInput, "one tensor may have every shape"}}};
}

}  // namespace

LayerRows shapeLayerSamples() {
  using Axes = std::vector<int>;
  using Numbers = std::vector<i64>;
  return {
      {"Unflatten",
       {{sample<nn::Unflatten>("channels and pictures", {{2, 12}}, Shape{2, 13}, 1, Shape{3, 2, 2}),
         sample<nn::Unflatten>("the rest", {{6, 2}}, Shape{5, 2}, 0, Shape{-1, 3})}}},
      {"Reshape",
       {{sample<nn::Reshape>("pictures", {{2, 12}}, Shape{2, 13}, Shape{3, 2, 2}),
         sample<nn::Reshape>("the rest", {{2, 3, 4}}, Shape{2, 3, 3}, Shape{2, -1})}}},
      {"Permute", {{sample<nn::Permute>("pictures", {{2, 3, 2, 4}}, Shape{2, 3, 2}, Axes{0, 2, 3, 1})}}},
      {"SwapAxes",
       {{sample<nn::SwapAxes>("two", {{2, 3, 4}}, Shape{2, 3}, 1, 2),
         sample<nn::SwapAxes>("from the end", {{2, 3, 4}}, Shape{2}, -1, -2)}}},
      {"Slice",
       {{sample<nn::Slice>("from the third", {{2, 5}}, Shape{2}, 1, 2),
         sample<nn::Slice>("every second but the last", {{2, 3, 6}}, Shape{2, 3}, 2, 0, -1, 2)}}},
      {"Tile", {{sample<nn::Tile>("the last axes", {{2, 3, 2}}, Shape{2}, Numbers{2, 3})}}},
      {"Cast",
       {{sample<nn::Cast>("f64", {{2, 3}}, std::nullopt, DType::F64)},
        {{LayerCheck::WrongInput, "it takes every shape"}, {LayerCheck::Dtype, "the type is what it changes"}}}},
      {"Sum",
       {{sample<nn::Sum>("all", {{2, 3}}, std::nullopt), sample<nn::Sum>("one axis", {{2, 3, 4}}, Shape{2}, Axes{1}),
         sample<nn::Sum>("two, kept", {{2, 3, 4}}, Shape{2, 3}, Axes{0, 2}, true)},
        {{LayerCheck::WrongInput, "all axes of every shape can be summed"}}}},
      {"Pad1D", pads<nn::Pad1D>(1, {.before = 0, .after = 2, .value = 0.5})},
      {"Pad2D", pads<nn::Pad2D>(2, {.before = {1, 0}, .after = {0, 2}, .value = -1})},
      {"Pad3D", pads<nn::Pad3D>(3, {.before = {1, 0, 2}})},
      {"Concat",
       {{sample<nn::Concat>("one", {{2, 3}}, std::nullopt),
         sample<nn::Concat>("channels", {{2, 3, 2}, {2, 1, 2}, {2, 2, 2}}, Shape{2, 3, 3}),
         sample<nn::Concat>("the last axis", {{2, 3}, {2, 1}}, Shape{3, 3}, -1)},
        {{LayerCheck::WrongInput, "one tensor may have every shape"}}}},
      {"Split",
       {{sample<nn::Split>("equal parts", {{2, 6, 2}}, Shape{2, 5, 2}, nn::SplitOptions{.parts = 3}),
         sample<nn::Split>("sizes", {{5, 2}}, Shape{6, 2}, nn::SplitOptions{.sizes = {1, 4}, .axis = 0})}}},
      {"Add", elementwise<nn::Add>()},
      {"Mul", elementwise<nn::Mul>()},
      {"Replicate", {{sample<nn::Replicate>("three times", {{2, 3}}, std::nullopt, 3)}, everyShape}},
  };
}

}  // namespace ember::test
