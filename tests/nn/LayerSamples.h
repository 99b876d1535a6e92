#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
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
};

struct LayerRow {
  std::vector<LayerSample> samples;
  std::map<LayerCheck, std::string> skips = {};  ///< with the reason, which is printed
};

using LayerRows = std::map<std::string, LayerRow>;

/// By type name.
const LayerRows& layerSamples();

/// What layerSamples() is put together from, a file each.
LayerRows shapeLayerSamples();
LayerRows containerSamples();

}  // namespace ember::test
