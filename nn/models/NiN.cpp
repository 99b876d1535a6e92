#include <ember/nn/models/NiN.h>

#include <ember/nn/layers/Activations.h>
#include <ember/nn/layers/ConvND.h>
#include <ember/nn/layers/Dropout.h>
#include <ember/nn/layers/PoolND.h>
#include <ember/nn/models/Start.h>

namespace ember::nn::models {

Sequential nin(const NiNOptions& options) {
  return started({.fan = init::Fan::In}, [&] {
    Sequential net;
    i64 in = options.channels;
    const auto convolution = [&](i64 out, i64 kernel) {
      net.append(Conv2D(in, out, {.kernel = kernel, .padding = kernel / 2}));
      net.append(ReLU());
      in = out;
    };
    convolution(192, 5);
    convolution(160, 1);
    convolution(96, 1);
    net.append(MaxPool2D({.kernel = 3, .stride = 2, .padding = 1}));
    net.append(Dropout(options.dropout));
    convolution(192, 5);
    convolution(192, 1);
    convolution(192, 1);
    net.append(AvgPool2D({.kernel = 3, .stride = 2, .padding = 1}));
    net.append(Dropout(options.dropout));
    convolution(192, 3);
    convolution(192, 1);
    convolution(options.classes, 1);
    net.append(GlobalAvgPool());
    return net;
  });
}

}  // namespace ember::nn::models
