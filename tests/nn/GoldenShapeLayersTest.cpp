// Layers that reshape, join and split against the numbers that PyTorch gives (tests/golden/generate_shape_layers.py).
#include <functional>
#include <map>
#include <memory>

#include <doctest/doctest.h>
#include <ember/nn/layers/JoinLayers.h>
#include <ember/nn/layers/PadND.h>
#include <ember/nn/layers/ShapeLayers.h>

#include "support/Golden.h"

using namespace ember;
using namespace ember::test;

namespace {

using Make = std::function<std::unique_ptr<nn::Module>()>;
template <class M, class... A>
Make make(A... arguments) {
  return [=] { return std::make_unique<M>(arguments...); };
}

const std::map<std::string, Make> layers = {
    {"Unflatten: pictures", make<nn::Unflatten>(1, Shape{3, 2, 2})},
    {"Unflatten: the rest of the first axis", make<nn::Unflatten>(0, Shape{-1, 3})},
    {"Reshape: pictures", make<nn::Reshape>(Shape{3, 2, 2})},
    {"Reshape: the rest", make<nn::Reshape>(Shape{2, -1})},
    {"Permute", make<nn::Permute>(std::vector<int>{0, 2, 3, 1})},
    {"SwapAxes", make<nn::SwapAxes>(-1, 1)},
    {"Slice: from the third", make<nn::Slice>(1, 2)},
    {"Slice: every second but the last", make<nn::Slice>(2, 0, -1, 2)},
    {"Tile", make<nn::Tile>(std::vector<i64>{2, 3})},
    {"Cast", make<nn::Cast>(DType::F64)},
    {"Sum: all", make<nn::Sum>()},
    {"Sum: one axis", make<nn::Sum>(std::vector<int>{1})},
    {"Sum: two axes, kept", make<nn::Sum>(std::vector<int>{0, 2}, true)},
    {"Pad1D", make<nn::Pad1D>(nn::PadOptions{.before = 0, .after = 2, .value = 0.5})},
    {"Pad2D", make<nn::Pad2D>(nn::PadOptions{.before = {1, 0}, .after = {0, 2}, .value = -1})},
    {"Pad3D", make<nn::Pad3D>(nn::PadOptions{.before = {1, 0, 2}})},
    {"Pad1D: reflect", make<nn::Pad1D>(nn::PadOptions{.before = 1, .after = 2, .mode = PadMode::Reflect})},
    {"Pad2D: replicate",
     make<nn::Pad2D>(nn::PadOptions{.before = {1, 0}, .after = {0, 2}, .mode = PadMode::Replicate})},
    {"Pad3D: circular", make<nn::Pad3D>(nn::PadOptions{.mode = PadMode::Circular})},
    {"Concat: channels", make<nn::Concat>()},
    {"Concat: the last axis", make<nn::Concat>(-1)},
    {"Split: equal parts", make<nn::Split>(nn::SplitOptions{.parts = 3})},
    {"Split: sizes", make<nn::Split>(nn::SplitOptions{.sizes = {1, 4}, .axis = 0})},
    {"Add", make<nn::Add>()},
    {"Mul", make<nn::Mul>()},
    {"Replicate", make<nn::Replicate>(3)},
};

}  // namespace

TEST_CASE("layers that reshape, join and split give PyTorch's outputs and gradients, in f64 and f32") {
  std::size_t found = 0;
  for (const Json& c : golden("shapeLayers")) {
    const auto caseName = c.at("name").get<std::string>();
    const auto entry = layers.find(caseName);
    CAPTURE(caseName);
    REQUIRE(entry != layers.end());
    ++found;
    for (const DType dtype : {DType::F64, DType::F32}) {
      Tensors inputs;
      for (const auto& input : c.at("inputs").items()) {
        inputs.push_back(tensorOf(input.value(), dtype));
        inputs.back().setRequiresGrad();
      }
      const auto module = entry->second();
      const Tensors outputs = (*module)(inputs);
      REQUIRE(outputs.size() == c.at("outputs").size());
      Tensors upstream;
      for (std::size_t i = 0; i < outputs.size(); ++i) {
        CHECK_CLOSE(outputs[i], tensorOf(c.at("outputs")[i]), toleranceOf(dtype), "output " << i);
        upstream.push_back(tensorOf(c.at("outputGradients")[i], outputs[i].dtype()));
      }
      const Tensors gradient = gradients(outputs, inputs, {}, upstream);
      std::size_t i = 0;
      for (const auto& expected : c.at("gradients").items())
        CHECK_CLOSE(gradient[i++], tensorOf(expected.value()), toleranceOf(dtype), "gradient of " << expected.key());
    }
  }
  CHECK(found == layers.size());
}
