#pragma once
#include <ember/ember.h>

/// Nets on which tests of modules try things.
namespace ember::test {

/// As a user writes one: DESIGN's block with a parameter and a buffer of its own.
struct Scaled : nn::Module {
  explicit Scaled(int width) : channels(width) {}
  int channels;
  nn::Conv2D& conv = add("conv", nn::Conv2D(channels, channels, {.kernel = 3, .padding = 1, .bias = false}));
  nn::BatchNorm2D& norm = add("norm", nn::BatchNorm2D(channels));
  Tensor scale = addParameter("scale", Tensor::full({1}, 0.5));
  Tensor seen = addBuffer("seen", Tensor::zeros({}, DType::I64));
  Tensor forward(const Tensor& x) override { return scale * norm(conv(x)) + x; }
};

/// Of all kinds of state: parameters, buffers, a random stream. Takes [N, 1, 4, 4].
inline nn::Sequential smallNet() {
  return nn::Sequential(nn::Conv2D(1, 2, {.kernel = 3, .padding = 1}), nn::BatchNorm2D(2), nn::Dropout(0.5),
                        nn::Flatten(), nn::Linear(2 * 4 * 4, 3));
}

}  // namespace ember::test
