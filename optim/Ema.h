#pragma once
#include <ember/nn/Module.h>

namespace ember::optim {

/// An average of a net's parameters over the steps of its training, for evaluation: what Ema and Swa share. Those whose
/// settings say `averaged` take part.
class WeightAverage {
 public:
  /// Exchanges the averages with the net's values; a second call exchanges them back, and takes no memory.
  void swap();
  /// Takes what memory the next update() or swap() needs (none where parameters are dense), so that these cannot fail.
  void prepare();
  /// The averages by dotted name (state of a run), and how often update() ran.
  const nn::Parameters& averages() const noexcept { return averages_; }
  i64 updates() const noexcept { return updates_; }
  void setUpdates(i64 count) noexcept { updates_ = count; }

 protected:
  /// Starts as a copy of the net, of its floating buffers, too, if asked for.
  WeightAverage(const nn::Module& net, bool buffers);
  ~WeightAverage() = default;
  /// average = keep·average + (1 - keep)·value.
  void blend(double keep);
  i64 updates_ = 0;

 private:
  nn::Parameters values_, averages_;
  std::vector<core::NDArray> spare_;  // for values that lie in another order than their averages
};

/// Exponential moving average of a net's parameters and floating buffers.
///
///   a = d·a + (1 - d)·value,   d = min(decay, (1 + n)/(10 + n)) at the n-th update
///
/// The smaller d at first keeps the start from weighing for ever.
class Ema : public WeightAverage {
 public:
  /// decay in (0, 1). Starts as a copy of the net.
  Ema(const nn::Module& net, double decay);
  /// Takes in the net's present values; call after each optimiser step.
  void update();
  double decay() const noexcept { return decay_; }

 private:
  double decay_;
};

/// Holds the averages in the net while it lives.
class EmaScope {
 public:
  explicit EmaScope(WeightAverage* ema) : ema_(ema) {
    if (ema_) ema_->swap();
  }
  ~EmaScope() {
    if (ema_) ema_->swap();
  }
  EmaScope(const EmaScope&) = delete;
  EmaScope& operator=(const EmaScope&) = delete;

 private:
  WeightAverage* ema_;
};

}  // namespace ember::optim
