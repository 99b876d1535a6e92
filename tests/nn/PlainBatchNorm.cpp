#include "nn/PlainBatchNorm.h"

#include <cmath>
#include <utility>

namespace ember::test {
namespace {

using Values = std::vector<double>;

/// The channel of every element of x, in row-major order.
std::vector<std::size_t> channelsOf(const Tensor& x, int axis) {
  const int place = axis < 0 ? axis + x.rank() : axis;
  std::size_t inner = 1;
  for (int i = place + 1; i < x.rank(); ++i) inner *= static_cast<std::size_t>(x.size(i));
  const auto channels = static_cast<std::size_t>(x.size(place));
  std::vector<std::size_t> list(static_cast<std::size_t>(x.numel()));
  for (std::size_t i = 0; i < list.size(); ++i) list[i] = i / inner % channels;
  return list;
}

}  // namespace

PlainBatchNorm::PlainBatchNorm(PlainRule rule, Values gamma, Values beta)
    : rule_(std::move(rule)),
      gamma_(std::move(gamma)),
      beta_(std::move(beta)),
      mean_(gamma_.size(), 0.0),
      var_(gamma_.size(), 1.0) {}

PlainBatchNorm::Step PlainBatchNorm::batch(const Tensor& x, const Tensor& dy, bool update) {
  const std::vector<std::size_t> channel = channelsOf(x, rule_.axis);
  const Values values = x.toVector<double>();
  const std::size_t channels = gamma_.size();
  const double m = static_cast<double>(values.size() / channels);
  Values mean(channels, 0), var(channels, 0);
  for (std::size_t i = 0; i < values.size(); ++i) mean[channel[i]] += values[i] / m;
  for (std::size_t i = 0; i < values.size(); ++i) var[channel[i]] += std::pow(values[i] - mean[channel[i]], 2) / m;
  if (update) {
    const double f = rule_.weight(++updates_);
    for (std::size_t c = 0; c < channels; ++c) {
      mean_[c] = (1 - f) * mean_[c] + f * mean[c];
      var_[c] = (1 - f) * var_[c] + f * (rule_.unbiased && m > 1 ? var[c] * m / (m - 1) : var[c]);
    }
  }
  return run(x, dy, mean, var, true);
}

PlainBatchNorm::Step PlainBatchNorm::fixed(const Tensor& x, const Tensor& dy) const {
  return run(x, dy, mean_, var_, false);
}

PlainBatchNorm::Step PlainBatchNorm::run(const Tensor& x, const Tensor& dy, const Values& mean, const Values& var,
                                         bool throughStatistics) const {
  const std::vector<std::size_t> channel = channelsOf(x, rule_.axis);
  const Values values = x.toVector<double>(), gradient = dy.toVector<double>();
  const std::size_t channels = gamma_.size();
  const double m = static_cast<double>(values.size() / channels);
  Values is(channels), y(values.size()), dx(values.size()), sumG(channels, 0), sumGXh(channels, 0);
  for (std::size_t c = 0; c < channels; ++c) is[c] = 1 / std::sqrt(var[c] + rule_.epsilon);
  const auto normalized = [&](std::size_t i) { return (values[i] - mean[channel[i]]) * is[channel[i]]; };
  for (std::size_t i = 0; i < values.size(); ++i) {
    y[i] = gamma_[channel[i]] * normalized(i) + beta_[channel[i]];
    sumG[channel[i]] += gradient[i];
    sumGXh[channel[i]] += gradient[i] * normalized(i);
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t c = channel[i];
    const double through = throughStatistics ? sumG[c] / m + normalized(i) * sumGXh[c] / m : 0;
    dx[i] = gamma_[c] * is[c] * (gradient[i] - through);
  }
  return {Tensor::of<double>(y, x.shape()),  Tensor::of<double>(mean),   Tensor::of<double>(is),
          Tensor::of<double>(dx, x.shape()), Tensor::of<double>(sumGXh), Tensor::of<double>(sumG)};
}

}  // namespace ember::test
