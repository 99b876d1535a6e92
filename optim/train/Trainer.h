#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ember/nn/Module.h>
#include <ember/nn/data/Loader.h>
#include <ember/optim/Ema.h>
#include <ember/optim/Optimizer.h>
#include <ember/optim/Schedule.h>
#include <ember/optim/train/Metrics.h>

namespace ember::optim {

struct TrainerOptions {
  i64 epochs = 1;                  ///< 1 or more
  i64 batchSize = 32;
  std::optional<u64> seed = {};    ///< of shuffle, augmentation and random layers; the process's seed if unset
  bool shuffle = true;
  bool dropLast = false;           ///< leave out a last batch that is smaller
  bool prefetch = true;            ///< prepare batches on a thread of their own
  Schedule schedule = {};          ///< of optimiser steps
  double labelSmoothing = 0;       ///< of the default loss, in [0, 1)
  double clipNorm = 0;             ///< largest gradient norm; 0: no clipping
  double emaDecay = 0;             ///< average the weights for evaluation; 0: no average
  data::Transforms transforms = {};  ///< applied to each training sample
  /// The loss of one batch, a scalar, from the net's output; cross-entropy with labelSmoothing if unset.
  LossFunction loss = {};
};

/// One finished training step.
struct StepInfo {
  i64 epoch = 0, batch = 0, batches = 0;  ///< of the run; batch within the epoch, from 0
  i64 step = 0;                           ///< optimiser steps taken, this one included
  i64 samples = 0;                        ///< in this batch
  double loss = 0;                        ///< of this batch
  double lr = 0;                          ///< base learning rate times schedule
  double meanLoss = 0, accuracy = 0;      ///< over the epoch so far
};

/// One finished epoch.
struct EpochInfo {
  i64 epoch = 0, epochs = 0;
  double meanLoss = 0, accuracy = 0;  ///< over its training batches
};

/// Trains a net: owns the position in the data, the schedule, an optional weight average and the random streams; refers
/// to net, optimiser and data, which must outlive it. Everything it owns is in save(), so that resume() continues bit
/// for bit.
///
/// A step whose loss, gradients or running statistics are not finite throws NumericError naming tensor, epoch and
/// batch, before the net changes.
class Trainer {
 public:
  Trainer(nn::Module& net, Optimizer& optimizer, const data::Dataset& train, TrainerOptions options = {});
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Steps until the last epoch is done, or until stop() was called. Returns whether the run is complete; if not, run()
  /// goes on.
  bool run();
  /// One step; throws StateError if finished(). A run that was saved behind its very last step has only that epoch's
  /// hooks left: then nothing is trained and samples is 0.
  StepInfo step();
  bool finished() const noexcept { return epoch_ >= options_.epochs; }
  /// Asks run() to return after the present step. Safe from a signal handler and from other threads.
  void stop() noexcept { stop_.store(true, std::memory_order_relaxed); }

  /// Loss, accuracy and confusion on a data set in eval mode, with the averaged weights if there are any. The loss is
  /// that of the options; the default one without label smoothing, which is for training. Targets that are no class
  /// labels (a regression) have a loss of the options' and no accuracy: NaN.
  Evaluation evaluate(const data::Dataset& dataset);

  /// The whole run in one file: net, optimiser, schedule, position, streams, average. All or nothing.
  void save(const std::string& path);
  /// Continues a saved run. Throws, with nothing changed: StateError or ValueError if the file does not fit net,
  /// optimiser, data (compared by size and by a sum over some samples) or options, IoError if it is damaged or
  /// contradicts itself. Warns of another number of threads: then the run continues, but not bit for bit.
  void resume(const std::string& path);

  // ---- hooks, in the order they were added ----
  void beforeStep(std::function<void()> hook) { beforeStep_.push_back(std::move(hook)); }
  void afterStep(std::function<void(const StepInfo&)> hook) { afterStep_.push_back(std::move(hook)); }
  void beforeEpoch(std::function<void(i64 epoch)> hook) { beforeEpoch_.push_back(std::move(hook)); }
  void afterEpoch(std::function<void(const EpochInfo&)> hook) { afterEpoch_.push_back(std::move(hook)); }

  // ---- position ----
  i64 epoch() const noexcept { return epoch_; }
  i64 batch() const noexcept { return batch_; }
  i64 batchesPerEpoch() const noexcept { return batches_; }
  i64 totalSteps() const noexcept { return batches_ * options_.epochs; }
  const TrainerOptions& options() const noexcept { return options_; }
  nn::Module& net() noexcept { return net_; }
  Ema* ema() noexcept { return ema_.get(); }

 private:
  void openEpoch();
  data::Batch nextBatch();
  std::string place() const;  ///< "epoch 0, batch 3", for errors
  /// Forward, loss and backward of one batch; the output and the value of the loss.
  std::pair<Tensor, double> computeGradients(const data::Batch& batch);
  /// The loss of one batch by the options; throws unless it is one floating number.
  Tensor batchLoss(const Tensor& output, const Tensor& labels) const;
  void closeEpoch();
  void closeLoader();
  void sumData();
  Value position() const;
  nn::Parameters slotsAndAverages() const;

  nn::Module& net_;
  Optimizer& optimizer_;
  const data::Dataset& train_;
  TrainerOptions options_;
  std::unique_ptr<Ema> ema_;
  std::unique_ptr<data::Loader> loader_;
  struct Cursor;
  std::unique_ptr<Cursor> cursor_;
  std::atomic<bool> stop_{false};
  i64 batches_ = 0, epoch_ = 0, batch_ = 0;
  bool summed_ = false;
  std::optional<u32> dataSum_;  // none: get() draws at random
  // Over the epoch so far; saved, so that a resumed run's figures continue.
  double lossSum_ = 0;
  i64 seen_ = 0, correct_ = 0;
  std::vector<std::function<void()>> beforeStep_;
  std::vector<std::function<void(const StepInfo&)>> afterStep_;
  std::vector<std::function<void(i64)>> beforeEpoch_;
  std::vector<std::function<void(const EpochInfo&)>> afterEpoch_;
};

}  // namespace ember::optim
