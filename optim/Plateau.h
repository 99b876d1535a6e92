#pragma once
#include <vector>

#include <ember/optim/Schedule.h>

namespace ember::optim {

struct PlateauOptions {
  double factor = 0.1;      ///< in (0, 1): what the rate is multiplied with
  i64 patience = 10;        ///< 0 or more: so many metrics in a row may be no better
  double threshold = 1e-4;  ///< 0 or more: how much better is better
  bool relative = true;     ///< the threshold is a share of the best metric; false: an amount
  bool maximize = false;    ///< the larger the better (accuracy)
  i64 cooldown = 0;         ///< 0 or more: so many metrics behind a reduction are not counted against it
  double minFactor = 0;     ///< in [0, 1]: no reduction goes below
};

/// Reduces the learning rate when a metric gets no better (semantics as torch.optim.lr_scheduler.ReduceLROnPlateau,
/// minFactor being min_lr as a share of the base rate). Unlike a Schedule it has a state, which a Trainer saves.
///
///   optim::ReduceOnPlateau plateau({.patience = 3});
///   ... behind each epoch:  sgd.setLrFactor(plateau.update(validation.loss));
///
/// Better is: below best - threshold·|best|, or best - threshold if not relative; above best + ... if maximised.
class ReduceOnPlateau {
 public:
  /// Throws ValueError on options out of range.
  explicit ReduceOnPlateau(const PlateauOptions& options = {});
  /// Takes in a metric and returns the factor that now holds. Throws ValueError on NaN.
  double update(double metric);
  /// Takes the memory that the next update() needs.
  void prepare();
  double factor() const noexcept { return factor_; }

  /// The factors that held behind each metric so far, to print or save as any curve: plateau.curve().save("rate.svg", 20).
  Schedule curve() const;

  /// The options, and what it has seen.
  Value description() const;
  Value state() const;
  /// Throws ValueError, before anything changes, if that is no state of this.
  void restore(const Value& state);

 private:
  PlateauOptions options_;
  double factor_ = 1, best_ = 0;
  bool seen_ = false;
  i64 bad_ = 0, cooling_ = 0;
  std::vector<double> factors_;
};

}  // namespace ember::optim
