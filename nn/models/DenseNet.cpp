#include <ember/nn/models/DenseNet.h>

#include <string>
#include <vector>

#include <ember/core/Error.h>
#include <ember/nn/layers/Activations.h>
#include <ember/nn/layers/Linear.h>
#include <ember/nn/layers/PoolND.h>
#include <ember/nn/models/Blocks.h>
#include <ember/nn/models/Start.h>

namespace ember::nn::models {
namespace {

struct Dense {
  std::vector<i64> blocks;  ///< layers of each
  i64 growth;
  double compression, dropout;
};

/// Norm, activation, 1x1 convolution and a pool that halves the size.
Sequential transition(i64 in, i64 out) {
  Sequential layers;
  layers.add("norm", BatchNorm2D(in));
  layers.add("relu", ReLU());
  layers.add("conv", Conv2D(in, out, {.bias = false}));
  layers.add("pool", AvgPool2D());
  return layers;
}

/// Appends the dense blocks and the last norm to the stem; returns the number of channels.
i64 addBlocks(Sequential& features, i64 channels, const Dense& dense) {
  for (std::size_t b = 0; b < dense.blocks.size(); ++b) {
    const std::string number = std::to_string(b + 1);
    Sequential& block = features.add("denseblock" + number, Sequential());
    for (i64 i = 1; i <= dense.blocks[b]; ++i, channels = checkedAdd(channels, dense.growth))
      block.add("denselayer" + std::to_string(i), DenseLayer(channels, dense.growth, 4, dense.dropout));
    if (b + 1 == dense.blocks.size()) break;
    const i64 kept = static_cast<i64>(static_cast<double>(channels) * dense.compression);
    features.add("transition" + number, transition(channels, kept));
    channels = kept;
  }
  features.add("norm5", BatchNorm2D(channels));
  return channels;
}

Sequential headed(Sequential features, i64 channels, i64 classes) {
  Sequential net;
  net.add("features", std::move(features));
  net.add("relu", ReLU());
  net.add("avgpool", GlobalAvgPool());
  net.add("classifier", Linear(channels, classes));
  return net;
}

constexpr Start start{.fan = init::Fan::In, .zeroBiases = true};

std::vector<i64> blocksOf(int depth) {
  if (depth == 121) return {6, 12, 24, 16};
  if (depth == 169) return {6, 12, 32, 32};
  if (depth == 201) return {6, 12, 48, 32};
  throw ValueError("densenet", "there is no depth " + std::to_string(depth), {}, "use 121, 169 or 201");
}

}  // namespace

Sequential densenet(int depth, const DenseNetOptions& options) {
  const Dense dense{blocksOf(depth), 32, 0.5, options.dropout};
  return started(start, [&] {
    Sequential features;
    features.add("conv0", Conv2D(options.channels, 64, {.kernel = 7, .stride = 2, .padding = 3, .bias = false}));
    features.add("norm0", BatchNorm2D(64));
    features.add("relu0", ReLU());
    features.add("pool0", MaxPool2D({.kernel = 3, .stride = 2, .padding = 1}));
    const i64 channels = addBlocks(features, 64, dense);
    return headed(std::move(features), channels, options.classes);
  });
}

Sequential cifarDensenet(int depth, i64 growth, const CifarDenseNetOptions& options) {
  if (depth < 10 || (depth - 4) % 6 != 0)
    throw ValueError("cifarDensenet", "there is no depth " + std::to_string(depth), {}, "use 6n + 4: 40, 100, 190");
  if (growth < 1) throw ValueError("cifarDensenet", "growth is " + std::to_string(growth), {}, "use 1 or more");
  if (!(options.compression > 0 && options.compression <= 1)) {
    throw ValueError("cifarDensenet", "compression is " + Value(options.compression).dump(), {},
                     "use a share above 0, 1 at most");
  }
  const i64 layers = (depth - 4) / 6, first = checkedMul(2, growth);
  const Dense dense{{layers, layers, layers}, growth, options.compression, options.dropout};
  return started(start, [&] {
    Sequential features;
    features.add("conv0", Conv2D(options.channels, first, {.kernel = 3, .padding = 1, .bias = false}));
    const i64 channels = addBlocks(features, first, dense);
    return headed(std::move(features), channels, options.classes);
  });
}

}  // namespace ember::nn::models
