#include <ember/nn/models/ResNet.h>

#include <array>
#include <string>

#include <ember/core/Error.h>
#include <ember/nn/layers/Activations.h>
#include <ember/nn/layers/Linear.h>
#include <ember/nn/layers/PoolND.h>
#include <ember/nn/models/Blocks.h>
#include <ember/nn/models/Start.h>

namespace ember::nn::models {
namespace {

Conv2D stem(i64 in, i64 out) { return Conv2D(in, out, {.kernel = 3, .padding = 1, .bias = false}); }

/// Blocks of one stage, make(in, out, stride): the first changes the channels and has the stride.
template <class Make>
Sequential stage(i64 blocks, i64 in, i64 out, i64 stride, Make&& make) {
  Sequential layers;
  for (i64 i = 0; i < blocks; ++i) layers.append(make(i == 0 ? in : out, out, i == 0 ? stride : 1));
  return layers;
}

[[noreturn]] void refuseDepth(const char* net, int depth, const char* help) {
  throw ValueError(net, "there is no depth " + std::to_string(depth), {}, help);
}

std::array<i64, 4> blocksOf(int depth) {
  if (depth == 18) return {2, 2, 2, 2};
  if (depth == 34 || depth == 50) return {3, 4, 6, 3};
  if (depth == 101) return {3, 4, 23, 3};
  if (depth == 152) return {3, 8, 36, 3};
  refuseDepth("resnet", depth, "use 18, 34, 50, 101 or 152");
}

}  // namespace

Sequential resnet(int depth, const ResNetOptions& options) {
  const std::array<i64, 4> blocks = blocksOf(depth);
  const bool bottleneck = depth >= 50;
  if (options.widthFactor < 1 || (options.widthFactor != 1 && !bottleneck)) {
    throw ValueError("resnet",
                     "widthFactor is " + std::to_string(options.widthFactor) + " at depth " + std::to_string(depth), {},
                     "use 1, or more from depth 50 on");
  }
  return started({}, [&] {
    Sequential net;
    net.add("conv1", Conv2D(options.channels, 64, {.kernel = 7, .stride = 2, .padding = 3, .bias = false}));
    net.add("bn1", BatchNorm2D(64));
    net.add("relu", ReLU());
    net.add("maxpool", MaxPool2D({.kernel = 3, .stride = 2, .padding = 1}));
    i64 in = 64, width = 64;
    for (std::size_t i = 0; i < blocks.size(); ++i, width *= 2) {
      const std::string name = "layer" + std::to_string(i + 1);
      const i64 stride = i == 0 ? 1 : 2, out = bottleneck ? 4 * width : width;
      if (bottleneck) {
        const i64 inner = checkedMul(width, options.widthFactor);
        net.add(name, stage(blocks[i], in, out, stride,
                            [&](i64 from, i64 to, i64 s) { return Bottleneck(from, inner, to, s); }));
      } else {
        net.add(name,
                stage(blocks[i], in, out, stride, [](i64 from, i64 to, i64 s) { return BasicBlock(from, to, s); }));
      }
      in = out;
    }
    net.add("avgpool", GlobalAvgPool());
    net.add("fc", Linear(in, options.classes));
    return net;
  });
}

Sequential cifarResnet(int depth, const CifarResNetOptions& options) {
  if (depth < 8 || (depth - 2) % 6 != 0) refuseDepth("cifarResnet", depth, "use 6n + 2: 20, 32, 44, 56, 110");
  const Shortcut shortcut = options.projection ? Shortcut::Projection : Shortcut::Pad;
  return started({}, [&] {
    Sequential net;
    net.add("conv1", stem(options.channels, 16));
    net.add("bn1", BatchNorm2D(16));
    net.add("relu", ReLU());
    i64 in = 16, out = 16;
    for (const char* name : {"layer1", "layer2", "layer3"}) {
      net.add(name, stage((depth - 2) / 6, in, out, in == out ? 1 : 2,
                          [&](i64 from, i64 to, i64 s) { return BasicBlock(from, to, s, shortcut); }));
      in = out;
      out *= 2;
    }
    net.add("avgpool", GlobalAvgPool());
    net.add("linear", Linear(in, options.classes));
    return net;
  });
}

Sequential wideResnet(int depth, i64 widen, const WideResNetOptions& options) {
  if (depth < 10 || (depth - 4) % 6 != 0) refuseDepth("wideResnet", depth, "use 6n + 4: 16, 22, 28, 40");
  if (widen < 1)
    throw ValueError("wideResnet", "the factor of the width is " + std::to_string(widen), {}, "use 1 or more");
  return started({.zeroBiases = true}, [&] {
    Sequential net;
    net.add("conv1", stem(options.channels, 16));
    i64 in = 16, out = checkedMul(16, widen), stride = 1;
    for (const char* name : {"block1", "block2", "block3"}) {
      net.add(name, Sequential()).add("layer", stage((depth - 4) / 6, in, out, stride, [&](i64 from, i64 to, i64 s) {
                                        return WideBlock(from, to, s, options.dropout);
                                      }));
      in = out;
      out = checkedMul(out, 2);
      stride = 2;
    }
    net.add("bn1", BatchNorm2D(in));
    net.add("relu", ReLU());
    net.add("avgpool", GlobalAvgPool());
    net.add("fc", Linear(in, options.classes));
    return net;
  });
}

}  // namespace ember::nn::models
