#include <ember/nn/models/Autoencoder.h>

#include <string>

#include <ember/core/Error.h>
#include <ember/nn/layers/Layers.h>

namespace ember::nn::models {

Sequential autoencoder(const AutoencoderOptions& options) {
  if (options.levels < 1 || options.levels > 24 || options.width < 1) {
    throw ValueError("autoencoder",
                     std::to_string(options.levels) + " levels of width " + std::to_string(options.width), {},
                     "use 1 level or more (24 at most), and a width of 1 or more");
  }
  Sequential encoder, decoder;
  i64 in = options.channels, out = options.width;
  for (int i = 0; i < options.levels; ++i, in = out, out = checkedMul(out, 2)) {
    encoder.append(Conv2D(in, out, {.kernel = 3, .stride = 2, .padding = 1, .bias = false}));
    encoder.append(BatchNorm2D(out));
    encoder.append(ReLU());
  }
  for (int i = 1; i <= options.levels; ++i, in = out) {
    const bool last = i == options.levels;
    out = last ? options.channels : in / 2;
    decoder.append(
        ConvTranspose2D(in, out, {.kernel = 3, .stride = 2, .padding = 1, .outputPadding = 1, .bias = last}));
    if (last) break;
    decoder.append(BatchNorm2D(out));
    decoder.append(ReLU());
  }
  if (options.sigmoid) decoder.append(Sigmoid());
  Sequential net;
  net.add("encoder", std::move(encoder));
  net.add("decoder", std::move(decoder));
  return net;
}

}  // namespace ember::nn::models
