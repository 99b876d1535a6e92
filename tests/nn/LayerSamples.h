#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ember/nn/Module.h>

/// What the walk over nn/Layers.def needs to know of each layer: how to make it, what to feed it, and what does not
/// apply to it.
namespace ember::test {

/// Checks that a row may skip; all others hold for every layer.
enum class LayerCheck { WrongInput, Golden, Dtype };

struct LayerSample {
  std::string name;
  std::function<std::unique_ptr<nn::Module>()> make;
  Shape input;
  std::optional<Shape> wrong = {};  ///< a shape that it must refuse
  std::vector<Shape> more = {};     ///< of further inputs
  i64 below = 0;                    ///< if not 0, the further inputs are indices: 0, 1, 2, ... below it
  i64 classes = 0;                  ///< the input holds integers below this; 0: f32 or f64
};

struct LayerRow {
  std::vector<LayerSample> samples;
  std::map<LayerCheck, std::string> skips = {};  ///< with the reason, which is printed
};

template <class M, class... A>
LayerSample oneInput(std::string name, const Shape& input, const std::optional<Shape>& wrong, A... arguments) {
  return {std::move(name), [=] { return std::make_unique<M>(arguments...); }, input, wrong};
}

/// A layer that takes any shape.
template <class M, class... A>
LayerRow anyShape(A... arguments) {
  return {{oneInput<M>("a matrix", {3, 4}, {}, arguments...), oneInput<M>("pictures", {2, 3, 2, 2}, {}, arguments...)},
          {{LayerCheck::WrongInput, "it takes every shape"}}};
}

using LayerRows = std::map<std::string, LayerRow>;

/// By type name.
const LayerRows& layerSamples();

/// What layerSamples() is put together from, a file each.
LayerRows shapeLayerSamples();
LayerRows resizeLayerSamples();
/// More samples of layers that have rows already.
void addResizeOptionSamples(LayerRows& rows);
LayerRows containerSamples();
LayerRows activationLayerSamples();
LayerRows normLayerSamples();

}  // namespace ember::test
