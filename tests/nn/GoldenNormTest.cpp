// Norm, dropout and embedding layers against the numbers that PyTorch gives (tests/golden/generate_norms.py).
#include <doctest/doctest.h>
#include <ember/nn/layers/ConvND.h>
#include <ember/nn/layers/DropoutVariants.h>
#include <ember/nn/layers/Embedding.h>
#include <ember/nn/layers/InstanceNormND.h>
#include <ember/nn/layers/Linear.h>
#include <ember/nn/layers/Norms.h>
#include <ember/nn/layers/WeightNorm.h>

#include "nn/GoldenLayers.h"

using namespace ember;
using namespace ember::test;

namespace {

template <class Norm>
void addInstanceNorm(const std::string& name, Makers& makers) {
  const nn::InstanceNormOptions every{.epsilon = 0.01, .momentum = 0.3, .affine = true, .trackRunningStats = true};
  makers[name] = make<Norm>(3);
  makers[name + ": affine, tracked"] = make<Norm>(3, every);
  makers[name + ": evaluation"] = make<Norm>(3, every);
}

}  // namespace

TEST_CASE("norm, dropout and embedding layers give PyTorch's output, gradients and state") {
  Makers makers{
      {"LayerNorm", make<nn::LayerNorm>(Shape{4})},
      {"LayerNorm: two axes, epsilon 0.1", make<nn::LayerNorm>(Shape{2, 3}, nn::LayerNormOptions{.epsilon = 0.1})},
      {"LayerNorm: not affine", make<nn::LayerNorm>(Shape{4}, nn::LayerNormOptions{.affine = false})},
      {"RMSNorm", make<nn::RMSNorm>(Shape{4}, nn::RMSNormOptions{.epsilon = 0.01})},
      {"GroupNorm", make<nn::GroupNorm>(2, 4)},
      {"GroupNorm: not affine", make<nn::GroupNorm>(4, 4, nn::GroupNormOptions{.epsilon = 0.1, .affine = false})},
      {"LocalResponseNorm", make<nn::LocalResponseNorm>(3)},
      {"LocalResponseNorm: every option",
       make<nn::LocalResponseNorm>(2, nn::LocalResponseNormOptions{.alpha = 0.2, .beta = 0.5, .k = 2})},
      {"Dropout1D of nothing", make<nn::Dropout1D>(0.0)},
      {"Dropout2D of nothing", make<nn::Dropout2D>(0.0)},
      {"Dropout3D of nothing", make<nn::Dropout3D>(0.0)},
      {"AlphaDropout of nothing", make<nn::AlphaDropout>(0.0)},
      {"FeatureAlphaDropout of nothing", make<nn::FeatureAlphaDropout>(0.0)},
      {"Embedding", make<nn::Embedding>(4, 3)},
      {"Embedding: padding", make<nn::Embedding>(4, 3, nn::EmbeddingOptions{.padding = 1})},
      {"GroupedLinear", make<nn::GroupedLinear>(6, 4, 2)},
  };
  makers["WeightNorm: Linear"] = [] { return std::make_unique<nn::WeightNorm>(nn::Linear(3, 2)); };
  makers["WeightNorm: the whole weight"] = [] {
    return std::make_unique<nn::WeightNorm>(nn::Linear(3, 2), std::nullopt);
  };
  makers["WeightNorm: Conv2D, inputs"] = [] {
    return std::make_unique<nn::WeightNorm>(nn::Conv2D(2, 3, {.kernel = 2, .bias = false}), 1);
  };
  addInstanceNorm<nn::InstanceNorm1D>("InstanceNorm1D", makers);
  addInstanceNorm<nn::InstanceNorm2D>("InstanceNorm2D", makers);
  addInstanceNorm<nn::InstanceNorm3D>("InstanceNorm3D", makers);
  checkLayers("normLayers", makers);
}
