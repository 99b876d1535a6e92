#include <ember/nn/models/LeNet.h>

#include <ember/nn/layers/Activations.h>
#include <ember/nn/layers/ConvND.h>
#include <ember/nn/layers/Flatten.h>
#include <ember/nn/layers/Linear.h>
#include <ember/nn/layers/PoolND.h>

namespace ember::nn::models {

Sequential lenet(const LeNetOptions& options) {
  Sequential net;
  const auto activation = [&] {
    if (options.relu)
      net.append(ReLU());
    else
      net.append(Tanh());
  };
  const auto convolution = [&](i64 in, i64 out, i64 padding) {
    net.append(Conv2D(in, out, {.kernel = 5, .padding = padding}));
    activation();
    if (options.relu)
      net.append(MaxPool2D());
    else
      net.append(AvgPool2D());
  };
  convolution(options.channels, 6, options.padding);
  convolution(6, 16, 0);
  net.append(Flatten());
  net.append(Linear(16 * 5 * 5, 120));
  activation();
  net.append(Linear(120, 84));
  activation();
  net.append(Linear(84, options.classes));
  return net;
}

}  // namespace ember::nn::models
