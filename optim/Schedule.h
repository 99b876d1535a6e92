#pragma once
#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include <ember/core/io/Value.h>
#include <fmt/core.h>

namespace ember::optim {

/// How the learning rate changes over a run: a factor on every group's rate, a pure function of the number of steps
/// taken. Nothing is stored between calls, so a resumed run is on the same curve. (What depends on how the run goes is
/// ReduceOnPlateau, Plateau.h.)
///
///   fmt::print("{:500}", schedule);              // name, arguments, and a picture of the first 500 steps
///   schedule.save("rates.csv", 500, 0.1);        // or .svg: rates of a base rate of 0.1
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

  // ---- showing (ScheduleReport.cpp) ----
  /// `oneCycle {"steps": 500, ...}`, and for steps > 0 their factors as columns of text, `width` wide and `height` high,
  /// from 0 to the largest.
  std::string text(i64 steps = 0, int width = 60, int height = 8) const;
  /// Writes the rates lr·factor of steps 0 .. steps-1 into a file: "step,lr" and a line each if the name ends in .csv, a
  /// drawing if in .svg. ValueError for another ending or steps < 1, IoError if it cannot be written.
  void save(const std::string& path, i64 steps, double lr = 1) const;

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

/// start + (end - start)·t/steps, then end (torch LinearLR). Both 0 or more.
Schedule linear(i64 steps, double start, double end);
/// floor + (1 - floor)·(1 - t/steps)^power, then floor (torch PolynomialLR for a floor of 0). power above 0.
Schedule polynomial(i64 steps, double power = 1, double floor = 0);
/// cosine() again and again, over `first` steps, then multiplier times as many each time (SGDR, Loshchilov & Hutter
/// 2017; torch CosineAnnealingWarmRestarts). first >= 1, multiplier >= 1.
Schedule cosineRestarts(i64 first, i64 multiplier = 1, double floor = 0);

/// How the height of the waves of cyclic() changes: not at all, halved with each, or by gamma with each step.
enum class CyclicMode { Triangular, Triangular2, ExpRange };
struct Cyclic {
  i64 up = 0;        ///< steps of a rise, 1 or more
  i64 down = 0;      ///< steps of a fall; 0: as many as up
  double low = 0.1;  ///< the factor between two waves, in [0, 1]; the first crest is at 1
  CyclicMode mode = CyclicMode::Triangular;
  double gamma = 1;  ///< in (0, 1], for ExpRange alone
};
/// low + (1 - low)·wave(t)·height(t), waves rising and falling straight between 0 and 1 (Smith 2017, arXiv:1506.01186;
/// torch CyclicLR with base_lr = low·lr and max_lr = lr). Never ends.
Schedule cyclic(const Cyclic&);

/// The product of them all at each step (torch ChainedScheduler). One at least.
Schedule chained(std::vector<Schedule> parts);
/// parts[0] before milestones[0], then parts[1] from its beginning, ... (torch SequentialLR). One milestone less than
/// parts, growing.
Schedule sequential(std::vector<Schedule> parts, std::vector<i64> milestones);
/// A function of one's own, of the step alone. A file cannot hold the function: a resumed run compares the name only, so
/// give another name to another curve. It must be finite and 0 or more, or the step throws ValueError.
Schedule lambda(std::string name, Schedule::Factor factor);

}  // namespace schedule
}  // namespace ember::optim

/// "{}": name and arguments; "{:500}": and a picture of 500 steps.
template <> struct fmt::formatter<ember::optim::Schedule> {
  ember::i64 steps = 0;
  constexpr auto parse(format_parse_context& context) {
    auto at = context.begin();
    for (; at != context.end() && *at >= '0' && *at <= '9' && steps < 100'000'000; ++at) steps = 10 * steps + (*at - '0');
    return at;
  }
  template <class Context> auto format(const ember::optim::Schedule& schedule, Context& context) const {
    const std::string text = schedule.text(steps);
    return std::copy(text.begin(), text.end(), context.out());
  }
};
