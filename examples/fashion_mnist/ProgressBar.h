#pragma once
#include <chrono>
#include <string>

#include <ember/ember.h>

/// Shows how training goes: one line that redraws itself on a terminal, a plain line every ten seconds elsewhere.
/// Counts the time and the images of the steps alone, without evaluation.
class ProgressBar {
 public:
  /// `totalSteps` of the run, `epochs` of them equally long.
  ProgressBar(ember::i64 totalSteps, ember::i64 epochs);

  /// Call before each step, and after it.
  void beforeStep();
  void afterStep(const ember::optim::StepInfo& info);
  /// Takes the line off the terminal, so that other text may follow.
  void clear();

  double trainSeconds() const noexcept { return seconds_; }
  double imagesPerSecond() const noexcept { return seconds_ > 0 ? static_cast<double>(images_) / seconds_ : 0; }

 private:
  using Clock = std::chrono::steady_clock;
  std::string line(const ember::optim::StepInfo& info, int barWidth) const;

  ember::i64 totalSteps_, epochs_;
  bool terminal_;
  bool shown_ = false;
  ember::i64 images_ = 0, steps_ = 0;
  double seconds_ = 0;
  Clock::time_point stepBegan_, lastShown_;
};

/// "8 s", "4:05", "1:02:03".
std::string durationText(double seconds);
