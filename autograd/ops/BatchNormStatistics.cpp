#include <ember/autograd/ops/BatchNormStatistics.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/BatchNormBackward.h>
#include <ember/core/comm/Communicator.h>
#include <ember/core/kernels/Elementwise.h>
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

template <class T>
void blendInto(T* running, const double* batch, i64 count, double factor, double scale) {
  for (i64 c = 0; c < count; ++c) {
    const double old = factor == 1 ? 0 : (1 - factor) * static_cast<double>(running[c]);  // 0 discards even a NaN
    running[c] = static_cast<T>(factor == 0 ? old : old + factor * scale * batch[c]);
  }
}

/// r = (1-f)·r + f·scale·batch, in f64. `values` is a dense copy of r where r is not dense; takes no memory.
void blend(Tensor running, const NDArray& values, const NDArray& batch, double factor, double scale) {
  NDArray& target = running.writable(op);
  const NDArray& dense = values.storage() == target.storage() ? target : values;
  if (dense.dtype() == DType::F64) {
    blendInto(dense.data<double>(), batch.data<double>(), dense.numel(), factor, scale);
  } else {
    blendInto(dense.data<float>(), batch.data<double>(), dense.numel(), factor, scale);
  }
  if (&dense != &target) core::copyInto(target, dense, nullptr);
}

/// f of each value, f64 [C].
template <class F>
NDArray mapped(const NDArray& var, F&& f) {
  const NDArray values = var.dtype() == DType::F64 && var.isDense() ? var : var.to(DType::F64).contiguous();
  NDArray result = NDArray::empty(var.shape(), DType::F64);
  const double* from = values.data<double>();
  double* to = result.data<double>();
  for (i64 c = 0; c < var.numel(); ++c) to[c] = f(from[c]);
  return result;
}

}  // namespace

Statistics statisticsOfBatch(const NDArray& x, const BatchNormOptions& o) {
  if (o.syncGroup) return merged(x, o);
  const core::BatchStatistics own = ownStatistics(x, o);
  return {own.mean, own.var, x.numel() / x.size(1)};
}

NDArray invstdOf(const NDArray& var, const BatchNormOptions& o) {
  const bool max = o.epsMode == EpsMode::Max;
  return mapped(var, [&](double v) {
    v = max ? (v < o.epsilon ? o.epsilon : v) : v + o.epsilon;  // NaN stays
    return v == 0 ? 0 : 1 / std::sqrt(v);
  });
}

NDArray invstdBends(const NDArray& var, const BatchNormOptions& o) {
  const bool max = o.epsMode == EpsMode::Max;
  return mapped(var, [&](double v) {
    const bool constant = max ? v < o.epsilon || v == 0 : v + o.epsilon == 0;
    return constant ? 0.0 : 1.0;
  });
}

void updateRunning(const Tensor& mean, const Tensor& var, const Statistics& statistics, i64 ownCount,
                   const BatchNormOptions& o) {
  const NoGrad guard;
  const double m = static_cast<double>(o.varEstimator == VarEstimator::UnbiasedLocal ? ownCount : statistics.count);
  const double correction = o.varEstimator == VarEstimator::Biased || m <= 1 ? 1 : m / (m - 1);
  const i64 batches = o.batches.defined() ? static_cast<i64>(o.batches.item()) + 1 : 1;
  const double factor = updateFactor(o, batches);
  const NDArray denseMean = mean.array().contiguous(), denseVar = var.array().contiguous();
  // Nothing below can fail.
  blend(mean, denseMean, statistics.mean, factor, 1);
  blend(var, denseVar, statistics.var, factor, correction);
  if (o.batches.defined()) Tensor(o.batches).fill_(static_cast<double>(batches));
}

RunningUpdate::RunningUpdate(Tensor mean, Tensor var, const Statistics& statistics, i64 ownCount,
                             const BatchNormOptions& options)
    : mean_(std::move(mean)), var_(std::move(var)), statistics_(statistics), ownCount_(ownCount), options_(options) {
  options_.residual = {};  // not kept alive for the update
}

void RunningUpdate::apply() {
  if (done_) return;
  updateRunning(mean_, var_, statistics_, ownCount_, options_);
  done_ = true;
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
