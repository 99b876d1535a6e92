#include <ember/nn/models/VGG.h>

#include <array>
#include <string>

#include <ember/core/Error.h>
#include <ember/nn/layers/Layers.h>
#include <ember/nn/models/Start.h>

namespace ember::nn::models {
namespace {

/// Convolutions in each of the five blocks.
std::array<int, 5> blocksOf(int depth) {
  if (depth == 11) return {1, 1, 2, 2, 2};
  if (depth == 13) return {2, 2, 2, 2, 2};
  if (depth == 16) return {2, 2, 3, 3, 3};
  if (depth == 19) return {2, 2, 4, 4, 4};
  throw ValueError("vgg", "there is no depth " + std::to_string(depth), {}, "use 11, 13, 16 or 19");
}

}  // namespace

Sequential vgg(int depth, const VGGOptions& options) {
  const std::array<int, 5> blocks = blocksOf(depth);
  return started({.linearStd = 0.01, .zeroBiases = true}, [&] {
    Sequential features;
    i64 in = options.channels, out = 64;
    for (const int count : blocks) {
      for (int i = 0; i < count; ++i, in = out) {
        features.append(Conv2D(in, out, {.kernel = 3, .padding = 1}));
        if (options.batchNorm) features.append(BatchNorm2D(out));
        features.append(ReLU());
      }
      features.append(MaxPool2D());
      if (out < 512) out *= 2;
    }
    Sequential net;
    net.add("features", std::move(features));
    net.add("avgpool", AdaptiveAvgPool2D(7));
    net.add("flatten", Flatten());
    net.add("classifier",
            Sequential(Linear(512 * 7 * 7, 4096), ReLU(), Dropout(options.dropout), Linear(4096, 4096), ReLU(),
                       Dropout(options.dropout), Linear(4096, options.classes)));
    return net;
  });
}

}  // namespace ember::nn::models
