#include <ember/optim/train/BestEpoch.h>

#include <cmath>
#include <utility>

#include <ember/core/Error.h>

namespace ember::optim {
namespace {

constexpr const char* op = "BestEpoch";

std::optional<double> number(const Value& state, const char* key) {
  if (!state.has(key)) return {};
  const double value = state.get<double>(key);
  if (std::isnan(value)) throw ValueError(op, "the saved \"" + std::string(key) + "\" is NaN");
  return value;
}

}  // namespace

BestEpoch::BestEpoch(BestOptions options) : options_(std::move(options)) {
  if (options_.patience < 0)
    throw ValueError(op, "patience is " + std::to_string(options_.patience), {}, "use 0 (never ends early) or more");
}

bool BestEpoch::better(double metric, std::optional<double> than) const noexcept {
  if (std::isnan(metric)) return false;
  return !than || (options_.maximize ? metric > *than : metric < *than);
}

void BestEpoch::update(i64 epoch, double metric) {
  last_ = metric;
  if (!better(metric, value_)) {
    ++bad_;
    return;
  }
  value_ = metric;
  epoch_ = epoch;
  bad_ = 0;
}

bool BestEpoch::worthKeeping(const std::string& file) const {
  return last_ && better(*last_, file == file_ ? kept_ : std::nullopt);
}

void BestEpoch::kept(const std::string& file) {
  file_ = file;
  kept_ = last_;
}

void BestEpoch::keepNowhere() {
  file_.clear();
  kept_.reset();
}

Value BestEpoch::state() const {
  Value state{{"metric", options_.name},
              {"maximize", options_.maximize},
              {"epoch", epoch_},
              {"bad", Value::counter(bad_)},
              {"patience", options_.patience}};
  if (value_) state.set("value", *value_);
  if (!file_.empty()) state.set("file", file_);
  if (kept_) state.set("kept", *kept_);
  return state;
}

void BestEpoch::restore(const Value& state) {
  const std::string metric = state.get<std::string>("metric");
  if (metric != options_.name || state.get<bool>("maximize") != options_.maximize) {
    throw ValueError(op,
                     "the saved run tells its best epoch by \"" + metric + "\", this one by \"" + options_.name + "\"",
                     {}, "use the metric of the saved run");
  }
  const i64 epoch = state.get<i64>("epoch"), bad = state.get<i64>("bad");
  const std::optional<double> value = number(state, "value"), kept = number(state, "kept");
  if (epoch < -1 || bad < 0 || (epoch >= 0) != value.has_value())
    throw ValueError(op, "the saved epoch is " + std::to_string(epoch) + " after " + std::to_string(bad) + " bad ones");
  file_ = state.get("file", std::string());
  value_ = value;
  kept_ = kept;
  last_.reset();
  epoch_ = epoch;
  bad_ = bad;
}

}  // namespace ember::optim
