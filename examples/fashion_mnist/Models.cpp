#include "Models.h"

using namespace ember;

namespace {

/// A 3x3 convolution that keeps the size, then batch norm and ReLU.
nn::Sequential convNorm(i64 in, i64 out) {
  return nn::Sequential(nn::Conv2D(in, out, {.kernel = 3, .padding = 1, .bias = false}),
                        nn::BatchNorm2D(out, {.act = nn::Act::ReLU}));
}

/// Two convolutions and a brake: [N, in, H, W] -> [N, out, H/2, W/2].
nn::Sequential block(i64 in, i64 out) {
  return nn::Sequential(convNorm(in, out), convNorm(out, out), nn::MaxPool2D({.kernel = 2}));
}

nn::Sequential smallNet() {
  return nn::Sequential(
      nn::Conv2D(1, 8, {.kernel = 3, .padding = 1}), nn::ReLU(), nn::MaxPool2D({.kernel = 2}),   // 14x14
      nn::Conv2D(8, 16, {.kernel = 3, .padding = 1}), nn::ReLU(), nn::MaxPool2D({.kernel = 2}),  // 7x7
      nn::Flatten(), nn::Linear(16 * 7 * 7, 10));
}

nn::Sequential normNet() {
  return nn::Sequential(block(1, 32), block(32, 64), block(64, 128), nn::GlobalAvgPool(), nn::Linear(128, 10));
}

nn::Sequential residualNet() {
  return nn::Sequential(
      convNorm(1, 32), convNorm(32, 64), nn::MaxPool2D({.kernel = 2}),                             // 28x28
      nn::BasicBlock(64, 64), convNorm(64, 128), nn::MaxPool2D({.kernel = 2}),                     // 14x14
      nn::BasicBlock(128, 128), convNorm(128, 256), nn::MaxPool2D({.kernel = 2}),                  // 7x7
      nn::BasicBlock(256, 256), nn::GlobalAvgPool(), nn::Linear(256, 10));                         // 3x3
}

}  // namespace

std::unique_ptr<nn::Module> makeModel(std::string_view name) {
  if (name == "small") return std::make_unique<nn::Sequential>(smallNet());
  if (name == "bn") return std::make_unique<nn::Sequential>(normNet());
  if (name == "resnet") return std::make_unique<nn::Sequential>(residualNet());
  throw ValueError("makeModel", fmt::format("there is no model \"{}\"", name));
}
