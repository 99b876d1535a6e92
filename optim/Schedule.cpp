#include <ember/optim/Schedule.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include <ember/core/Error.h>

namespace ember::optim {
namespace {

void require(bool holds, const char* name, const std::string& what) {
  if (!holds) throw ValueError(name, what);
}

double cosineBetween(double from, double to, double share) {
  return to + (from - to) * (1 + std::cos(std::numbers::pi * std::clamp(share, 0.0, 1.0))) / 2;
}

}  // namespace

Schedule::Schedule() : Schedule("constant", Value::object(), [](i64) { return 1.0; }) {}

Schedule::Schedule(std::string name, Value args, Factor factor)
    : name_(std::move(name)), args_(std::move(args)), factor_(std::move(factor)) {}

double Schedule::factor(i64 step) const {
  require(step >= 0, name_.c_str(), "the step is " + std::to_string(step) + ", below 0");
  return factor_(step);
}

Value Schedule::description() const { return Value{{"type", name_}, {"args", args_}}; }

std::vector<double> Schedule::curve(i64 count) const {
  std::vector<double> values;
  for (i64 t = 0; t < count; ++t) values.push_back(factor(t));
  return values;
}

namespace schedule {

Schedule constant() { return {}; }

Schedule step(i64 every, double gamma) {
  require(every >= 1, "schedule::step", "every is " + std::to_string(every) + ", expected 1 or more");
  require(gamma > 0 && std::isfinite(gamma), "schedule::step",
          "gamma is " + std::to_string(gamma) + ", expected above 0");
  return {"step", {{"every", every}, {"gamma", gamma}}, [=](i64 t) {
            return std::pow(gamma, static_cast<double>(t / every));
          }};
}

Schedule multiStep(std::vector<i64> milestones, double gamma) {
  require(!milestones.empty() && milestones.front() >= 0 && std::is_sorted(milestones.begin(), milestones.end()),
          "schedule::multiStep", "milestones must be step numbers in growing order");
  require(gamma > 0 && std::isfinite(gamma), "schedule::multiStep",
          "gamma is " + std::to_string(gamma) + ", expected above 0");
  Value args{{"milestones", milestones}, {"gamma", gamma}};
  return {"multiStep", std::move(args), [=](i64 t) {
            const auto passed = std::upper_bound(milestones.begin(), milestones.end(), t) - milestones.begin();
            return std::pow(gamma, static_cast<double>(passed));
          }};
}

Schedule exponential(double gamma) {
  require(gamma > 0 && std::isfinite(gamma), "schedule::exponential",
          "gamma is " + std::to_string(gamma) + ", expected above 0");
  return {"exponential", {{"gamma", gamma}}, [=](i64 t) { return std::pow(gamma, static_cast<double>(t)); }};
}

Schedule cosine(i64 steps, double floor) {
  require(steps >= 1, "schedule::cosine", "steps is " + std::to_string(steps) + ", expected 1 or more");
  require(floor >= 0 && floor <= 1, "schedule::cosine", "floor is " + std::to_string(floor) + ", expected 0 to 1");
  return {"cosine", {{"steps", steps}, {"floor", floor}}, [=](i64 t) {
            return cosineBetween(1, floor, static_cast<double>(t) / static_cast<double>(steps));
          }};
}

Schedule warmUp(i64 steps, double start, Schedule then) {
  require(steps >= 1, "schedule::warmUp", "steps is " + std::to_string(steps) + ", expected 1 or more");
  require(start >= 0 && start <= 1, "schedule::warmUp", "start is " + std::to_string(start) + ", expected 0 to 1");
  Value args{{"steps", steps}, {"start", start}, {"then", then.description()}};
  return {"warmUp", std::move(args), [=](i64 t) {
            return t < steps ? start + (1 - start) * static_cast<double>(t) / static_cast<double>(steps)
                             : then.factor(t - steps);
          }};
}

Schedule oneCycle(const OneCycle& o) {
  require(o.steps >= 2, "schedule::oneCycle", "steps is " + std::to_string(o.steps) + ", expected 2 or more");
  require(o.warmUp > 0 && o.warmUp < 1, "schedule::oneCycle",
          "warmUp is " + std::to_string(o.warmUp) + ", expected between 0 and 1");
  require(o.startDivisor >= 1 && o.finalDivisor >= 1 && std::isfinite(o.startDivisor * o.finalDivisor),
          "schedule::oneCycle", "the divisors must be finite and 1 or more");
  Value args{
      {"steps", o.steps}, {"warmUp", o.warmUp}, {"startDivisor", o.startDivisor}, {"finalDivisor", o.finalDivisor}};
  return {"oneCycle", std::move(args), [=](i64 t) {
            // The peak stands at step warmUp·steps - 1, the end at steps - 1.
            const double peak = o.warmUp * static_cast<double>(o.steps) - 1, last = static_cast<double>(o.steps) - 1;
            const double now = std::min(static_cast<double>(t), last), start = 1 / o.startDivisor;
            if (now <= peak) return cosineBetween(start, 1, peak > 0 ? now / peak : 1);
            return cosineBetween(1, start / o.finalDivisor, (now - peak) / (last - peak));
          }};
}

}  // namespace schedule
}  // namespace ember::optim
