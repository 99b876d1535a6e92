#include <ember/nn/models/DCGAN.h>

#include <ember/nn/Init.h>
#include <ember/nn/layers/Layers.h>

namespace ember::nn::models {
namespace {

BatchNorm2D norm(i64 channels) { return BatchNorm2D(channels, {.sscale = 0.02}); }

Sequential named(Sequential main) {
  for (const Parameter& p : main.namedParameters()) {
    Tensor weight = p.tensor;
    if (weight.rank() == 4) init::normal_(weight, 0, 0.02);
  }
  Sequential net;
  net.add("main", std::move(main));
  return net;
}

}  // namespace

Sequential dcganGenerator(const DCGANOptions& options) {
  Sequential main;
  i64 in = options.latent, out = checkedMul(8, options.width);
  for (int i = 0; i < 4; ++i, in = out, out /= 2) {
    const i64 stride = i == 0 ? 1 : 2, padding = i == 0 ? 0 : 1;
    main.append(ConvTranspose2D(in, out, {.kernel = 4, .stride = stride, .padding = padding, .bias = false}));
    main.append(norm(out));
    main.append(ReLU());
  }
  main.append(ConvTranspose2D(in, options.channels, {.kernel = 4, .stride = 2, .padding = 1, .bias = false}));
  main.append(Tanh());
  return named(std::move(main));
}

Sequential dcganDiscriminator(const DCGANOptions& options) {
  Sequential main;
  i64 in = options.channels, out = options.width;
  for (int i = 0; i < 4; ++i, in = out, out = checkedMul(out, 2)) {
    main.append(Conv2D(in, out, {.kernel = 4, .stride = 2, .padding = 1, .bias = false}));
    if (i > 0) main.append(norm(out));
    main.append(LeakyReLU(0.2));
  }
  main.append(Conv2D(in, 1, {.kernel = 4, .bias = false}));
  if (options.sigmoid) main.append(Sigmoid());
  Sequential net = named(std::move(main));
  net.add("flatten", Flatten());
  return net;
}

}  // namespace ember::nn::models
