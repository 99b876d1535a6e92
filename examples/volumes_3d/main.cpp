// Tells solids in noisy voxels apart, with a 3-D CNN and batch norm; a seed makes the data.
//
// test: --samples 60 --epochs 1 --threads 1 --save net.json
// test: --samples 8 --epochs 1 --seed 7 --threads 1 --save other.json --profile
// test: --samples 8 --epochs 1 --seed 7 --threads 1 --resume other.json
// test: --help
#include "Volumes.h"
#include "support/Classify.h"
#include "support/Console.h"

using namespace ember;

namespace {

/// A 3x3x3 convolution, then batch norm and ReLU: [N, in, D, H, W] -> [N, out, D, H, W].
nn::Sequential convNorm(i64 in, i64 out) {
  return nn::Sequential(nn::Conv3D(in, out, {.kernel = 3, .padding = 1, .bias = false}),
                        nn::BatchNorm3D(out, {.act = nn::Act::ReLU}));
}

nn::Sequential makeNet(i64 classes) {
  return nn::Sequential(convNorm(1, 16), nn::MaxPool3D({.kernel = 2}),                     // 8 x 8 x 8
                        convNorm(16, 32), convNorm(32, 32), nn::MaxPool3D({.kernel = 2}),  // 4 x 4 x 4
                        convNorm(32, 64), convNorm(64, 64),                                //
                        nn::GlobalAvgPool(), nn::Linear(64, classes));
}

/// One volume of each class, three side by side.
void showOneOfEach(const data::TensorDataset& volumes) {
  const std::vector<std::string> names = volumes.classNames();
  const std::vector<float> voxels = volumes.images().slice(0, 0, std::ssize(names)).toVector<float>();
  for (std::size_t first = 0; first < names.size(); first += 3) {
    std::vector<std::string> lines(volumeSide / 2 + 1);
    for (std::size_t c = first; c < std::min(first + 3, names.size()); ++c) {
      lines[0] += fmt::format("  {:{}}", names[c], volumeSide);
      const auto picture = drawVolume(&voxels[c * voxels.size() / names.size()]);  // labels go 0, 1, 2, ...
      for (std::size_t i = 0; i < picture.size(); ++i) lines[i + 1] += "  " + picture[i];
    }
    for (const std::string& line : lines) console::print("{}\n", line);
  }
  console::print("\n");
}

}  // namespace

int main(int argc, char** argv) {
  const Defaults defaults{.samples = 4000, .epochs = 10, .save = "volumes_3d.json"};
  int exitCode = 0;
  const auto options =
      parseOptions(argc, argv, "volumes_3d", "Tells solids in noisy voxels apart with a 3-D CNN.", defaults, exitCode);
  if (!options) return exitCode;
  return runProgram(*options, defaults, [](const Plan& plan) {
    const auto train = makeVolumes(plan.seed, "train", plan.samples);
    const auto test = makeVolumes(plan.seed, "test", plan.samples / 4);
    showOneOfEach(train);
    nn::Sequential net = makeNet(static_cast<i64>(train.classNames().size()));
    return classify(net, train, test, 0.1, plan);
  });
}
