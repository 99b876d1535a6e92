#pragma once
#include <memory>
#include <vector>

#include <ember/ember.h>

namespace ember::fuzz {

/// The run whose files the target Run takes: as small as it goes, with most of what a run can carry.
struct RunSample {
  RunSample()
      : data(Tensor::of<float>({0, 1, 2, 3, 4, 5, 6, 7}).reshape({4, 2}), Tensor::of<i64>({0, 1, 1, 0})),
        net(nn::Linear(2, 2), nn::Dropout(0.5)),
        optimizer(net.namedParameters(), {.lr = 0.1, .momentum = 0.9}),
        trainer(net, optimizer, data,
                {.epochs = 2,
                 .batchSize = 2,
                 .seed = 11,
                 .prefetch = false,
                 .schedule = optim::schedule::step(2),
                 .emaDecay = 0.9,
                 .plateau = optim::PlateauOptions{}}) {}

  data::TensorDataset data;
  nn::Sequential net;
  optim::SGD optimizer;
  optim::Trainer trainer;
};

/// Everything in it; equal texts are equal bit for bit.
inline std::string stateOf(RunSample& run) {
  std::string text = run.optimizer.state().dump() + "/" + std::to_string(run.trainer.epoch()) + "/" +
                     std::to_string(run.trainer.batch()) + "/" + std::to_string(random::programCalls());
  const auto add = [&](const nn::Parameters& list) {
    for (const nn::Parameter& p : list)
      text.append(static_cast<const char*>(p.tensor.array().raw()), static_cast<std::size_t>(p.tensor.array().bytes()));
  };
  add(run.net.namedParameters());
  add(run.optimizer.namedSlots());
  add(run.trainer.ema()->averages());
  for (const auto& [path, calls] : run.net.streams()) text += path + "=" + std::to_string(calls) + ";";
  return text + std::to_string(run.trainer.ema()->updates());
}

}  // namespace ember::fuzz
