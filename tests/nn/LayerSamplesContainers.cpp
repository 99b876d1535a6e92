// Containers other than Sequential, and the blocks of nn/models.
#include <ember/nn/layers/Layers.h>
#include <ember/nn/models/Blocks.h>
#include <ember/nn/models/MobileNetV2.h>

#include "nn/LayerSamples.h"

namespace ember::test {
namespace {

nn::Parallel branches(nn::Join join, int axis = 1) {
  return nn::Parallel({.join = join, .axis = axis}, nn::Linear(3, 2), nn::Sequential(nn::Linear(3, 2), nn::Tanh()));
}

template <class Make>
LayerSample built(std::string name, Make make, const std::vector<Shape>& inputs, const std::optional<Shape>& wrong) {
  return {std::move(name), [=] { return std::make_unique<decltype(make())>(make()); }, inputs[0], wrong,
          {inputs.begin() + 1, inputs.end()}};
}

template <class M, class... A>
LayerSample block(std::string name, const Shape& input, A... arguments) {
  Shape wrong = input;
  wrong[1] = input[1] + 1;
  return {std::move(name), [=] { return std::make_unique<M>(arguments...); }, input, wrong};
}

nn::Graph residual() {
  nn::Graph net;
  net.output({"norm"});
  net.add("norm", nn::BatchNorm2D(2, {.act = Act::LeakyReLU, .slope = 0.1}), {"conv2", "x"});
  net.add("conv2", nn::Conv2D(3, 2, {.kernel = 3, .padding = 1}), {"act"});
  net.add("act", nn::LeakyReLU(0.1), {"conv1"});
  net.add("conv1", nn::Conv2D(2, 3, {.kernel = 1}), {"x"});
  net.input("x");
  return net;
}

nn::Graph manyToMany() {
  nn::Graph net;
  net.input("a").input("b");
  net.add("split", nn::Split({.parts = 2}), {"a"});
  net.add("join", nn::Concat(), {"split:1", "b", "split:0"});
  net.add("fc", nn::Linear(5, 2), {"join"});
  net.add("product", nn::Mul(), {"split"});
  net.output({"fc", "product", "b"});
  return net;
}

}  // namespace

LayerRows containerSamples() {
  const std::map<LayerCheck, std::string> composed = {
      {LayerCheck::Golden, "it has no numbers of its own; its tests compare it with the same written out"}};
  const std::map<LayerCheck, std::string> inNets = {
      {LayerCheck::Golden, "tests/nn/ModelsTest.cpp compares the nets that consist of it with torchvision's"}};
  const Shape pictures{2, 2, 5, 4};
  using Block = nn::BasicBlock;
  return {
      {"BasicBlock",
       {{block<Block>("the same shape", pictures, 2, 2), block<Block>("projection", pictures, 2, 4, 2),
         block<Block>("padded shortcut", pictures, 2, 4, 2, nn::Shortcut::Pad)},
        inNets}},
      {"Bottleneck",
       {{block<nn::Bottleneck>("the same shape", pictures, 2, 1, 2),
         block<nn::Bottleneck>("projection", pictures, 2, 2, 4, 2)},
        inNets}},
      {"WideBlock",
       {{block<nn::WideBlock>("the same shape", pictures, 2, 2),
         block<nn::WideBlock>("shortcut, dropout", pictures, 2, 3, 2, 0.3)},
        {{LayerCheck::Golden, "torchvision has none; its test in tests/nn/ModelsTest.cpp writes it out in ops"}}}},
      {"DenseLayer",
       {{block<nn::DenseLayer>("plain", pictures, 2, 2),
         block<nn::DenseLayer>("narrow neck, dropout", pictures, 2, 1, 2, 0.3)},
        inNets}},
      {"InvertedResidual",
       {{block<nn::InvertedResidual>("the same shape", pictures, 2, 2, 1, 2),
         // Its first convolution has groups, for which other channels are a ValueError.
         built("stride, nothing to expand", [] { return nn::InvertedResidual(2, 3, 2, 1); }, {pictures}, Shape{2, 2})},
        inNets}},
      {"Parallel",
       {{built("a list", [] { return branches(nn::Join::List); }, {{4, 3}}, Shape{4, 2}),
         built("one input each", [] { return branches(nn::Join::Concat, 0); }, {{4, 3}, {2, 3}}, Shape{4, 2}),
         built("sum", [] { return branches(nn::Join::Add); }, {{4, 3}}, Shape{4, 2}),
         built("product", [] { return branches(nn::Join::Mul); }, {{4, 3}}, Shape{4, 2})},
        composed}},
      {"Graph",
       {{built("residual block, added backwards", residual, {{2, 2, 3, 3}}, Shape{2, 3, 3, 3}),
         built("two inputs, three outputs", manyToMany, {{3, 4}, {3, 1}}, Shape{3, 5})},
        composed}},
  };
}

}  // namespace ember::test
