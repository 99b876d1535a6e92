#pragma once
#include <ember/nn/data/Loader.h>
#include <ember/optim/Ema.h>

namespace ember::optim {

/// Stochastic weight averaging (Izmailov et al. 2018, arXiv:1803.05407): the plain mean of the weights at the ends of
/// the last epochs, or of the cycles of a cyclic rate.
///
///   optim::Swa swa(net);
///   trainer.afterEpoch([&](const optim::EpochInfo& e) { if (e.epoch >= 20) swa.update(); });
///   trainer.run();
///   swa.swap();                                   // the net has the average now ...
///   optim::updateBatchNorm(net, loader);          // ... and statistics that belong to it
class Swa : public WeightAverage {
 public:
  /// The copy that it starts as counts for nothing: the first update() replaces it.
  explicit Swa(const nn::Module& net) : WeightAverage(net, false) {}
  /// Takes in the net's present values: average = average + (value - average)/n at the n-th update.
  void update() { blend(static_cast<double>(updates_) / static_cast<double>(updates_ + 1)); }
};

/// Makes the running statistics of all batch norms of a net those of its present weights: the plain mean over the
/// batches of the loader, by forwards without gradients. Everything else is in eval mode meanwhile (no dropout) and as
/// before afterwards. Frozen batch norms, and those without running statistics, stay as they are; a net without others
/// is not run. Returns how many were updated. What a forward throws leaves the modes restored
/// but the statistics half done.
i64 updateBatchNorm(nn::Module& net, const data::Loader& batches);

}  // namespace ember::optim
