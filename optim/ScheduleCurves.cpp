#include <cmath>
#include <limits>
#include <memory>

#include <ember/core/Error.h>
#include <ember/optim/Schedule.h>

namespace ember::optim::schedule {
namespace {

void require(bool holds, const char* name, const char* what, double got, const char* expected) {
  if (!holds) throw ValueError(name, fmt::format("{} is {}, expected {}", what, got, expected));
}

double real(i64 n) { return static_cast<double>(n); }

void checkParts(const char* name, const std::vector<Schedule>& parts) {
  require(!parts.empty(), name, "the number of parts", 0, "1 or more");
}

Value descriptionsOf(const std::vector<Schedule>& parts) {
  Value list = Value::array();
  for (const Schedule& part : parts) list.push(part.description());
  return list;
}

const char* word(CyclicMode mode) {
  return mode == CyclicMode::Triangular ? "triangular" : mode == CyclicMode::Triangular2 ? "triangular2" : "exp_range";
}

}  // namespace

Schedule linear(i64 steps, double start, double end) {
  constexpr const char* name = "schedule::linear";
  require(steps >= 1, name, "steps", real(steps), "1 or more");
  require(start >= 0 && std::isfinite(start), name, "start", start, "0 or more");
  require(end >= 0 && std::isfinite(end), name, "end", end, "0 or more");
  return {"linear", {{"steps", steps}, {"start", start}, {"end", end}}, [=](i64 t) {
            return t >= steps ? end : start + (end - start) * real(t) / real(steps);
          }};
}

Schedule polynomial(i64 steps, double power, double floor) {
  constexpr const char* name = "schedule::polynomial";
  require(steps >= 1, name, "steps", real(steps), "1 or more");
  require(power > 0 && std::isfinite(power), name, "power", power, "above 0");
  require(floor >= 0 && floor <= 1, name, "floor", floor, "0 to 1");
  return {"polynomial", {{"steps", steps}, {"power", power}, {"floor", floor}}, [=](i64 t) {
            return t >= steps ? floor : floor + (1 - floor) * std::pow(1 - real(t) / real(steps), power);
          }};
}

Schedule cosineRestarts(i64 first, i64 multiplier, double floor) {
  constexpr const char* name = "schedule::cosineRestarts";
  require(multiplier >= 1, name, "multiplier", real(multiplier), "1 or more");
  require(first >= 1, name, "first", real(first), "1 or more");
  require(floor >= 0 && floor <= 1, name, "floor", floor, "0 to 1");
  return {"cosineRestarts", {{"first", first}, {"multiplier", multiplier}, {"floor", floor}}, [=](i64 t) {
            i64 length = first;
            if (multiplier == 1) t %= first;
            while (t >= length) {
              t -= length;
              // One that no step reaches is long enough.
              length = length > std::numeric_limits<i64>::max() / multiplier ? std::numeric_limits<i64>::max()
                                                                             : length * multiplier;
            }
            return cosine(length, floor).factor(t);
          }};
}

Schedule cyclic(const Cyclic& o) {
  constexpr const char* name = "schedule::cyclic";
  const i64 down = o.down == 0 ? o.up : o.down;
  require(o.up >= 1, name, "up", real(o.up), "1 or more");
  require(down >= 1, name, "down", real(o.down), "0 or more");
  require(o.up <= std::numeric_limits<i64>::max() - down, name, "up", real(o.up), "less than 2^62");
  require(o.low >= 0 && o.low <= 1, name, "low", o.low, "0 to 1");
  require(o.gamma > 0 && o.gamma <= 1, name, "gamma", o.gamma, "above 0, at most 1");
  require(o.gamma == 1 || o.mode == CyclicMode::ExpRange, name, "gamma", o.gamma, "1 in another mode than ExpRange");
  Value args{{"up", o.up}, {"down", down}, {"low", o.low}, {"mode", word(o.mode)}, {"gamma", o.gamma}};
  return {"cyclic", std::move(args), [o, down](i64 t) {
            const i64 wave = t / (o.up + down), place = t % (o.up + down);
            const double rise = place <= o.up ? real(place) / real(o.up) : real(o.up + down - place) / real(down);
            const double height = o.mode == CyclicMode::Triangular    ? 1
                                  : o.mode == CyclicMode::Triangular2 ? std::pow(0.5, real(wave))
                                                                      : std::pow(o.gamma, real(t));
            return o.low + (1 - o.low) * rise * height;
          }};
}

Schedule chained(std::vector<Schedule> parts) {
  checkParts("schedule::chained", parts);
  Value args{{"parts", descriptionsOf(parts)}};
  return {"chained", std::move(args), [parts = std::move(parts)](i64 t) {
            double product = 1;
            for (const Schedule& part : parts) product *= part.factor(t);
            return product;
          }};
}

Schedule sequential(std::vector<Schedule> parts, std::vector<i64> milestones) {
  constexpr const char* name = "schedule::sequential";
  checkParts(name, parts);
  require(milestones.size() + 1 == parts.size(), name, "the number of milestones",
          real(static_cast<i64>(milestones.size())), "one less than of parts");
  for (std::size_t i = 0; i < milestones.size(); ++i) {
    require(milestones[i] >= (i == 0 ? 0 : milestones[i - 1]), name, "a milestone", real(milestones[i]),
            "a step number, in growing order");
  }
  Value args{{"parts", descriptionsOf(parts)}, {"milestones", milestones}};
  return {"sequential", std::move(args), [parts = std::move(parts), milestones = std::move(milestones)](i64 t) {
            const auto passed = std::upper_bound(milestones.begin(), milestones.end(), t) - milestones.begin();
            const auto now = static_cast<std::size_t>(passed);
            return parts[now].factor(now == 0 ? t : t - milestones[now - 1]);
          }};
}

Schedule lambda(std::string name, Schedule::Factor factor) {
  if (!factor) throw ValueError("schedule::lambda", "the function is empty", {}, "pass one from i64 to double");
  if (name.empty()) throw ValueError("schedule::lambda", "the name is empty", {}, "a resumed run compares it");
  Value args{{"name", name}};
  return {"lambda", std::move(args), [factor = std::move(factor), name = std::move(name)](i64 t) {
            const double value = factor(t);
            if (!(value >= 0) || !std::isfinite(value))
              throw ValueError("schedule::lambda",
                               fmt::format("\"{}\" is {} at step {}, expected 0 or more", name, value, t));
            return value;
          }};
}

}  // namespace ember::optim::schedule
