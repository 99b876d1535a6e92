#include <ember/nn/models/UNet.h>

#include <string>

#include <ember/core/Error.h>
#include <ember/nn/layers/Layers.h>

namespace ember::nn::models {
namespace {

/// Two convolutions of 3x3; `word` begins the names of the layers.
Sequential twice(const std::string& word, i64 in, i64 out, bool batchNorm) {
  Sequential layers;
  for (const char* number : {"1", "2"}) {
    layers.add(word + "conv" + number, Conv2D(in, out, {.kernel = 3, .padding = 1, .bias = !batchNorm}));
    if (batchNorm) layers.add(word + "norm" + number, BatchNorm2D(out));
    layers.add(word + "relu" + number, ReLU());
    in = out;
  }
  return layers;
}

}  // namespace

Graph unet(const UNetOptions& options) {
  if (options.levels < 1 || options.levels > 24 || options.width < 1) {
    throw ValueError("unet",
                     std::to_string(options.levels) + " levels of width " + std::to_string(options.width), {},
                     "use 1 level or more (24 at most), and a width of 1 or more");
  }
  Graph net;
  net.input("x");
  std::string last = "x";
  i64 in = options.channels, out = options.width;
  for (int i = 1; i <= options.levels; ++i, in = out, out = checkedMul(out, 2)) {
    const std::string number = std::to_string(i);
    net.add("encoder" + number, twice("enc" + number, in, out, options.batchNorm), {last});
    last = "pool" + number;
    net.add(last, MaxPool2D(), {"encoder" + number});
  }
  net.add("bottleneck", twice("bottleneck", in, out, options.batchNorm), {last});
  last = "bottleneck";
  for (int i = options.levels; i >= 1; --i) {
    const std::string number = std::to_string(i);
    out /= 2;
    net.add("upconv" + number, ConvTranspose2D(2 * out, out, {.kernel = 2, .stride = 2}), {last});
    net.add("join" + number, Concat(), {"upconv" + number, "encoder" + number});
    last = "decoder" + number;
    net.add(last, twice("dec" + number, 2 * out, out, options.batchNorm), {"join" + number});
  }
  net.add("conv", Conv2D(options.width, options.classes), {last});
  net.output({"conv"});
  return net;
}

}  // namespace ember::nn::models
