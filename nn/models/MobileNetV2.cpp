#include <ember/nn/models/MobileNetV2.h>

#include <algorithm>
#include <cmath>

#include <ember/autograd/ops/Arithmetic.h>
#include <ember/core/Error.h>
#include <ember/nn/layers/Layers.h>
#include <ember/nn/models/Start.h>

namespace ember::nn {
namespace {

/// Convolution, norm, ReLU6: [N, in, H, W] -> [N, out, H/stride, W/stride].
Sequential convNorm(i64 in, i64 out, i64 kernel, i64 stride = 1, i64 groups = 1) {
  return Sequential(Conv2D(in, out,
                           {.kernel = kernel,
                            .stride = stride,
                            .padding = (kernel - 1) / 2,
                            .groups = groups,
                            .bias = false}),
                    BatchNorm2D(out), ReLU6());
}

Sequential inverted(i64 in, i64 out, i64 stride, i64 expand) {
  if (stride != 1 && stride != 2)
    throw ValueError("InvertedResidual", "stride is " + std::to_string(stride), {}, "use 1 or 2");
  const i64 hidden = checkedMul(in, expand);
  Sequential layers;
  if (expand != 1) layers.append(convNorm(in, hidden, 1));
  layers.append(convNorm(hidden, hidden, 3, stride, hidden));
  layers.append(Conv2D(hidden, out, {.bias = false}));
  layers.append(BatchNorm2D(out));
  return layers;
}

}  // namespace

InvertedResidual::InvertedResidual(i64 in, i64 out, i64 stride, i64 expand)
    : in_(in), out_(out), stride_(stride), expand_(expand), conv_(add("conv", inverted(in, out, stride, expand))) {}

Tensor InvertedResidual::forward(const Tensor& x) {
  if (in_ == out_ && stride_ == 1) return conv_(x) + x;
  return conv_(x);
}

InvertedResidual InvertedResidual::fromArgs(const Args& a) {
  return InvertedResidual(a.get<i64>("in"), a.get<i64>("out"), a.get<i64>("stride"), a.get<i64>("expand"));
}

std::string InvertedResidual::details() const {
  return std::to_string(in_) + " -> " + std::to_string(out_) + ", expand " + std::to_string(expand_) +
         (stride_ == 1 ? "" : ", stride 2");
}

namespace models {
namespace {

/// The nearest multiple of 8, never below nine tenths of the number.
i64 roundedTo8(double channels) {
  const i64 rounded = std::max<i64>(8, static_cast<i64>(channels + 4) / 8 * 8);
  return static_cast<double>(rounded) < 0.9 * channels ? rounded + 8 : rounded;
}

struct Stage {
  i64 expand, channels, blocks, stride;
};
constexpr Stage stages[] = {{1, 16, 1, 1},  {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                            {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};

}  // namespace

Sequential mobileNetV2(const MobileNetV2Options& options) {
  if (!(options.width > 0) || options.width > 1e6)
    throw ValueError("mobileNetV2", "width is " + Value(options.width).dump(), {}, "use a factor above 0: 0.5, 1, 1.4");
  return started({.linearStd = 0.01, .zeroBiases = true}, [&] {
    i64 in = roundedTo8(32 * options.width);
    const i64 last = roundedTo8(1280 * std::max(1.0, options.width));
    Sequential features;
    features.append(convNorm(options.channels, in, 3, 2));
    for (const Stage& stage : stages) {
      const i64 out = roundedTo8(static_cast<double>(stage.channels) * options.width);
      for (i64 i = 0; i < stage.blocks; ++i, in = out)
        features.append(InvertedResidual(in, out, i == 0 ? stage.stride : 1, stage.expand));
    }
    features.append(convNorm(in, last, 1));
    Sequential net;
    net.add("features", std::move(features));
    net.add("avgpool", GlobalAvgPool());
    net.add("classifier", Sequential(Dropout(options.dropout), Linear(last, options.classes)));
    return net;
  });
}

}  // namespace models
}  // namespace ember::nn
