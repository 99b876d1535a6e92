#pragma once
#include <memory>
#include <string_view>

#include <ember/ember.h>

/// Two convolutions with a shortcut around them (He et al. 2016, arXiv:1512.03385), for [N, in, H, W] -> [N, out,
/// H/stride, W/stride].
struct Residual : ember::nn::Module {
  using Module::forward;
  Residual(ember::i64 inChannels, ember::i64 outChannels, ember::i64 step)
      : in(inChannels), out(outChannels), stride(step) {}

  ember::i64 in, out, stride;
  ember::nn::Conv2D& conv1 =
      add("conv1", ember::nn::Conv2D(in, out, {.kernel = 3, .stride = stride, .padding = 1, .bias = false}));
  ember::nn::BatchNorm2D& norm1 = add("norm1", ember::nn::BatchNorm2D(out, {.act = ember::nn::Act::ReLU}));
  ember::nn::Conv2D& conv2 = add("conv2", ember::nn::Conv2D(out, out, {.kernel = 3, .padding = 1, .bias = false}));
  ember::nn::BatchNorm2D& norm2 = add("norm2", ember::nn::BatchNorm2D(out));
  ember::nn::Module& shortcut = addChild("shortcut", makeShortcut());

  ember::Tensor forward(const ember::Tensor& x) override { return relu(norm2(conv2(norm1(conv1(x)))) + shortcut(x)); }
  ember::nn::Args args() const override { return {{"in", in}, {"out", out}, {"stride", stride}}; }
  std::string details() const override { return fmt::format("{} -> {}, stride {}", in, out, stride); }

 private:
  /// The input itself where the shapes allow it, else a 1x1 convolution.
  std::unique_ptr<ember::nn::Module> makeShortcut() const;
};

/// The net of that name in recipes(), for [N, 1, 28, 28] -> [N, 10].
std::unique_ptr<ember::nn::Module> makeModel(std::string_view name);
