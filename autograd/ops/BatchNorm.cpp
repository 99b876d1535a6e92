#include <ember/autograd/ops/BatchNorm.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/BatchNormBackward.h>
#include <ember/core/Error.h>

namespace ember {

using namespace autograd;
using namespace autograd::batchnorm;
using core::NDArray;

namespace {

double factorOf(const BatchNormOptions& o) { return o.momentum ? 1 - *o.momentum : o.factor.value_or(0.1); }

void checkPerChannel(const Tensor& x, const Tensor& t, const char* what, i64 channels) {
  if (!t.defined()) return;
  const DType expected = x.dtype() == DType::F64 ? DType::F64 : DType::F32;
  if (t.rank() != 1 || t.size(0) != channels) {
    throw ShapeError(
        op,
        "input has " + std::to_string(channels) + " channels, " + what + " expects " +
            (t.rank() == 1 ? std::to_string(t.size(0)) : toString(t.shape())),
        {{"input", "x " + toString(x.shape())}, {what, toString(t.shape())}},
        "build the layer with " + std::to_string(channels) + " channels, or name the channel axis by channelAxis");
  }
  if (t.dtype() != expected) {
    throw DtypeError(op,
                     std::string(what) + " is " + std::string(name(t.dtype())) + ", data of type " +
                         std::string(name(x.dtype())) + " needs " + std::string(name(expected)),
                     {{"input", "x " + toString(x.shape()) + " " + std::string(name(x.dtype()))}},
                     "convert the module or the data with to()");
  }
}

void checkRunning(const Tensor& x, const Tensor& mean, const Tensor& var, i64 channels) {
  checkPerChannel(x, mean, "runningMean", channels);
  checkPerChannel(x, var, "runningVar", channels);
  if (mean.defined() == var.defined()) return;
  throw ValueError(op, "only one of runningMean and runningVar is given", {}, "give both or neither");
}

/// Running statistics are written only after every check, so what would stop the write is looked at before.
void checkWritable(const Tensor& t, const char* what) {
  if (t.isLeaf() && !t.requiresGrad()) return;
  throw StateError(op,
                   std::string(what) + " cannot be updated in place: it " +
                       (t.isLeaf() ? "requires a gradient" : "is the result of an operation"),
                   {}, "pass a tensor of its own, e.g. detach().clone()");
}

void checkDtype(const Tensor& x) {
  if (isFloating(x.dtype())) return;
  throw DtypeError(op, "expected f32, f64 or bf16, got " + std::string(name(x.dtype())),
                   {{"input", "x " + toString(x.shape())}}, "convert the input with to(DType::F32)");
}

// ---- what the forward computes ----

NDArray invstdOf(const NDArray& var, double epsilon) {
  std::vector<double> values = var.toVector<double>();
  // A constant channel without epsilon gets 0, not infinity.
  for (double& v : values) v = v + epsilon == 0 ? 0 : 1 / std::sqrt(v + epsilon);
  return NDArray::from<double>(values, var.shape());
}

/// The running statistics as they are now (a later update must not reach the backward); 0 and 1 for an empty batch.
core::BatchStatistics fixedStatistics(const Tensor& mean, const Tensor& var, i64 channels) {
  if (mean.defined()) return {mean.array().to(DType::F64).copy(), var.array().to(DType::F64).copy()};
  return {NDArray::zeros({channels}, DType::F64), NDArray::full({channels}, 1, DType::F64)};
}

/// r = (1-f)·r + f·scale·batch, in f64.
void updateRunning(Tensor running, const NDArray& batch, double factor, double scale) {
  std::vector<double> values = running.toVector<double>();
  const std::vector<double> fresh = batch.toVector<double>();
  for (std::size_t c = 0; c < values.size(); ++c) {
    const double old = factor == 1 ? 0 : (1 - factor) * values[c];  // a weight of 0 discards even a NaN
    values[c] = old + factor * scale * fresh[c];
  }
  running.copy_(Tensor(NDArray::from<double>(values, batch.shape())), op);
}

/// Only where it is not 1 already: a write makes every reader of gamma so far stale.
void setToOne(Tensor gamma) {
  const std::vector<double> values = gamma.toVector<double>();
  if (!gamma.isLeaf() || std::all_of(values.begin(), values.end(), [](double v) { return v == 1; })) return;
  const NoGrad guard;
  gamma.fill_(1);
}

// ---- inplace ----

/// Throws unless the memory of x may be overwritten at all.
void checkInplaceInput(const Tensor& x) {
  const TensorImpl& impl = *x.impl();
  const auto refuse = [&](const std::string& what, const std::string& help) {
    throw StateError(op, "inplace cannot overwrite its input: " + what, {{"input", "x " + toString(x.shape())}}, help);
  };
  if (impl.array.storage()->external())
    refuse("it lies in the program's own memory (fromBlob)", "copy it first with clone(), or turn inplace off");
  if (!impl.opResult)
    refuse("it is a leaf, not the result of an operation", "turn inplace off where the input comes from outside");
  if (!impl.array.isDense(MemoryOrder::RowMajor) && !impl.array.isDense(MemoryOrder::ChannelsLast)) {
    refuse("it is a view with gaps or repeats", "turn inplace off, or copy the input with clone()");
  }
  if (impl.array.storage().use_count() > 1) {
    const bool kept = impl.node && !impl.node->savedOutputs.empty() &&
                      impl.node->savedOutputs[impl.output].first.storage() == impl.array.storage();
    if (kept)
      refuse(std::string(impl.node->op) + ", which made it, needs it in its own backward",
             "turn inplace off behind " + std::string(impl.node->op));
    refuse("other tensors share its memory (it is a view, or has one)",
           "turn inplace off, or copy the input with clone()");
  }
}

void checkInplaceRecorded(const Tensor& x, const BatchNormOptions& o) {
  if (x.dtype() == DType::BF16) {
    throw ValueError(op,
                     "inplace in training takes f32 or f64: bf16 is too coarse to rebuild the input from the output",
                     {}, "turn inplace off");
  }
  if (o.act == Act::ReLU || (o.act == Act::LeakyReLU && !(o.slope > 0))) {
    throw ValueError(op,
                     std::string("inplace in training takes act None or LeakyReLU with a positive slope: ") +
                         (o.act == Act::ReLU ? "ReLU" : "this LeakyReLU") +
                         " loses what it cuts, so the input cannot be rebuilt",
                     {{"slope", std::to_string(o.slope)}}, "use LeakyReLU, or turn inplace off");
  }
}

/// Whether xh = (y-beta)/gamma comes back exactly enough in every channel: its relative error is
/// eps·(1 + |beta/gamma|).
bool rebuildable(const Tensor& x, const Tensor& gamma, const Tensor& beta, const BatchNormOptions& o) {
  const bool isDouble = x.dtype() == DType::F64;
  const double eps =
      isDouble ? std::numeric_limits<double>::epsilon() : static_cast<double>(std::numeric_limits<float>::epsilon());
  const double smallest =
      isDouble ? std::numeric_limits<double>::min() : static_cast<double>(std::numeric_limits<float>::min());
  const double bound = isDouble ? 1e-12 : 1e-5, slope = o.act == Act::LeakyReLU ? std::min(1.0, o.slope) : 1;
  const std::size_t channels = static_cast<std::size_t>(gamma.defined()  ? gamma.numel()
                                                        : beta.defined() ? beta.numel()
                                                                         : 0);
  const std::vector<double> w = gamma.defined() ? gamma.toVector<double>() : std::vector<double>(channels, 1);
  const std::vector<double> b = beta.defined() ? beta.toVector<double>() : std::vector<double>(channels, 0);
  for (std::size_t c = 0; c < channels; ++c) {
    const double scale = std::abs(w[c]) * slope;
    // Below smallest/eps, gamma·xh turns subnormal for ordinary xh. Written so that NaN refuses.
    if (!(scale >= smallest / eps && eps * (1 + std::abs(b[c] / w[c])) <= bound)) return false;
  }
  return true;
}

}  // namespace

StatisticsUse decideStatistics(const BatchNormOptions& o, bool hasRunning, i64 m) {
  const bool track = o.trackRunningStats && hasRunning;
  const bool always = o.useGlobalStats == GlobalStats::False || o.trainableStatistics;
  StatisticsUse use;
  use.batch = m > 0 && !o.freeze && o.useGlobalStats != GlobalStats::True && (o.training || !track || always);
  use.update = use.batch && track && (o.training || always);
  return use;
}

void checkBatchNormOptions(const char* caller, const BatchNormOptions& o) {
  const auto refuse = [&](const std::string& what, const std::string& help) {
    throw ValueError(caller, what, {}, help);
  };
  if (!(o.epsilon >= 0) || std::isinf(o.epsilon))
    refuse("epsilon is " + std::to_string(o.epsilon), "use a finite number of 0 or more");
  if (o.factor && o.momentum)
    refuse("factor and momentum are both given", "momentum is 1 - factor, the weight of the old statistic: give one");
  if (o.factor && !(*o.factor >= 0 && *o.factor <= 1))
    refuse("factor is " + std::to_string(*o.factor), "use a number from 0 to 1");
  if (o.momentum && !(*o.momentum >= 0 && *o.momentum <= 1))
    refuse("momentum is " + std::to_string(*o.momentum), "use a number from 0 to 1");
  if (!std::isfinite(o.slope)) refuse("slope is " + std::to_string(o.slope), "use a finite number");
  if (o.freeze && o.useGlobalStats == GlobalStats::False)
    refuse("freeze uses running statistics, useGlobalStats = False the batch's", "drop one of them");
  if (o.freeze && o.trainableStatistics)
    refuse("freeze never changes the running statistics, trainableStatistics always", "drop one of them");
  if (o.freeze && !o.trackRunningStats)
    refuse("freeze needs running statistics, trackRunningStats is off", "drop one of them");
  if (o.trainableStatistics && o.useGlobalStats == GlobalStats::True) {
    refuse("trainableStatistics uses the batch's statistics, useGlobalStats = True the running ones",
           "drop one of them");
  }
}

BatchNormResult batchNorm(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& runningMean,
                          const Tensor& runningVar, const BatchNormOptions& options) {
  const auto present = [](const Tensor& t) { return t.defined() ? &t : nullptr; };
  const Tensor* all[] = {&x, present(gamma), present(beta), present(runningMean), present(runningVar)};
  checkOperands(op, all);
  checkBatchNormOptions(op, options);
  checkDtype(x);
  const Channels channels(x.shape(), options.channelAxis);
  checkPerChannel(x, gamma, "gamma", channels.count);
  checkPerChannel(x, beta, "beta", channels.count);
  checkRunning(x, runningMean, runningVar, channels.count);
  const bool hasRunning = runningMean.defined();
  const i64 m = channels.perChannel;
  const StatisticsUse use = decideStatistics(options, hasRunning, m);
  if (!use.batch && !hasRunning && m > 0) {
    throw ValueError(op, "the running statistics are to be used, but none are given", {},
                     "pass runningMean and runningVar");
  }

  const DType parameterType = x.dtype() == DType::F64 ? DType::F64 : DType::F32;
  if (anyShapeOnly(all)) {
    const Tensor perChannel = Tensor::shapeOnly({channels.count}, parameterType);
    return {Tensor::shapeOnly(x.shape(), x.dtype()), perChannel, perChannel};
  }
  if (use.batch && m == 1) {
    throw ValueError(op, "expected more than 1 value per channel when training, got " + toString(x.shape()),
                     {{"input", "x " + toString(x.shape())}},
                     "drop a last batch of one sample (dropLast of the loader), or call eval() before single samples");
  }
  const Tensor* const scale = options.fixGamma ? nullptr : present(gamma);
  const Tensor* operands[] = {&x, options.freeze ? nullptr : present(gamma), options.freeze ? nullptr : present(beta)};
  const bool recorded = needsRecording(operands);
  if (options.inplace) {
    checkInplaceInput(x);
    if (recorded) checkInplaceRecorded(x, options);
  }

  if (use.update) {
    checkWritable(runningMean, "runningMean");
    checkWritable(runningVar, "runningVar");
  }

  // Every check has passed: from here on state may change.
  const NDArray source = channels.inFront(x.array());
  const core::BatchStatistics statistics =
      use.batch ? core::batchStatistics(source) : fixedStatistics(runningMean, runningVar, channels.count);
  const NDArray invstd = invstdOf(statistics.var, options.epsilon);
  const bool overwrite = options.inplace && (!recorded || rebuildable(x, scale ? gamma : Tensor(), beta, options));
  NDArray y =
      core::normalize(source, statistics.mean, invstd, scale ? gamma.array() : NDArray(),
                      beta.defined() ? beta.array() : NDArray(), fusedAct(options), overwrite ? source : NDArray());
  y = channels.back(y);

  const Saved savedX = overwrite ? Saved() : Saved(x);
  if (overwrite) y.storage()->written(op);
  if (options.fixGamma && gamma.defined()) setToOne(gamma);
  // Frozen parameters take no part in second derivatives either.
  const auto frozen = [&](const Tensor& t) { return options.freeze && t.defined() ? t.detach() : t; };
  const Saved savedGamma(frozen(gamma)), savedBeta(frozen(beta));
  if (use.update) {
    const double factor = factorOf(options), n = static_cast<double>(m);
    updateRunning(runningMean, statistics.mean, factor, 1);
    updateRunning(runningVar, statistics.var, factor, options.varEstimator == VarEstimator::Unbiased ? n / (n - 1) : 1);
  }
  BatchNormResult result{{}, Tensor(statistics.mean.to(parameterType)), Tensor(invstd.to(parameterType))};
  if (recorded) {
    Record r{.channels = channels,
             .options = options,
             .batch = use.batch,
             .overwritten = overwrite,
             .xHandle = overwrite ? x : Tensor(),
             .x = savedX,
             .gamma = savedGamma,
             .beta = savedBeta,
             .mean = statistics.mean,
             .invstd = invstd};
    result.y = record(
        op, operands, {y}, [r = std::move(r)](const BackwardContext& c) { return gradientsOf(r, c); },
        overwrite ? SaveOutputs::Yes : SaveOutputs::No)[0];
  } else {
    result.y = wrap(op, y);
  }
  return result;
}

}  // namespace ember
