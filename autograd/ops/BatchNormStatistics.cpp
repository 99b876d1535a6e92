#include <ember/autograd/ops/BatchNormStatistics.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/BatchNormBackward.h>
#include <ember/core/comm/Communicator.h>
#include <ember/core/kernels/reference/BatchNorm.h>

namespace ember::autograd::batchnorm {

using core::NDArray;

namespace {

core::BatchStatistics ownStatistics(const NDArray& x, const BatchNormOptions& o) {
  if (o.backend == BatchNormBackend::Reference) return core::reference::batchStatistics(x);
  return core::batchStatistics(x);
}

/// One rank's row in the gathered table: count, then the means, then the sums of squares about them.
std::vector<double> rowOf(const NDArray& x, i64 channels, const BatchNormOptions& o) {
  const auto c = static_cast<std::size_t>(channels);
  std::vector<double> row(1 + 2 * c, 0.0);
  const i64 count = x.numel() / channels;
  if (count == 0) return row;
  row[0] = static_cast<double>(count);
  const core::BatchStatistics own = ownStatistics(x, o);
  const std::vector<double> mean = own.mean.toVector<double>(), var = own.var.toVector<double>();
  for (std::size_t i = 0; i < c; ++i) {
    row[1 + i] = mean[i];
    row[1 + c + i] = var[i] * row[0];
  }
  return row;
}

Statistics merged(const NDArray& x, const BatchNormOptions& o) {
  const i64 channels = x.size(1);
  const auto c = static_cast<std::size_t>(channels);
  const std::vector<double> mine = rowOf(x, channels, o);
  std::vector<double> all(mine.size() * static_cast<std::size_t>(o.syncGroup->size()));
  o.syncGroup->allGather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(all)));
  std::vector<double> mean(c, 0.0), squares(c, 0.0);
  double count = 0;
  for (auto row = all.begin(); row != all.end(); row += static_cast<std::ptrdiff_t>(mine.size())) {
    const double added = row[0];
    if (added == 0) continue;
    const double share = added / (count + added);
    for (std::size_t i = 0; i < c; ++i) {
      const auto at = static_cast<std::ptrdiff_t>(i);
      const double delta = row[1 + at] - mean[i];
      mean[i] += delta * share;
      squares[i] += row[1 + static_cast<std::ptrdiff_t>(c) + at] + delta * delta * count * share;
    }
    count += added;
  }
  for (double& s : squares) s = count > 0 ? s / count : 0;
  return {NDArray::from<double>(mean, {channels}), NDArray::from<double>(squares, {channels}), static_cast<i64>(count)};
}

/// r = (1-f)·r + f·scale·batch, in f64.
void blend(Tensor& running, const NDArray& batch, double factor, double scale) {
  std::vector<double> values = running.toVector<double>();
  const std::vector<double> fresh = batch.toVector<double>();
  for (std::size_t c = 0; c < values.size(); ++c) {
    const double old = factor == 1 ? 0 : (1 - factor) * values[c];  // a weight of 0 discards even a NaN
    values[c] = factor == 0 ? old : old + factor * scale * fresh[c];
  }
  running.copy_(Tensor(NDArray::from<double>(values, running.shape())), op);
}

}  // namespace

Statistics statisticsOfBatch(const NDArray& x, const BatchNormOptions& o) {
  if (o.syncGroup) return merged(x, o);
  const core::BatchStatistics own = ownStatistics(x, o);
  return {own.mean, own.var, x.numel() / x.size(1)};
}

NDArray invstdOf(const NDArray& var, const BatchNormOptions& o) {
  std::vector<double> values = var.toVector<double>();
  for (double& v : values) {
    v = o.epsMode == EpsMode::Max ? (v < o.epsilon ? o.epsilon : v) : v + o.epsilon;  // NaN stays
    v = v == 0 ? 0 : 1 / std::sqrt(v);
  }
  return NDArray::from<double>(values, var.shape());
}

NDArray invstdBends(const NDArray& var, const BatchNormOptions& o) {
  std::vector<double> values = var.toVector<double>();
  for (double& v : values) {
    const bool constant = o.epsMode == EpsMode::Max ? v < o.epsilon || v == 0 : v + o.epsilon == 0;
    v = constant ? 0 : 1;
  }
  return NDArray::from<double>(values, var.shape());
}

RunningUpdate::RunningUpdate(Tensor mean, Tensor var, const Statistics& statistics, i64 ownCount,
                             const BatchNormOptions& options)
    : mean_(std::move(mean)),
      var_(std::move(var)),
      batches_(options.batches),
      statistics_(statistics),
      options_(options) {
  const double m =
      static_cast<double>(options.varEstimator == VarEstimator::UnbiasedLocal ? ownCount : statistics.count);
  correction_ = options.varEstimator == VarEstimator::Biased || m <= 1 ? 1 : m / (m - 1);
}

void RunningUpdate::apply() {
  if (std::exchange(done_, true)) return;
  const NoGrad guard;
  const i64 batches = batches_.defined() ? static_cast<i64>(batches_.item()) + 1 : 1;
  const double factor = updateFactor(options_, batches);
  blend(mean_, statistics_.mean, factor, 1);
  blend(var_, statistics_.var, factor, correction_);
  if (batches_.defined()) batches_.fill_(static_cast<double>(batches));
}

Tensor sumOverRanks(const Tensor& x, const std::shared_ptr<Communicator>& group) {
  if (!group) return x;
  return apply(
      "sumOverRanks", {&x}, x.shape(), x.dtype(),
      [&] {
        const NDArray sum = x.array().contiguous().copy();
        const auto count = static_cast<std::size_t>(sum.numel());
        if (sum.dtype() == DType::F64) {
          group->allReduce(std::span(sum.data<double>(), count));
        } else {
          group->allReduce(std::span(sum.data<float>(), count));
        }
        return sum;
      },
      [group](const BackwardContext& c) { return Tensors{sumOverRanks(c.grad(), group)}; });
}

}  // namespace ember::autograd::batchnorm
