#include <ember/optim/Plateau.h>

#include <algorithm>
#include <cmath>
#include <string>

#include <ember/core/Error.h>

namespace ember::optim {
namespace {

constexpr const char* op = "ReduceOnPlateau";

void require(bool holds, const char* name, double value, const char* rule) {
  if (!holds) throw ValueError(op, std::string(name) + " is " + Value(value).dump() + ", must be " + rule);
}

}  // namespace

ReduceOnPlateau::ReduceOnPlateau(const PlateauOptions& options) : options_(options) {
  const auto real = [](i64 n) { return static_cast<double>(n); };
  require(options.factor > 0 && options.factor < 1, "factor", options.factor, "between 0 and 1");
  require(options.patience >= 0, "patience", real(options.patience), "0 or more");
  require(options.threshold >= 0 && std::isfinite(options.threshold), "threshold", options.threshold, "0 or more");
  require(options.cooldown >= 0, "cooldown", real(options.cooldown), "0 or more");
  require(options.minFactor >= 0 && options.minFactor <= 1, "minFactor", options.minFactor, "in [0, 1]");
}

void ReduceOnPlateau::prepare() {
  if (factors_.size() == factors_.capacity()) factors_.reserve(2 * factors_.size() + 16);
}

double ReduceOnPlateau::update(double metric) {
  if (std::isnan(metric)) throw ValueError(op, "the metric is NaN", {}, "give a loss or an accuracy that is a number");
  prepare();  // what may fail comes first
  const double margin = options_.relative ? options_.threshold * std::abs(best_) : options_.threshold;
  if (!seen_ || (options_.maximize ? metric > best_ + margin : metric < best_ - margin)) {
    best_ = metric;
    seen_ = true;
    bad_ = 0;
  } else {
    ++bad_;
  }
  if (cooling_ > 0) {
    --cooling_;
    bad_ = 0;
  }
  if (bad_ > options_.patience) {
    factor_ = std::max(factor_ * options_.factor, options_.minFactor);
    cooling_ = options_.cooldown;
    bad_ = 0;
  }
  factors_.push_back(factor_);
  return factor_;
}

Schedule ReduceOnPlateau::curve() const {
  return Schedule("plateau", description(), [factors = factors_](i64 step) {
    if (factors.empty()) return 1.0;
    return factors[std::min(static_cast<std::size_t>(step), factors.size() - 1)];
  });
}

Value ReduceOnPlateau::description() const {
  return {{"factor", options_.factor},       {"patience", options_.patience}, {"threshold", options_.threshold},
          {"relative", options_.relative},   {"maximize", options_.maximize}, {"cooldown", options_.cooldown},
          {"min_factor", options_.minFactor}};
}

Value ReduceOnPlateau::state() const {
  Value value{{"factor", factor_}, {"bad", Value::counter(bad_)}, {"cooling", Value::counter(cooling_)}};
  if (seen_) value.set("best", best_);
  value.set("factors", factors_);
  return value;
}

void ReduceOnPlateau::restore(const Value& state) {
  const double factor = state.get<double>("factor");
  const i64 bad = state.get<i64>("bad"), cooling = state.get<i64>("cooling");
  const bool seen = state.has("best");
  const double best = seen ? state.get<double>("best") : 0;
  require(factor >= options_.minFactor && factor <= 1, "the saved factor", factor, "in [minFactor, 1]");
  require(bad >= 0 && bad <= options_.patience, "the saved count", static_cast<double>(bad), "in [0, patience]");
  require(cooling >= 0 && cooling <= options_.cooldown, "the saved rest", static_cast<double>(cooling),
          "in [0, cooldown]");
  require(!std::isnan(best), "the saved best", best, "a number");
  std::vector<double> factors = state.get("factors", std::vector<double>());
  for (const double each : factors) require(each >= 0 && each <= 1, "a saved factor", each, "in [0, 1]");
  factor_ = factor;
  bad_ = bad;
  cooling_ = cooling;
  seen_ = seen;
  best_ = best;
  factors_ = std::move(factors);
}

}  // namespace ember::optim
