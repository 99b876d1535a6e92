// A first net: trained on Fashion-MNIST for three epochs, tested after each, saved as net.json.
#include <ember/ember.h>
using namespace ember;

int main() {
  auto train = data::fashionMnist("train");
  auto test = data::fashionMnist("test");

  nn::Sequential net(
      nn::Conv2D(1, 32, {.kernel = 3, .padding = 1, .bias = false}),
      nn::BatchNorm2D(32),
      nn::ReLU(),
      nn::MaxPool2D({.kernel = 2}),
      nn::Flatten(),
      nn::Linear(32 * 14 * 14, 10));

  optim::SGD sgd(net.namedParameters(), {.lr = 0.1, .momentum = 0.9});
  for (int epoch = 0; epoch < 3; ++epoch) {
    for (auto [images, labels] : data::Loader(train, {.batchSize = 128, .shuffle = true, .epoch = epoch})) {
      Tensor loss = nn::crossEntropy(net(images), labels);
      sgd.zeroGrad();
      loss.backward();
      sgd.step();
    }
    fmt::print("epoch {}: {:.2f} % of the test images\n", epoch, 100 * optim::accuracy(net, test));
  }
  save("net.json", net);
}
