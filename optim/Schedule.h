#pragma once
#include <functional>
#include <string>
#include <vector>

#include <ember/core/io/Value.h>

namespace ember::optim {

/// How the learning rate changes over a run: a factor on every group's rate, a pure function of the number of steps
/// taken. Nothing is stored between calls, so a resumed run is on the same curve.
class Schedule {
 public:
  using Factor = std::function<double(i64 step)>;
  Schedule();  ///< constant 1
  Schedule(std::string name, Value args, Factor factor);

  /// Factor of the (step+1)-th optimiser step; step >= 0. Steps past the end of the curve keep its last value.
  double factor(i64 step) const;
  const std::string& name() const noexcept { return name_; }
  /// {"type": "cosine", "args": {...}}, compared on resume.
  Value description() const;
  /// Factors of steps 0 .. count-1.
  std::vector<double> curve(i64 count) const;

 private:
  std::string name_;
  Value args_;
  Factor factor_;
};

/// The curves. `t` is the step; all throw ValueError on arguments out of range.
namespace schedule {

/// 1.
Schedule constant();
/// gamma^floor(t / every).
Schedule step(i64 every, double gamma = 0.1);
/// gamma^(number of milestones <= t); milestones grow.
Schedule multiStep(std::vector<i64> milestones, double gamma = 0.1);
/// gamma^t.
Schedule exponential(double gamma);
/// floor + (1 - floor)·(1 + cos(pi·t/steps))/2 (Loshchilov & Hutter 2017), then floor.
Schedule cosine(i64 steps, double floor = 0);
/// start + (1 - start)·t/steps over the first `steps` steps, then `then` from its beginning.
Schedule warmUp(i64 steps, double start, Schedule then);

struct OneCycle {
  i64 steps = 0;               ///< of the whole run
  double warmUp = 0.3;         ///< share of the run that rises, in (0, 1)
  double startDivisor = 25;    ///< begins at 1/startDivisor
  double finalDivisor = 1e4;   ///< ends at 1/(startDivisor·finalDivisor)
};
/// Smith & Topin 2018, cosine form as torch OneCycleLR: rises from 1/startDivisor to 1, falls to
/// 1/(startDivisor·finalDivisor).
Schedule oneCycle(const OneCycle&);

}  // namespace schedule
}  // namespace ember::optim
