#pragma once
#include <functional>
#include <memory>
#include <string>

#include <ember/nn/data/TensorDataset.h>
#include <ember/optim/Registry.h>
#include <ember/optim/train/Trainer.h>

#include "oom/FailingAllocator.h"

/// A small training run of everything that a step can hold, for tests in which it runs out of memory.
namespace ember::test {

/// Convolutions, batch norms (in memory of their own, or in place of their input), a residual block, dropout and a
/// linear layer, for images [N, 1, 6, 6] of 3 classes.
std::unique_ptr<nn::Module> smallNet(bool inplace = false);
/// Images and labels of the above, the same on every call.
data::TensorDataset smallData(i64 samples);
/// Every option of a step: clipping, averages, a schedule, a plateau, augmentation, smoothing. Batches of 4.
optim::TrainerOptions everything();
/// Batches of 4, and nothing else.
optim::TrainerOptions plain();

struct RunOptions {
  std::string optimizer = "SGD";
  Value rates = {{"lr", 0.01}, {"momentum", 0.9}};
  bool inplace = false;
  i64 samples = 20'000;  ///< 5000 steps an epoch
  optim::TrainerOptions training = everything();
};

/// Net, data, optimiser and trainer of one run. All runs of the same options are alike.
struct Run {
  explicit Run(const RunOptions& options = {});
  std::unique_ptr<nn::Module> net;
  data::TensorDataset data;
  std::unique_ptr<optim::Optimizer> optimizer;
  optim::Trainer trainer;
  optim::StepInfo last;  ///< of the last step that came through

  void step() { last = trainer.step(); }
  /// All that a step changes, as bytes: parameters, buffers, slots, counters, averages, streams, position, figures.
  std::string state();
};

/// Parameters, buffers, call counters, modes and what trains, as bytes.
std::string bytesOf(nn::Module& net);
/// Slots and counters, as bytes.
std::string bytesOf(const optim::Optimizer& optimizer);

/// Of how many allocations one is made to fail: $EMBER_REFUSE_EVERY, which tests/CMakeLists.txt sets in builds that watch
/// memory, or 1. It counts from the third on: the first two always fail.
i64 refuseEvery();

/// What refuseEach() calls and looks at.
struct Refusals {
  std::function<void()> prepare = [] {};  ///< makes the state in front of the call, with memory
  std::function<void()> call = [] {};
  std::function<std::string()> state = [] { return std::string(); };  ///< all that a call that fails must not change
  /// What state() is behind a call that never failed; it moves on a run that keeps step, or is always the same.
  std::function<std::string()> expected = [] { return std::string(); };
};

/// For every n from 1 until the call gets through: allocation n of call() fails; an OutOfMemory or bad_alloc must
/// arrive and state() be as before; then the same call, with memory, must come to expected(). A refusal that no
/// exception tells of was of something that the call can do without, like a name for messages: then it has come to
/// expected() at once. What is in use in front of the call must not change. Prints how many allocations failed.
void refuseEach(const std::string& what, Refuse how, const Refusals& refusals);
/// The same in both ways to fail.
void refuseEach(const std::string& what, const Refusals& refusals);

}  // namespace ember::test
