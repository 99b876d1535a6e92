#pragma once
#include <functional>
#include <optional>
#include <string>

#include <ember/core/io/Value.h>

namespace ember::optim {

struct EpochInfo;

struct BestOptions {
  std::string name = "training loss";                   ///< of the metric, in files and messages
  std::function<double(const EpochInfo&)> metric = {};  ///< taken behind each epoch; its mean training loss if unset
  bool maximize = false;                                ///< the larger the better (accuracy)
  i64 patience = 0;  ///< so many epochs in a row that are no better end the run; 0: none do
};

/// Which epoch of a run was the best by a metric, and how many in a row were no better since. NaN is never better. A
/// Trainer owns one and saves it, so that a resumed run still knows its best epoch, and AutoSave keeps that in a file.
class BestEpoch {
 public:
  /// Throws ValueError on a negative patience.
  explicit BestEpoch(BestOptions options);

  /// Takes in the metric of an epoch.
  void update(i64 epoch, double metric);
  bool patienceOver() const noexcept { return options_.patience > 0 && bad_ >= options_.patience; }
  /// Nothing before the first metric that is a number.
  std::optional<double> value() const noexcept { return value_; }
  i64 epoch() const noexcept { return epoch_; }  ///< of value(); -1 before
  i64 badEpochs() const noexcept { return bad_; }
  const BestOptions& options() const noexcept { return options_; }

  // ---- the file that holds the best epoch that could be saved; a save may fail ----
  /// Whether the last epoch is better than the one in `file`.
  bool worthKeeping(const std::string& file) const;
  void kept(const std::string& file);
  /// No file holds it: the next epoch that is a number is worth keeping in any.
  void keepNowhere();
  /// The metric of the epoch in file().
  std::optional<double> keptValue() const noexcept { return kept_; }
  const std::string& file() const noexcept { return file_; }

  /// {"metric", "maximize", "epoch", "bad", "patience", "value", "file", "kept"}.
  Value state() const;
  /// Takes over a saved state, whatever its patience was. Throws ValueError, before anything changes, if it is of
  /// another metric or no state of this.
  void restore(const Value& state);

 private:
  bool better(double metric, std::optional<double> than) const noexcept;

  BestOptions options_;
  std::optional<double> value_, last_, kept_;
  std::string file_;
  i64 epoch_ = -1, bad_ = 0;
};

}  // namespace ember::optim
