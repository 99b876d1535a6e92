#include <ember/nn/layers/ConvND.h>
#include <ember/nn/layers/DropoutVariants.h>
#include <ember/nn/layers/Embedding.h>
#include <ember/nn/layers/InstanceNormND.h>
#include <ember/nn/layers/Linear.h>
#include <ember/nn/layers/Norms.h>
#include <ember/nn/layers/WeightNorm.h>

#include "nn/LayerSamples.h"

// Norms without batch statistics, dropouts, noise, embeddings and grouped linear maps.

namespace ember::test {
namespace {

template <class Norm>
LayerRow instanceNorms(const Shape& input) {
  Shape wrong = input;
  wrong[1] += 1;
  return {{oneInput<Norm>("as it comes", input, wrong, input[1]),
           oneInput<Norm>("affine", input, wrong, input[1], nn::InstanceNormOptions{.epsilon = 0.01, .affine = true}),
           oneInput<Norm>("running statistics", input, wrong, input[1],
                          nn::InstanceNormOptions{.momentum = 0.3, .affine = true, .trackRunningStats = true})}};
}

template <class Noise, class... A>
LayerRow noise(A... numbers) {
  LayerRow row = anyShape<Noise>(numbers...);
  row.skips[LayerCheck::Golden] = "PyTorch has no such layer; DropoutVariantsTest holds mean and spread";
  return row;
}

LayerSample indices(std::string name, const Shape& shape, nn::EmbeddingOptions options) {
  LayerSample s = oneInput<nn::Embedding>(std::move(name), shape, {}, 5, 3, options);
  s.classes = 5;
  return s;
}

}  // namespace

LayerRows normLayerSamples() {
  LayerRows rows;
  rows["LayerNorm"] = {
      {oneInput<nn::LayerNorm>("the last axis", {3, 4}, Shape{3, 5}, Shape{4}),
       oneInput<nn::LayerNorm>("pictures, weight alone", {2, 3, 2, 2}, Shape{2, 2}, Shape{3, 2, 2},
                               nn::LayerNormOptions{.epsilon = 0.01, .bias = false}),
       oneInput<nn::LayerNorm>("not affine", {3, 4}, Shape{4, 3}, Shape{4}, nn::LayerNormOptions{.affine = false})}};
  rows["RMSNorm"] = {{oneInput<nn::RMSNorm>("the last axis", {3, 4}, Shape{3, 5}, Shape{4}),
                      oneInput<nn::RMSNorm>("not affine", {3, 2, 4}, Shape{2, 4, 4}, Shape{2, 4},
                                            nn::RMSNormOptions{.epsilon = 0.01, .affine = false})}};
  rows["GroupNorm"] = {{oneInput<nn::GroupNorm>("pictures", {2, 4, 2, 2}, Shape{2, 6, 2, 2}, 2, 4),
                        oneInput<nn::GroupNorm>("not affine", {2, 4, 3}, Shape{4}, 4, 4,
                                                nn::GroupNormOptions{.epsilon = 0.01, .affine = false})}};
  rows["LocalResponseNorm"] = {
      {oneInput<nn::LocalResponseNorm>("as it comes", {2, 4, 3}, Shape{2, 4}, 3),
       oneInput<nn::LocalResponseNorm>("other numbers", {2, 4, 2, 2}, Shape{4}, 2,
                                       nn::LocalResponseNormOptions{.alpha = 0.3, .beta = 0.5, .k = 2})}};
  rows["InstanceNorm1D"] = instanceNorms<nn::InstanceNorm1D>({2, 3, 4});
  rows["InstanceNorm2D"] = instanceNorms<nn::InstanceNorm2D>({2, 3, 2, 2});
  rows["InstanceNorm3D"] = instanceNorms<nn::InstanceNorm3D>({2, 2, 2, 1, 2});

  rows["Dropout1D"] = {{oneInput<nn::Dropout1D>("lines", {2, 3, 4}, Shape{2, 3}, 0.4)}};
  rows["Dropout2D"] = {{oneInput<nn::Dropout2D>("pictures", {2, 3, 2, 2}, Shape{2, 3}, 0.4)}};
  rows["Dropout3D"] = {{oneInput<nn::Dropout3D>("volumes", {2, 3, 2, 1, 2}, Shape{2, 3}, 0.4)}};
  rows["AlphaDropout"] = anyShape<nn::AlphaDropout>(0.4);
  rows["FeatureAlphaDropout"] = {{oneInput<nn::FeatureAlphaDropout>("pictures", {2, 3, 2, 2}, Shape{3}, 0.4)}};
  rows["DropPath"] = {{oneInput<nn::DropPath>("samples", {4, 3}, Shape{}, 0.4)},
                      {{LayerCheck::Golden, "PyTorch has no such layer; DropoutVariantsTest holds what is dropped"}}};
  rows["GaussianNoise"] = noise<nn::GaussianNoise>(0.3);
  rows["UniformNoise"] = noise<nn::UniformNoise>(-0.2, 0.5);

  rows["Embedding"] = {{indices("a list", {4}, {}), indices("a table, padding", {2, 3}, {.padding = -4})},
                       {{LayerCheck::WrongInput, "indices may have every shape"}}};
  rows["GroupedLinear"] = {{oneInput<nn::GroupedLinear>("plain", {3, 4}, Shape{3, 6}, 4, 6, 2),
                            oneInput<nn::GroupedLinear>("sequences, no bias", {2, 2, 4}, Shape{2, 4, 2}, 4, 2, 2,
                                                        nn::GroupedLinearOptions{.bias = false})}};
  const auto normed = [](std::string name, const Shape& input, const Shape& wrong, std::optional<int> axis,
                         auto layer) {
    return LayerSample{std::move(name), [=] { return std::make_unique<nn::WeightNorm>(layer(), axis); },
                       input, wrong};
  };
  rows["WeightNorm"] = {{normed("Linear", {4, 3}, {4, 2}, 0, [] { return nn::Linear(3, 2); }),
                         normed("Conv2D, inputs", {1, 2, 3, 3}, {1, 3, 3, 3}, 1,
                                [] { return nn::Conv2D(2, 3, {.kernel = 2, .bias = false}); }),
                         normed("the whole weight", {4, 3}, {4, 2}, {}, [] { return nn::Linear(3, 2); })}};
  return rows;
}

}  // namespace ember::test
