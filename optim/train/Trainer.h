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
#include <ember/optim/Plateau.h>
#include <ember/optim/Schedule.h>
#include <ember/optim/train/BestEpoch.h>
#include <ember/optim/train/DataSum.h>
#include <ember/optim/train/Metrics.h>

namespace ember::io {
struct Checkpoint;
}

namespace ember::optim {

/// One finished epoch.
struct EpochInfo {
  i64 epoch = 0, epochs = 0;
  double meanLoss = 0, accuracy = 0;  ///< over its training batches
};

struct TrainerOptions {
  i64 epochs = 1;  ///< 1 or more
  i64 batchSize = 32;
  std::optional<u64> seed = {};  ///< of shuffle, augmentation and random layers; the process's seed if unset
  bool shuffle = true;
  bool dropLast = false;             ///< leave out a last batch that is smaller
  bool prefetch = true;              ///< prepare batches on a thread of their own
  Schedule schedule = {};            ///< of optimiser steps
  double labelSmoothing = 0;         ///< of the default loss, in [0, 1)
  double clipNorm = 0;               ///< largest gradient norm; 0: no clipping
  double emaDecay = 0;               ///< average the weights for evaluation; 0: no average
  data::Transforms transforms = {};  ///< applied to each training sample
  /// Batches of which one optimiser step takes the gradient, 1 or more: each counts by its samples, so for losses that
  /// are means it is the gradient of one large batch (but batch norm sees the small ones). The last step of an epoch
  /// has what is left.
  i64 accumulate = 1;
  /// Lowers the rate that the schedule gives when `plateauMetric` gets no better, once an epoch.
  std::optional<PlateauOptions> plateau = {};
  /// What it looks at; the epoch's mean training loss if unset. Say, the loss on other data: evaluate(net, test).loss.
  std::function<double(const EpochInfo&)> plateauMetric = {};
  /// Tells the best epoch, and ends the run early where it has patience for so many that are no better.
  std::optional<BestOptions> best = {};
  /// The loss of one batch, a scalar, from the net's output; cross-entropy with labelSmoothing if unset.
  LossFunction loss = {};
};

struct ResumeOptions {
  /// Goes on with the learning rates, schedule, batch size, seed, data and options of this trainer where they are not
  /// those of the saved run, and warns of each; net, kind of optimiser and averaging must fit all the same. Where
  /// batches or their order are others, the epoch that was open begins anew.
  bool acceptChanges = false;
};

/// One finished training step.
struct StepInfo {
  i64 epoch = 0, batch = 0, batches = 0;  ///< of the run; the step's last batch within the epoch, from 0
  i64 step = 0;                           ///< optimiser steps taken, this one included
  i64 samples = 0;                        ///< in the batches of this step
  double loss = 0;                        ///< their mean loss
  double lr = 0;                          ///< base learning rate times schedule
  double meanLoss = 0, accuracy = 0;      ///< over the epoch so far
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

  /// Steps until the last epoch is done, patience is over, or stop() was called. Returns whether the run is complete;
  /// if not, run() goes on.
  bool run();
  /// One step; throws StateError if finished(). A run that was saved behind its very last step has only that epoch's
  /// hooks left: then nothing is trained and samples is 0.
  StepInfo step();
  bool finished() const noexcept { return epoch_ >= options_.epochs || endedEarly(); }
  /// Whether too many epochs in a row were no better (BestOptions::patience).
  bool endedEarly() const noexcept { return best_ && best_->patienceOver(); }
  /// Asks run() to return after the present step. Safe from a signal handler and from other threads.
  void stop() noexcept { stop_.store(true, std::memory_order_relaxed); }

  /// Loss, accuracy and confusion on a data set in eval mode, with the averaged weights if there are any. The loss is
  /// that of the options; the default one without label smoothing, which is for training. Targets that are no class
  /// labels (a regression) have a loss of the options' and no accuracy: NaN.
  Evaluation evaluate(const data::Dataset& dataset);

  /// The whole run in one file: net, optimiser, schedule, position, streams, average. All or nothing.
  void save(const std::string& path);
  /// Throws what save() would throw whatever the path (a net nested too deep for a file, a name that no reader takes),
  /// and ValueError where resume() would refuse the file. Writes nothing; to be called before hours are spent.
  void checkSavable() const;
  /// Continues a saved run. Throws, with nothing changed: StateError or ValueError if the file does not fit net,
  /// optimiser, data (compared by size and sums, DataSum.h) or options, IoError if it is damaged or
  /// contradicts itself. Warns of another number of threads, instruction set or version of oneDNN: then the run
  /// continues, but not bit for bit.
  void resume(const std::string& path, const ResumeOptions& options = {});
  /// The file, by the name it was given, that holds the run as it stands since the last save() or resume(); empty:
  /// none.
  const std::string& savedIn() const noexcept { return savedIn_; }

  // ---- hooks, in the order they were added ----
  void beforeStep(std::function<void()> hook) { beforeStep_.push_back(std::move(hook)); }
  void afterStep(std::function<void(const StepInfo&)> hook) { afterStep_.push_back(std::move(hook)); }
  void beforeEpoch(std::function<void(i64 epoch)> hook) { beforeEpoch_.push_back(std::move(hook)); }
  void afterEpoch(std::function<void(const EpochInfo&)> hook) { afterEpoch_.push_back(std::move(hook)); }

  /// When run() returns, complete or stopped; not when it throws.
  void afterRun(std::function<void(bool complete)> hook) { afterRun_.push_back(std::move(hook)); }

  // ---- position ----
  i64 epoch() const noexcept { return epoch_; }
  i64 batch() const noexcept { return batch_; }
  i64 batchesPerEpoch() const noexcept { return batches_; }
  /// Optimiser steps of the whole run.
  i64 totalSteps() const noexcept {
    return (batches_ + options_.accumulate - 1) / options_.accumulate * options_.epochs;
  }
  const TrainerOptions& options() const noexcept { return options_; }
  nn::Module& net() noexcept { return net_; }
  Ema* ema() noexcept { return ema_.get(); }
  /// Null without one in the options.
  const ReduceOnPlateau* plateau() const noexcept { return plateau_ ? &*plateau_ : nullptr; }
  BestEpoch* best() noexcept { return best_ ? &*best_ : nullptr; }

 private:
  void openEpoch();
  std::string place(i64 batch) const;  ///< "epoch 0, batch 3", for errors
  /// Batch `index` of the open epoch, which is opened if need be.
  data::Batch batchAt(i64 index);
  /// What a step saw.
  struct Seen {
    i64 samples = 0, correct = 0;
    double lossSum = 0, loss = 0;  // over samples; of the step
  };
  /// Forward, loss and backward of batches batch_ .. end-1; the gradients are those of their mean loss.
  Seen computeGradients(const data::Batch& first, i64 end);
  /// The same of one batch, whose loss counts `share`.
  void addGradients(const data::Batch& batch, i64 index, double share, Seen& seen);
  /// The loss of one batch by the options; throws unless it is one floating number.
  Tensor batchLoss(const Tensor& output, const Tensor& labels) const;
  void closeEpoch();
  void closeLoader();
  void sumData();
  Value position() const;
  io::Checkpoint checkpoint(bool selfTest) const;
  nn::Parameters slotsAndAverages() const;
  /// What `saved` does not share with this run, as sentences; throws for the first unless changes are accepted, and for
  /// what can't be gone on from.
  std::vector<std::string> differences(const std::string& path, const io::Checkpoint& saved, bool acceptChanges) const;

  nn::Module& net_;
  Optimizer& optimizer_;
  const data::Dataset& train_;
  TrainerOptions options_;
  std::unique_ptr<Ema> ema_;
  std::optional<ReduceOnPlateau> plateau_;
  std::optional<BestEpoch> best_;
  std::unique_ptr<data::Loader> loader_;
  struct Cursor;
  std::unique_ptr<Cursor> cursor_;
  std::atomic<bool> stop_{false};
  i64 batches_ = 0, epoch_ = 0, batch_ = 0;
  std::string savedIn_;
  bool summed_ = false;
  DataSums dataSums_;
  // Over the epoch so far; saved, so that a resumed run's figures continue.
  double lossSum_ = 0;
  i64 seen_ = 0, correct_ = 0;
  std::vector<std::function<void()>> beforeStep_;
  std::vector<std::function<void(const StepInfo&)>> afterStep_;
  std::vector<std::function<void(i64)>> beforeEpoch_;
  std::vector<std::function<void(const EpochInfo&)>> afterEpoch_;
  std::vector<std::function<void(bool)>> afterRun_;
};

}  // namespace ember::optim
