#pragma once
#include <memory>
#include <string>
#include <vector>

#include <ember/ember.h>

#include "support/Draw.h"

/// Runs of a few steps on a data set of a few pictures, for tests.
namespace ember::test {

/// `count` pictures [1, 4, 4] of three classes that a small net can tell apart.
inline data::TensorDataset pictures(i64 count = 22) {
  const Tensor images = draw("pictures", {count, 1, 4, 4}).to(DType::F32);
  std::vector<i64> labels;
  const std::vector<float> pixels = images.toVector<float>();
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i)
    labels.push_back(pixels[i * 16] > 0.7f ? 2 : pixels[i * 16 + 5] > 0 ? 1 : 0);
  return data::TensorDataset(images, Tensor::of<i64>(labels));
}

struct SmallOptions {
  bool batchNorm = true, dropout = false;
  std::string optimizer = "SGD";
  u64 initSeed = 1;  ///< of the net's first values
  int width = 4;
  DType dtype = DType::F32;
  double lr = 0.05, momentum = 0.9;
  optim::TrainerOptions trainer = {.epochs = 2, .batchSize = 4, .seed = 11};
};

/// Net, optimiser, data and trainer together.
struct SmallRun {
  explicit SmallRun(const SmallOptions& o) : data(pictures()) {
    seed(o.initSeed);
    net.append(nn::Conv2D(1, o.width, {.kernel = 3, .padding = 1}));
    if (o.batchNorm) net.append(nn::BatchNorm2D(o.width));
    net.append(nn::ReLU());
    if (o.dropout) net.append(nn::Dropout(0.3));
    net.append(nn::Flatten());
    net.append(nn::Linear(o.width * 16, 3));
    net.to(o.dtype);
    if (o.optimizer == "SGD") {
      optimizer = std::make_unique<optim::SGD>(
          net.namedParameters(), optim::SGDOptions{.lr = o.lr, .momentum = o.momentum, .weightDecay = 1e-3});
    } else {
      optimizer = std::make_unique<optim::Adam>(net.namedParameters(), optim::AdamOptions{.lr = o.lr});
    }
    trainer = std::make_unique<optim::Trainer>(net, *optimizer, data, o.trainer);
  }

  /// Losses of the next `count` steps.
  std::vector<double> steps(i64 count) {
    std::vector<double> losses;
    for (i64 i = 0; i < count; ++i) losses.push_back(trainer->step().loss);
    return losses;
  }

  /// Everything that a run is: values, slots, averages, streams, counters, position. Equal texts are equal bit for bit.
  std::string state() const {
    std::string text;
    const auto add = [&](const nn::Parameters& list) {
      for (const nn::Parameter& p : list) {
        const core::NDArray dense = p.tensor.array().contiguous();
        text += p.name + toString(dense.shape()) + (p.tensor.requiresGrad() ? "+" : "-");
        text.append(static_cast<const char*>(dense.raw()), static_cast<std::size_t>(dense.bytes()));
      }
    };
    add(net.namedParameters());
    add(net.namedBuffers());
    add(optimizer->namedSlots());
    if (trainer->ema()) {
      add(trainer->ema()->averages());
      text += std::to_string(trainer->ema()->updates());
    }
    for (const auto& [path, calls] : net.streams()) text += path + "=" + std::to_string(calls) + ";";
    text += optimizer->state().dump() + std::to_string(currentSeed()) + "/" + std::to_string(random::programCalls());
    return text + "/" + std::to_string(trainer->epoch()) + "/" + std::to_string(trainer->batch());
  }

  data::TensorDataset data;
  nn::Sequential net;
  std::unique_ptr<optim::Optimizer> optimizer;
  std::unique_ptr<optim::Trainer> trainer;
};

}  // namespace ember::test
