#pragma once
#include <ember/ember.h>

/// DESIGN's module of one's own, as it stands there.
struct Residual : ember::nn::Module {
  explicit Residual(int width) : channels(width) {}
  int channels;
  ember::nn::Conv2D& conv1 =
      add("conv1", ember::nn::Conv2D(channels, channels, {.kernel = 3, .padding = 1, .bias = false}));
  ember::nn::BatchNorm2D& norm1 = add("norm1", ember::nn::BatchNorm2D(channels, {.act = ember::nn::Act::ReLU}));
  ember::nn::Conv2D& conv2 =
      add("conv2", ember::nn::Conv2D(channels, channels, {.kernel = 3, .padding = 1, .bias = false}));
  ember::nn::BatchNorm2D& norm2 = add("norm2", ember::nn::BatchNorm2D(channels));
  ember::Tensor forward(const ember::Tensor& x) override { return relu(norm2(conv2(norm1(conv1(x)))) + x); }
};
