#include <ember/autograd/ops/BatchNorm.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Math.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/Error.h>
#include <ember/core/kernels/BatchNorm.h>
#include <ember/core/kernels/Elementwise.h>

namespace ember {

using namespace autograd;
using core::NDArray;

namespace {

constexpr const char* op = "batchNorm";

core::FusedAct fused(const BatchNormOptions& o) {
  using Kind = core::FusedAct::Kind;
  if (o.act == Act::ReLU) return {Kind::Relu, 0};
  if (o.act == Act::LeakyReLU) return {Kind::LeakyRelu, o.slope};
  return {};
}

double factorOf(const BatchNormOptions& o) { return o.momentum ? 1 - *o.momentum : o.factor.value_or(0.1); }

/// Where the channels are, and what that makes of shapes and arrays. Kernels want them on axis 1.
struct Channels {
  int axis = 1, rank = 0;
  i64 count = 0, perChannel = 0;

  Channels(const Shape& shape, int wanted) : rank(shape.rank()) {
    if (rank < 2) {
      throw ShapeError(op, "expected at least 2 axes, [N, C, ...], got " + toString(shape), {{"input", "x " + toString(shape)}},
                       "give the input a channel axis, e.g. x.reshape({n, channels})");
    }
    axis = normalizeAxis(wanted, rank, op);
    count = shape[axis];
    if (count < 1) throw ShapeError(op, "expected at least 1 channel, got " + toString(shape), {{"input", "x " + toString(shape)}});
    perChannel = numel(shape) / count;
  }
  NDArray inFront(const NDArray& x) const { return axis == 1 ? x : x.permute(order(axis, 1)); }
  NDArray back(const NDArray& x) const { return axis == 1 ? x : x.permute(order(1, axis)); }
  /// [1, C, 1, ...] as broadcasting wants it.
  Shape broadcast() const {
    Shape shape = Shape::filled(rank, 1);
    shape[axis] = count;
    return shape;
  }
  std::vector<int> others() const {
    std::vector<int> axes;
    for (int i = 0; i < rank; ++i) {
      if (i != axis) axes.push_back(i);
    }
    return axes;
  }

 private:
  /// Axes in order, but axis `from` moved to place `to`.
  std::vector<int> order(int from, int to) const {
    std::vector<int> axes(static_cast<std::size_t>(rank));
    std::iota(axes.begin(), axes.end(), 0);
    axes.erase(axes.begin() + from);
    axes.insert(axes.begin() + to, from);
    return axes;
  }
};

void checkPerChannel(const Tensor& x, const Tensor& t, const char* what, i64 channels) {
  if (!t.defined()) return;
  const DType expected = x.dtype() == DType::F64 ? DType::F64 : DType::F32;
  if (t.rank() != 1 || t.size(0) != channels) {
    throw ShapeError(op, "input has " + std::to_string(channels) + " channels, " + what + " expects " + (t.rank() == 1 ? std::to_string(t.size(0)) : toString(t.shape())),
                     {{"input", "x " + toString(x.shape())}, {what, toString(t.shape())}},
                     "build the layer with " + std::to_string(channels) + " channels, or name the channel axis by channelAxis");
  }
  if (t.dtype() != expected) {
    throw DtypeError(op, std::string(what) + " is " + std::string(name(t.dtype())) + ", data of type " + std::string(name(x.dtype())) + " needs " + std::string(name(expected)),
                     {{"input", "x " + toString(x.shape()) + " " + std::string(name(x.dtype()))}}, "convert the module or the data with to()");
  }
}

void checkDtype(const Tensor& x) {
  if (isFloating(x.dtype())) return;
  throw DtypeError(op, "expected f32, f64 or bf16, got " + std::string(name(x.dtype())), {{"input", "x " + toString(x.shape())}},
                   "convert the input with to(DType::F32)");
}

// ---- what the forward computes ----

NDArray invstdOf(const NDArray& var, double epsilon) {
  std::vector<double> values = var.toVector<double>();
  for (double& v : values) v = v + epsilon == 0 ? 0 : 1 / std::sqrt(v + epsilon);  // a constant channel without epsilon: 0, not infinity
  return NDArray::from<double>(values, var.shape());
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
  if (impl.array.storage()->external()) refuse("it lies in the program's own memory (fromBlob)", "copy it first with clone(), or turn inplace off");
  if (!impl.opResult) refuse("it is a leaf, not the result of an operation", "turn inplace off where the input comes from outside");
  if (!impl.array.isDense(MemoryOrder::RowMajor) && !impl.array.isDense(MemoryOrder::ChannelsLast)) {
    refuse("it is a view with gaps or repeats", "turn inplace off, or copy the input with clone()");
  }
  if (impl.array.storage().use_count() > 1) {
    const bool kept = impl.node && !impl.node->savedOutputs.empty() && impl.node->savedOutputs[impl.output].first.storage() == impl.array.storage();
    if (kept) refuse(std::string(impl.node->op) + ", which made it, needs it in its own backward", "turn inplace off behind " + std::string(impl.node->op));
    refuse("other tensors share its memory (it is a view, or has one)", "turn inplace off, or copy the input with clone()");
  }
}

void checkInplaceRecorded(const Tensor& x, const BatchNormOptions& o) {
  if (x.dtype() == DType::BF16) {
    throw ValueError(op, "inplace in training takes f32 or f64: bf16 is too coarse to rebuild the input from the output", {}, "turn inplace off");
  }
  if (o.act == Act::ReLU || (o.act == Act::LeakyReLU && !(o.slope > 0))) {
    throw ValueError(op, std::string("inplace in training takes act None or LeakyReLU with a positive slope: ") +
                             (o.act == Act::ReLU ? "ReLU" : "this LeakyReLU") + " loses what it cuts, so the input cannot be rebuilt",
                     {{"slope", std::to_string(o.slope)}}, "use LeakyReLU, or turn inplace off");
  }
}

/// Whether xh = (y-beta)/gamma comes back exactly enough in every channel: its relative error is eps·(1 + |beta/gamma|).
bool rebuildable(const Tensor& x, const Tensor& gamma, const Tensor& beta, const BatchNormOptions& o) {
  const bool isDouble = x.dtype() == DType::F64;
  const double eps = isDouble ? std::numeric_limits<double>::epsilon() : static_cast<double>(std::numeric_limits<float>::epsilon());
  const double smallest = isDouble ? std::numeric_limits<double>::min() : static_cast<double>(std::numeric_limits<float>::min());
  const double bound = isDouble ? 1e-12 : 1e-5, slope = o.act == Act::LeakyReLU ? std::min(1.0, o.slope) : 1;
  const std::size_t channels = static_cast<std::size_t>(gamma.defined() ? gamma.numel() : beta.defined() ? beta.numel() : 0);
  const std::vector<double> w = gamma.defined() ? gamma.toVector<double>() : std::vector<double>(channels, 1);
  const std::vector<double> b = beta.defined() ? beta.toVector<double>() : std::vector<double>(channels, 0);
  for (std::size_t c = 0; c < channels; ++c) {
    const double scale = std::abs(w[c]) * slope;
    // Below smallest/eps, gamma·xh turns subnormal for ordinary xh. Written so that NaN refuses.
    if (!(scale >= smallest / eps && eps * (1 + std::abs(b[c] / w[c])) <= bound)) return false;
  }
  return true;
}

// ---- backward ----

/// What the forward recorded. `x` is the operand as a handle: for its place in the graph when its memory holds y by now.
struct Record {
  Channels channels;
  BatchNormOptions options;
  bool batch = false, overwritten = false;
  Tensor xHandle;
  Saved x, gamma, beta;
  NDArray mean, invstd;
};

core::BatchNormSaved savedFor(const Record& r, const BackwardContext& c) {
  core::BatchNormSaved saved{{}, {}, r.mean, r.invstd, {}, {}, fused(r.options)};
  if (r.overwritten) {
    saved.y = r.channels.inFront(c.output().array());
  } else {
    saved.x = r.channels.inFront(r.x.get(c).array());
  }
  if (r.gamma.defined() && !r.options.fixGamma) saved.gamma = r.gamma.get(c).array();
  if (r.beta.defined()) saved.beta = r.beta.get(c).array();
  return saved;
}

Tensors fusedGradients(const Record& r, const BackwardContext& c) {
  const core::BatchNormSaved saved = savedFor(r, c);
  const NDArray dy = r.channels.inFront(c.grad().array());
  Tensors grads(3);
  core::BatchNormSums sums;
  if (c.needs(1) || c.needs(2) || r.batch) sums = core::batchNormSums(dy, saved);
  if (c.needs(0)) {
    const NDArray dx = core::batchNormInputGrad(dy, saved, r.batch ? sums : core::BatchNormSums{}, r.channels.perChannel);
    grads[0] = wrap(op, r.channels.back(dx));
  }
  if (c.needs(1)) {
    const Tensor gamma = r.gamma.get(c);
    grads[1] = r.options.fixGamma ? Tensor::zeros(gamma.shape(), gamma.dtype()) : wrap(op, sums.gxh.to(gamma.dtype()));
  }
  if (c.needs(2)) grads[2] = wrap(op, sums.g.to(r.beta.get(c).dtype()));
  return grads;
}

/// x itself; where y overwrote it, its value rebuilt, at the place of x in the graph.
Tensor inputOf(const Record& r, const core::BatchNormSaved& saved, const BackwardContext& c) {
  if (!r.overwritten) return r.x.get(c);
  const auto column = [&](const NDArray& values) { return values.to(saved.y.dtype()).reshape({1, r.channels.count}); };
  Shape shape = Shape::filled(r.channels.rank, 1);
  shape[1] = r.channels.count;
  NDArray v = saved.y;
  if (saved.act.kind == core::FusedAct::Kind::LeakyRelu) v = core::leakyRelu(v, 1 / saved.act.slope);
  if (saved.beta.defined()) v = core::binary(core::Binary::Sub, v, column(saved.beta).reshape(shape), op);
  if (saved.gamma.defined()) v = core::binary(core::Binary::Div, v, column(saved.gamma).reshape(shape), op);
  v = core::binary(core::Binary::Div, v, column(saved.invstd).reshape(shape), op);
  v = core::binary(core::Binary::Add, v, column(saved.mean).reshape(shape), op);
  const TensorImpl& place = *r.xHandle.impl();
  auto impl = std::make_shared<TensorImpl>();
  impl->array = r.channels.back(v);
  impl->version = impl->array.version();
  impl->requiresGrad = place.requiresGrad;
  impl->node = place.node;
  impl->output = place.output;
  return Tensor(std::move(impl));
}

/// act'(y) as a constant, 1 or slope, from the forward's own arithmetic.
Tensor activationSlopes(const Record& r, const core::BatchNormSaved& saved) {
  const NDArray y = saved.x.defined() ? core::normalize(saved.x, saved.mean, saved.invstd, saved.gamma, saved.beta, saved.act) : saved.y;
  const NDArray positive = core::compare(core::Compare::Greater, y, NDArray::scalar(0, y.dtype()), op);
  const DType dtype = y.dtype() == DType::F64 ? DType::F64 : DType::F32;
  return Tensor(r.channels.back(core::where(positive, NDArray::scalar(1, dtype), NDArray::scalar(saved.act.slope, dtype), op)));
}

/// The same gradients in differentiable ops, with the statistics of the batch as functions of x.
Tensors composedGradients(const Record& r, const BackwardContext& c) {
  const core::BatchNormSaved saved = savedFor(r, c);
  const Tensor original = inputOf(r, saved, c);
  const DType dtype = original.dtype() == DType::F64 ? DType::F64 : DType::F32;
  const Shape column = r.channels.broadcast();
  const std::vector<int> axes = r.channels.others();
  const auto constant = [&](const NDArray& values) { return Tensor(values.to(dtype).reshape(column)); };

  // Centred about the rounded mean first, as in the kernel: f32 means of centred values lose nothing.
  const Tensor hi = constant(r.mean);
  Tensor centred = cast(original, dtype) - hi;
  Tensor invstd = constant(r.invstd);
  if (r.batch) {
    centred = centred - mean(centred, axes, true);
    const Tensor variance = mean(centred * centred, axes, true);
    invstd = Tensor::scalar(1, dtype) / sqrt(variance + r.options.epsilon);
  } else {
    centred = centred - constant(core::binary(core::Binary::Sub, r.mean, hi.array().to(DType::F64).reshape(r.mean.shape()), op));
  }
  const Tensor xh = centred * invstd;
  Tensor g = cast(c.grad(), dtype);
  if (r.options.act != Act::None) g = g * activationSlopes(r, saved);

  const Tensor sumG = sum(g, axes, true), sumGXh = sum(g * xh, axes, true);
  Tensors grads(3);
  if (c.needs(0)) {
    Tensor dx = g;
    if (r.batch) dx = dx - (sumG + xh * sumGXh) / r.channels.perChannel;
    dx = dx * invstd;
    if (saved.gamma.defined()) dx = dx * reshape(r.gamma.get(c), column);
    grads[0] = cast(dx, original.dtype());
  }
  const Shape flat{r.channels.count};
  if (c.needs(1)) grads[1] = r.options.fixGamma ? Tensor::zeros(flat, dtype) : reshape(sumGXh, flat);
  if (c.needs(2)) grads[2] = reshape(sumG, flat);
  return grads;
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
  const auto refuse = [&](const std::string& what, const std::string& help) { throw ValueError(caller, what, {}, help); };
  if (!(o.epsilon >= 0) || std::isinf(o.epsilon)) refuse("epsilon is " + std::to_string(o.epsilon), "use a finite number of 0 or more");
  if (o.factor && o.momentum) refuse("factor and momentum are both given", "momentum is 1 - factor, the weight of the old statistic: give one");
  if (o.factor && !(*o.factor >= 0 && *o.factor <= 1)) refuse("factor is " + std::to_string(*o.factor), "use a number from 0 to 1");
  if (o.momentum && !(*o.momentum >= 0 && *o.momentum <= 1)) refuse("momentum is " + std::to_string(*o.momentum), "use a number from 0 to 1");
  if (!std::isfinite(o.slope)) refuse("slope is " + std::to_string(o.slope), "use a finite number");
  if (o.freeze && o.useGlobalStats == GlobalStats::False) refuse("freeze uses running statistics, useGlobalStats = False the batch's", "drop one of them");
  if (o.freeze && o.trainableStatistics) refuse("freeze never changes the running statistics, trainableStatistics always", "drop one of them");
  if (o.freeze && !o.trackRunningStats) refuse("freeze needs running statistics, trackRunningStats is off", "drop one of them");
  if (o.trainableStatistics && o.useGlobalStats == GlobalStats::True) {
    refuse("trainableStatistics uses the batch's statistics, useGlobalStats = True the running ones", "drop one of them");
  }
}

BatchNormResult batchNorm(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& runningMean, const Tensor& runningVar,
                          const BatchNormOptions& options) {
  const auto present = [](const Tensor& t) { return t.defined() ? &t : nullptr; };
  checkOperands(op, {&x, present(gamma), present(beta), present(runningMean), present(runningVar)});
  checkBatchNormOptions(op, options);
  checkDtype(x);
  const Channels channels(x.shape(), options.channelAxis);
  checkPerChannel(x, gamma, "gamma", channels.count);
  checkPerChannel(x, beta, "beta", channels.count);
  checkPerChannel(x, runningMean, "runningMean", channels.count);
  checkPerChannel(x, runningVar, "runningVar", channels.count);
  if (runningMean.defined() != runningVar.defined()) throw ValueError(op, "only one of runningMean and runningVar is given", {}, "give both or neither");
  const bool hasRunning = runningMean.defined();
  const i64 m = channels.perChannel;
  const StatisticsUse use = decideStatistics(options, hasRunning, m);
  if (!use.batch && !hasRunning && m > 0) throw ValueError(op, "the running statistics are to be used, but none are given", {}, "pass runningMean and runningVar");

  const DType parameterType = x.dtype() == DType::F64 ? DType::F64 : DType::F32;
  if (x.isShapeOnly()) {
    const Tensor perChannel = Tensor::shapeOnly({channels.count}, parameterType);
    return {Tensor::shapeOnly(x.shape(), x.dtype()), perChannel, perChannel};
  }
  if (use.batch && m == 1) {
    throw ValueError(op, "expected more than 1 value per channel when training, got " + toString(x.shape()), {{"input", "x " + toString(x.shape())}},
                     "drop a last batch of one sample (dropLast of the loader), or call eval() before single samples");
  }
  const Tensor* const scale = options.fixGamma ? nullptr : present(gamma);
  const Tensor* operands[] = {&x, options.freeze ? nullptr : present(gamma), options.freeze ? nullptr : present(beta)};
  const bool recorded = needsRecording(operands);
  if (options.inplace) {
    checkInplaceInput(x);
    if (recorded) checkInplaceRecorded(x, options);
  }

  // Every check has passed: from here on state may change.
  const NDArray source = channels.inFront(x.array());
  core::BatchStatistics statistics;
  if (use.batch) {
    statistics = core::batchStatistics(source);
  } else if (hasRunning) {
    statistics = {runningMean.array().to(DType::F64).copy(), runningVar.array().to(DType::F64).copy()};
  } else {
    statistics = {NDArray::zeros({channels.count}, DType::F64), NDArray::full({channels.count}, 1, DType::F64)};  // empty batch
  }
  const NDArray invstd = invstdOf(statistics.var, options.epsilon);
  const bool overwrite = options.inplace && (!recorded || rebuildable(x, scale ? gamma : Tensor(), beta, options));
  NDArray y = core::normalize(source, statistics.mean, invstd, scale ? gamma.array() : NDArray(), beta.defined() ? beta.array() : NDArray(),
                              fused(options), overwrite ? source : NDArray());
  y = channels.back(y);

  const Saved savedX = overwrite ? Saved() : Saved(x);
  if (overwrite) y.storage()->written(op);
  if (options.fixGamma && gamma.defined()) setToOne(gamma);
  // Frozen parameters take no part in second derivatives either.
  const Saved savedGamma(options.freeze && gamma.defined() ? gamma.detach() : gamma), savedBeta(options.freeze && beta.defined() ? beta.detach() : beta);
  if (use.update) {
    const double factor = factorOf(options), n = static_cast<double>(m);
    updateRunning(runningMean, statistics.mean, factor, 1);
    updateRunning(runningVar, statistics.var, factor, options.varEstimator == VarEstimator::Unbiased ? n / (n - 1) : 1);
  }
  BatchNormResult result{{}, Tensor(statistics.mean.to(parameterType)), Tensor(invstd.to(parameterType))};
  if (recorded) {
    Record r{channels, options, use.batch, overwrite, overwrite ? x : Tensor(), savedX, savedGamma, savedBeta, statistics.mean, invstd};
    result.y = record(op, operands, {y}, [r = std::move(r)](const BackwardContext& c) { return gradEnabled() ? composedGradients(r, c) : fusedGradients(r, c); },
                      overwrite ? SaveOutputs::Yes : SaveOutputs::No)[0];
  } else {
    result.y = wrap(op, y);
  }
  return result;
}

}  // namespace ember
