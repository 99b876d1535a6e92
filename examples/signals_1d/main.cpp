// Tells noisy signals apart by their modulation, with a 1-D CNN and batch norm; a seed makes the data.
//
// test: --samples 400 --epochs 2 --threads 1 --save net.json
// test: --samples 8 --epochs 1 --seed 7 --threads 1 --save other.json --profile
// test: --samples 8 --epochs 1 --seed 7 --threads 1 --resume other.json
// test: --help
#include "Signals.h"
#include "support/Classify.h"
#include "support/Console.h"

using namespace ember;

namespace {

/// A convolution over `kernel` points, then batch norm and ReLU: [N, in, L] -> [N, out, L/stride].
nn::Sequential convNorm(i64 in, i64 out, i64 kernel, i64 stride) {
  return nn::Sequential(nn::Conv1D(in, out, {.kernel = kernel, .stride = stride, .padding = kernel / 2, .bias = false}),
                        nn::BatchNorm1D(out, {.act = nn::Act::ReLU}));
}

nn::Sequential makeNet(i64 classes) {
  return nn::Sequential(nn::BatchNorm1D(1),                                 // brings loud and quiet data to one scale
                        convNorm(1, 32, 9, 2), convNorm(32, 64, 5, 1),      // 128 points
                        convNorm(64, 64, 5, 2), convNorm(64, 64, 5, 1),     // 64
                        convNorm(64, 128, 5, 2), convNorm(128, 128, 5, 1),  // 32
                        nn::GlobalAvgPool(), nn::Linear(128, classes));
}

void showOneOfEach(const data::TensorDataset& signals) {
  const std::vector<std::string> names = signals.classNames();
  const std::vector<float> numbers = signals.images().slice(0, 0, std::ssize(names)).toVector<float>();
  for (std::size_t c = 0; c < names.size(); ++c) {
    const float* signal = &numbers[c * static_cast<std::size_t>(signalLength)];  // labels go 0, 1, 2, ...
    console::print("{}\n{}", names[c], drawSignal(signal, 3));
  }
  console::print("\n");
}

}  // namespace

int main(int argc, char** argv) {
  const Defaults defaults{.samples = 6000, .epochs = 12, .save = "signals_1d.json"};
  int exitCode = 0;
  const auto options =
      parseOptions(argc, argv, "signals_1d", "Tells noisy signals apart with a 1-D CNN.", defaults, exitCode);
  if (!options) return exitCode;
  return runProgram(*options, defaults, [](const Plan& plan) {
    const auto train = makeSignals(plan.seed, "train", plan.samples);
    const auto test = makeSignals(plan.seed, "test", plan.samples / 4);
    showOneOfEach(train);
    nn::Sequential net = makeNet(static_cast<i64>(train.classNames().size()));
    return classify(net, train, test, 0.1, plan);
  });
}
