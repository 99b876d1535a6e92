// The net of examples/quickstart.cpp in libtorch, for tests/bench/compile_time/run: only its compile time is of
// interest.
#include <torch/torch.h>

int main() {
  auto train = torch::data::datasets::MNIST("fashion")
                   .map(torch::data::transforms::Normalize<>(0.2860, 0.3530))
                   .map(torch::data::transforms::Stack<>());
  auto test = torch::data::datasets::MNIST("fashion", torch::data::datasets::MNIST::Mode::kTest)
                  .map(torch::data::transforms::Normalize<>(0.2860, 0.3530)).map(torch::data::transforms::Stack<>());

  torch::nn::Sequential net(
      torch::nn::Conv2d(torch::nn::Conv2dOptions(1, 32, 3).padding(1).bias(false)),
      torch::nn::BatchNorm2d(32),
      torch::nn::ReLU(),
      torch::nn::MaxPool2d(2),
      torch::nn::Flatten(),
      torch::nn::Linear(32 * 14 * 14, 10));

  torch::optim::SGD sgd(net->parameters(), torch::optim::SGDOptions(0.1).momentum(0.9));
  auto loader = torch::data::make_data_loader<torch::data::samplers::RandomSampler>(std::move(train), 128);
  auto testLoader = torch::data::make_data_loader<torch::data::samplers::SequentialSampler>(std::move(test), 256);
  for (int epoch = 0; epoch < 3; ++epoch) {
    net->train();
    for (auto& batch : *loader) {
      auto loss = torch::nn::functional::cross_entropy(net->forward(batch.data), batch.target);
      sgd.zero_grad();
      loss.backward();
      sgd.step();
    }
    net->eval();
    torch::NoGradGuard guard;
    int64_t correct = 0, count = 0;
    for (auto& batch : *testLoader) {
      correct += net->forward(batch.data).argmax(1).eq(batch.target).sum().item<int64_t>();
      count += batch.target.size(0);
    }
    std::printf("epoch %d: %.2f %% of the test images\n", epoch, 100.0 * correct / count);
  }
  torch::save(net, "net.pt");
}
