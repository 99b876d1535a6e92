#include <ember/autograd/ops/BatchNorm.h>

#include <algorithm>
#include <string>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/BatchNormBackward.h>
#include <ember/autograd/ops/BatchNormInplace.h>
#include <ember/core/Error.h>
#include <ember/core/Replay.h>
#include <ember/core/kernels/Elementwise.h>
#include <ember/core/kernels/onednn/BatchNorm.h>
#include <ember/core/kernels/reference/BatchNorm.h>

namespace ember {

using namespace autograd;
using namespace autograd::batchnorm;
using core::NDArray;

namespace {

DType parameterTypeFor(const Tensor& x) { return x.dtype() == DType::F64 ? DType::F64 : DType::F32; }

void checkPerChannel(const Tensor& x, const Tensor& t, const char* what, const Channels& channels) {
  if (!t.defined()) return;
  if (!(t.shape() == channels.parameters)) {
    const std::string count = std::to_string(channels.count);
    const bool plain = t.rank() == 1 && !channels.perActivation;
    throw ShapeError(
        op,
        plain ? "input has " + count + " channels, " + what + " expects " + std::to_string(t.size(0))
              : std::string(what) + " is " + toString(t.shape()) + ", the input needs " + toString(channels.parameters),
        {{"input", "x " + toString(x.shape())}, {what, toString(t.shape())}},
        channels.perActivation
            ? "paramDim PerActivation has one parameter an element of a sample"
            : "build the layer with " + count + " channels, or name the channel axis by channelAxis");
  }
  if (const DType expected = parameterTypeFor(x); t.dtype() != expected) {
    throw DtypeError(op,
                     std::string(what) + " is " + std::string(name(t.dtype())) + ", data of type " +
                         std::string(name(x.dtype())) + " needs " + std::string(name(expected)),
                     {{"input", "x " + toString(x.shape()) + " " + std::string(name(x.dtype()))}},
                     "convert the module or the data with to()");
  }
}

/// Running statistics are written only after every check, so what would stop the write is looked at before.
void checkWritable(const Tensor& t, const char* what) {
  if (!t.defined() || (t.isLeaf() && !t.requiresGrad())) return;
  throw StateError(op,
                   std::string(what) + " cannot be updated in place: it " +
                       (t.isLeaf() ? "requires a gradient" : "is the result of an operation"),
                   {}, "pass a tensor of its own, e.g. detach().clone()");
}

/// An update writes its tensors one after the other: memory that two of them share would be overwritten under the
/// second.
void checkOwnMemory(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& mean, const Tensor& var,
                    const BatchNormOptions& o) {
  const auto memoryOf = [](const Tensor& t) { return t.defined() ? t.array().storage().get() : nullptr; };
  const std::pair<const char*, const core::Storage*> all[] = {
      {"runningMean", memoryOf(mean)}, {"runningVar", memoryOf(var)}, {"batches", memoryOf(o.batches)},
      {"x", memoryOf(x)},              {"gamma", memoryOf(gamma)},    {"beta", memoryOf(beta)},
      {"residual", memoryOf(o.residual)}};
  for (int written = 0; written < 3; ++written) {
    if (!all[written].second) continue;
    for (int other = written + 1; other < 7; ++other) {
      if (all[other].second != all[written].second) continue;
      throw StateError(op,
                       std::string(all[written].first) + " cannot be updated in place: it shares its memory with " +
                           all[other].first,
                       {}, "pass a tensor of its own, e.g. detach().clone()");
    }
  }
}

void checkData(const Tensor& x, const BatchNormOptions& o) {
  if (!isFloating(x.dtype())) {
    throw DtypeError(op, "expected f32, f64 or bf16, got " + std::string(name(x.dtype())),
                     {{"input", "x " + toString(x.shape())}}, "convert the input with to(DType::F32)");
  }
  if (o.backend == BatchNormBackend::OneDNN && x.dtype() == DType::F64)
    throw DtypeError(op, "backend OneDNN has no f64", {{"input", "x " + toString(x.shape())}},
                     "use backend = Auto, or f32 data");
}

void checkResidual(const Tensor& x, const Tensor& residual) {
  if (!residual.defined() || (residual.shape() == x.shape() && residual.dtype() == x.dtype())) return;
  const Error::Details details{{"input", "x " + toString(x.shape()) + " " + std::string(name(x.dtype()))},
                               {"residual", toString(residual.shape()) + " " + std::string(name(residual.dtype()))}};
  if (!(residual.shape() == x.shape()))
    throw ShapeError(op, "residual is " + toString(residual.shape()) + ", the input " + toString(x.shape()), details,
                     "bring the shortcut to the shape of the input, by a convolution of size 1 for instance");
  throw DtypeError(op,
                   "residual is " + std::string(name(residual.dtype())) + ", the input " + std::string(name(x.dtype())),
                   details, "convert one of them with to()");
}

/// Before anything is written, for what anomaly mode would find behind it.
void checkFinite(const Tensor& t, const char* what) {
  if (!t.defined() || t.isShapeOnly() || core::allFinite(t.array())) return;
  throw NumericError(op, std::string(what) + " has NaN or infinity", {{what, toString(t.shape())}},
                     "look at what made it; nothing was normalised and no statistic changed");
}

/// With shared statistics the same words on every rank, whatever its own share.
[[noreturn]] void refuseSingleValue(const Tensor& x, bool shared) {
  throw ValueError(op,
                   "expected more than 1 value per channel when training, got " +
                       (shared ? "1 over all ranks of the syncGroup" : toString(x.shape())),
                   {{"input", "x " + toString(x.shape())}},
                   "drop a last batch of one sample (dropLast of the loader), call eval() before single samples, or "
                   "choose a singleValuePolicy");
}

/// The running statistics as they are now (a later update must not reach the backward); 0 and 1 where there are none.
Statistics fixedStatistics(const Tensor& mean, const Tensor& var, const Channels& channels) {
  const auto taken = [&](const Tensor& t, double absent) {
    if (!t.defined()) return NDArray::full({channels.count}, absent, DType::F64);
    const NDArray values = channels.flat(t.array());
    return values.dtype() == DType::F64 ? values.copy() : values.to(DType::F64);
  };
  return {taken(mean, 0), taken(var, 1), channels.perChannel};
}

/// Only where it is not 1 already: a write makes every reader of gamma so far stale.
void setToOne(Tensor gamma) {
  const std::vector<double> values = gamma.toVector<double>();
  if (!gamma.isLeaf() || std::all_of(values.begin(), values.end(), [](double v) { return v == 1; })) return;
  const NoGrad guard;
  gamma.fill_(1);
}

/// y of the fused kernels, in `out` if that is defined.
NDArray normalized(const NDArray& x, const Statistics& s, const NDArray& invstd, const NDArray& gamma,
                   const NDArray& beta, const NDArray& residual, const BatchNormOptions& o, const NDArray& out) {
  if (o.backend == BatchNormBackend::Reference)
    return core::reference::normalize(x, s.mean, invstd, gamma, beta, fusedAct(o), out, residual);
  return core::normalize(x, s.mean, invstd, gamma, beta, fusedAct(o), out, residual);
}

/// y of oneDNN's primitive; takes the statistics of the batch itself and leaves them in `s`.
NDArray byOneDnn(const NDArray& x, Statistics& s, bool batch, const NDArray& gamma, const NDArray& beta,
                 const NDArray& residual, const BatchNormOptions& o) {
  core::onednn::BatchNormForward result =
      core::onednn::batchNormForward(x, gamma, beta, o.epsilon, batch ? NDArray() : s.mean, batch ? NDArray() : s.var);
  if (batch) s = {result.mean.to(DType::F64), result.var.to(DType::F64), x.numel() / x.size(1)};
  if (residual.defined()) {
    // Additions take no bf16.
    const NDArray sum = core::binary(core::Binary::Add, result.y.to(DType::F32), residual.to(DType::F32), op);
    result.y = sum.to(x.dtype());
  }
  if (o.act == Act::ReLU) return core::unary(core::Unary::Relu, result.y, op);
  return o.act == Act::LeakyReLU ? core::leakyRelu(result.y, o.slope) : result.y;
}

}  // namespace

Tensor autograd::batchnorm::UsedStatistics::tensor(const NDArray& values) const {
  if (!values.defined()) return Tensor::shapeOnly(shape, dtype);
  // A copy: what the caller does to it must not reach the backward.
  NDArray copy = NDArray::empty(shape, dtype);
  const double* from = values.data<double>();
  if (dtype == DType::F64) {
    std::copy_n(from, copy.numel(), copy.data<double>());
  } else {
    std::transform(from, from + copy.numel(), copy.data<float>(), [](double v) { return static_cast<float>(v); });
  }
  return Tensor(std::move(copy));
}

BatchNormResult batchNorm(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& runningMean,
                          const Tensor& runningVar, const BatchNormOptions& options) {
  const auto present = [](const Tensor& t) { return t.defined() ? &t : nullptr; };
  const Tensor* all[] = {
      &x, present(gamma), present(beta), present(runningMean), present(runningVar), present(options.residual)};
  checkOperands(op, all);
  checkBatchNormOptions(op, options);
  checkData(x, options);
  checkResidual(x, options.residual);
  if (AnomalyMode::enabled()) {
    checkFinite(x, "the input");
    checkFinite(gamma, "gamma");
    checkFinite(beta, "beta");
    checkFinite(options.residual, "the residual");
  }
  const Channels channels(x.shape(), options);
  checkPerChannel(x, gamma, "gamma", channels);
  checkPerChannel(x, beta, "beta", channels);
  checkPerChannel(x, runningMean, "runningMean", channels);
  checkPerChannel(x, runningVar, "runningVar", channels);
  const bool hasRunning = runningMean.defined();
  if (hasRunning != runningVar.defined())
    throw ValueError(op, "only one of runningMean and runningVar is given", {}, "give both or neither");

  // A rank without data takes part in the statistics all the same.
  const bool shared = options.syncGroup && decideStatistics(options, hasRunning, 2).batch;
  StatisticsUse use = decideStatistics(options, hasRunning, shared ? 2 : channels.perChannel);
  if (!use.batch && !hasRunning && channels.perChannel > 0) {
    throw ValueError(op, "the running statistics are to be used, but none are given", {},
                     "pass runningMean and runningVar");
  }
  const DType parameterType = parameterTypeFor(x);
  if (anyShapeOnly(all)) {
    return {Tensor::shapeOnly(x.shape(), x.dtype()), {{}, {}, {}, channels.parameters, parameterType}};
  }
  core::TraceSpan span(core::TraceSpan::Kind::Op, op);
  const Tensor* operands[] = {&x, options.freeze ? nullptr : present(gamma), options.freeze ? nullptr : present(beta),
                              present(options.residual)};
  const bool recorded = needsRecording(operands);
  if (options.inplace) {
    checkInplaceInput(x);
    if (recorded && !options.residual.defined()) checkInplaceRecorded(x, options);  // with one x is kept
  }
  if (use.update) {
    checkWritable(runningMean, "runningMean");
    checkWritable(runningVar, "runningVar");
    checkWritable(options.batches, "batches");
    checkOwnMemory(x, gamma, beta, runningMean, runningVar, options);
  }

  // Statistics and normalisation both want it dense; in place it must stay where it is.
  const NDArray source =
      options.inplace ? channels.inFront(x.array()) : channels.inFront(x.array()).contiguous(MemoryOrder::ChannelsLast);
  Statistics statistics;
  i64 m = channels.perChannel;
  if (shared) {
    statistics = statisticsOfBatch(source, options);
    m = statistics.count;
    use = decideStatistics(options, hasRunning, m);
  }
  const bool single = use.batch && m == 1;
  if (single && options.singleValuePolicy == SingleValue::Error) refuseSingleValue(x, shared);
  const bool passThrough = single && options.singleValuePolicy == SingleValue::PassThrough;
  if (passThrough) use.batch = false;
  const bool oneDnn = options.backend == BatchNormBackend::OneDNN && !passThrough && x.numel() > 0;
  if (!use.batch) {
    statistics = passThrough ? fixedStatistics({}, {}, channels) : fixedStatistics(runningMean, runningVar, channels);
  } else if (!shared && !oneDnn) {
    statistics = statisticsOfBatch(source, options);
  }

  // Every check has passed: from here on state may change.
  const bool scaled = gamma.defined() && !options.fixGamma && !passThrough;
  const NDArray scale = scaled ? channels.flat(gamma.array()) : NDArray();
  const NDArray shift = beta.defined() && !passThrough ? channels.flat(beta.array()) : NDArray();
  const NDArray residual = options.residual.defined() ? channels.inFront(options.residual.array()) : NDArray();
  // Nobody knows how large the values of a residual are against gamma·xh, so x is not rebuilt from a sum with them.
  const bool overwrite =
      options.inplace && (!recorded || (!residual.defined() && rebuildable(x, scaled ? gamma : Tensor(),
                                                                           passThrough ? Tensor() : beta, options)));
  NDArray y, invstd;
  if (oneDnn) {
    y = byOneDnn(source, statistics, use.batch, scale, shift, residual, options);
    invstd = invstdOf(statistics.var, options);
  } else {
    invstd = passThrough ? statistics.var : invstdOf(statistics.var, options);
    y = normalized(source, statistics, invstd, scale, shift, residual, options, overwrite ? source : NDArray());
  }
  y = channels.back(y);
  span.output(y.bytes());

  Saved savedX = overwrite ? Saved() : Saved(x);
  if (overwrite) y.storage()->written(op);
  if (options.fixGamma && options.training && gamma.defined()) setToOne(gamma);
  // Frozen parameters take no part in second derivatives either.
  const auto saved = [&](const Tensor& t) { return options.freeze && t.defined() ? Saved(t.detach()) : Saved(t); };
  const bool updatesNow = use.update && options.updateStatsOn == StatsUpdate::Forward;
  std::shared_ptr<RunningUpdate> later;
  if (use.update && !updatesNow && !core::replayedBefore())
    later = std::make_shared<RunningUpdate>(runningMean, runningVar, statistics, channels.perChannel, options);
  BatchNormResult result{{}, {statistics.mean, invstd, statistics.var, channels.parameters, parameterType}};
  // Behind wrap() and record(), which look at y in anomaly mode.
  const auto updated = [&] {
    if (updatesNow && !core::replaying())
      updateRunning(runningMean, runningVar, statistics, channels.perChannel, options);
    return std::move(result);
  };
  if (!recorded) {
    result.y = wrap(op, std::move(y), operands);
    return updated();
  }
  const auto r = std::make_shared<Record>(Record{.channels = channels,
                                                 .options = options,
                                                 .batch = use.batch,
                                                 .overwritten = overwrite,
                                                 .passThrough = passThrough,
                                                 .residual = residual.defined(),
                                                 .xHandle = overwrite ? x : Tensor(),
                                                 .x = std::move(savedX),
                                                 .gamma = saved(gamma),
                                                 .beta = saved(beta),
                                                 .statistics = statistics,
                                                 .invstd = invstd,
                                                 .update = std::move(later)});
  r->options.residual = {};  // the graph has it as an operand, where it is needed
  const bool readsOutput = overwrite || ((oneDnn || residual.defined()) && options.act != Act::None);
  result.y = recordOne(
      op, operands, std::move(y), [r](const BackwardContext& c) { return gradientsOf(*r, c); },
      readsOutput ? SaveOutputs::Yes : SaveOutputs::No);
  return updated();
}

}  // namespace ember
