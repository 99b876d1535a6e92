#include <ember/autograd/ops/BatchNormBackward.h>

#include <numeric>
#include <span>
#include <string>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Comparison.h>
#include <ember/autograd/ops/Math.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/Error.h>
#include <ember/core/comm/Communicator.h>
#include <ember/core/kernels/Elementwise.h>
#include <ember/core/kernels/onednn/BatchNorm.h>
#include <ember/core/kernels/reference/BatchNorm.h>

namespace ember::autograd::batchnorm {

using core::NDArray;

Channels::Channels(const Shape& shape, const BatchNormOptions& options)
    : input(shape), perActivation(options.paramDim == ParamDim::PerActivation) {
  const int rank = shape.rank();
  if (rank < 2) {
    throw ShapeError(op, "expected at least 2 axes, [N, C, ...], got " + toString(shape),
                     {{"input", "x " + toString(shape)}},
                     "give the input a channel axis, e.g. x.reshape({n, channels})");
  }
  axis = normalizeAxis(options.channelAxis, rank, op);
  if (perActivation) {
    if (axis == 0) {
      throw ShapeError(op, "paramDim PerActivation averages over axis 0, which is the channel axis here",
                       {{"input", "x " + toString(shape)}}, "put the batch on axis 0");
    }
    parameters = shape;
    parameters.erase(0);
    count = numel(parameters);
    axis = 1;
  } else {
    count = shape[axis];
    parameters = Shape{count};
  }
  if (count < 1) {
    throw ShapeError(op, "expected at least 1 channel, got " + toString(shape), {{"input", "x " + toString(shape)}});
  }
  perChannel = numel(shape) / count;
}

NDArray Channels::inFront(const NDArray& x) const {
  if (perActivation) return x.reshape({input[0], count});
  return axis == 1 ? x : x.permute(order(axis, 1));
}

NDArray Channels::back(const NDArray& x) const {
  if (perActivation) return x.reshape(input);
  return axis == 1 ? x : x.permute(order(1, axis));
}

NDArray Channels::flat(const NDArray& parameter) const {
  return parameter.rank() > 1 ? parameter.reshape({count}) : parameter;
}

Shape Channels::broadcast() const {
  Shape shape = input;
  if (perActivation) {
    shape[0] = 1;
    return shape;
  }
  shape = Shape::filled(input.rank(), 1);
  shape[axis] = count;
  return shape;
}

std::vector<int> Channels::others() const {
  if (perActivation) return {0};
  std::vector<int> axes;
  for (int i = 0; i < input.rank(); ++i) {
    if (i != axis) axes.push_back(i);
  }
  return axes;
}

std::vector<int> Channels::order(int from, int to) const {
  std::vector<int> axes(static_cast<std::size_t>(input.rank()));
  std::iota(axes.begin(), axes.end(), 0);
  axes.erase(axes.begin() + from);
  axes.insert(axes.begin() + to, from);
  return axes;
}

core::FusedAct fusedAct(const BatchNormOptions& o) {
  using Kind = core::FusedAct::Kind;
  if (o.act == Act::ReLU) return {Kind::Relu, 0};
  if (o.act == Act::LeakyReLU) return {Kind::LeakyRelu, o.slope};
  return {};
}

namespace {

core::BatchNormSaved savedFor(const Record& r, const BackwardContext& c) {
  core::BatchNormSaved saved{{}, {}, r.statistics.mean, r.invstd, {}, {}, fusedAct(r.options)};
  if (r.overwritten) {
    saved.y = r.channels.inFront(c.output().array());
  } else {
    saved.x = r.channels.inFront(r.x.get(c).array()).contiguous(MemoryOrder::ChannelsLast);  // for two passes
    if (r.residual && r.options.act != Act::None) saved.y = r.channels.inFront(c.output().array());
  }
  if (r.passThrough) return saved;
  if (r.gamma.defined() && !r.options.fixGamma) saved.gamma = r.channels.flat(r.gamma.get(c).array());
  if (r.beta.defined()) saved.beta = r.channels.flat(r.beta.get(c).array());
  return saved;
}

/// The sums over all ranks as the gradient of x needs them: nothing flows back through a constant invstd.
core::BatchNormSums forInput(const Record& r, const core::BatchNormSums& own) {
  // Usually there are none to share and every invstd bends.
  if (!r.options.syncGroup && r.options.epsMode == EpsMode::Additive && r.options.epsilon > 0) return own;
  std::vector<double> g = own.g.toVector<double>(), gxh = own.gxh.toVector<double>();
  if (r.options.syncGroup) {
    std::vector<double> both(g);
    both.insert(both.end(), gxh.begin(), gxh.end());
    r.options.syncGroup->allReduce(std::span(both));
    std::copy(both.begin(), both.begin() + static_cast<std::ptrdiff_t>(g.size()), g.begin());
    std::copy(both.begin() + static_cast<std::ptrdiff_t>(g.size()), both.end(), gxh.begin());
  }
  const std::vector<double> bends = invstdBends(r.statistics.var, r.options).toVector<double>();
  for (std::size_t i = 0; i < gxh.size(); ++i) gxh[i] *= bends[i];
  return {NDArray::from<double>(g, own.g.shape()), NDArray::from<double>(gxh, own.gxh.shape())};
}

Tensor parameterGrad(const Record& r, const NDArray& sums, DType dtype) {
  return wrap(op, sums.to(dtype).reshape(r.channels.parameters));
}

/// g = dy·act'(..) by the sign of y, in a pass of its own.
NDArray branchGradient(const Record& r, const BackwardContext& c) {
  const NDArray g = r.channels.inFront(c.grad().array());
  if (r.options.act == Act::None) return g;
  // The separate activations take no bf16.
  const DType type = g.dtype() == DType::BF16 ? DType::F32 : g.dtype();
  const NDArray wide = g.to(type), y = r.channels.inFront(c.output().array()).to(type);
  return (r.options.act == Act::ReLU ? core::reluBackward(wide, y) : core::leakyReluBackward(wide, y, r.options.slope))
      .to(g.dtype());
}

Tensors fusedGradients(const Record& r, const BackwardContext& c) {
  if (r.residual && !c.needs(0) && !c.needs(1) && !c.needs(2))
    return {{}, {}, {}, wrap(op, r.channels.back(branchGradient(r, c)))};
  core::BatchNormSaved saved = savedFor(r, c);
  NDArray dy = r.channels.inFront(c.grad().array()).contiguous(MemoryOrder::ChannelsLast);
  const bool reference = r.options.backend == BatchNormBackend::Reference;
  const auto sumsOf = reference ? core::reference::batchNormSums : core::batchNormSums;
  const auto inputGrad = reference ? core::reference::batchNormInputGrad : core::batchNormInputGrad;
  Tensors grads(4);
  core::BatchNormSums sums;
  if (r.residual) {
    NDArray g;
    sums = sumsOf(dy, saved, &g);
    if (c.needs(3)) grads[3] = wrap(op, r.channels.back(g));
    dy = g;
    saved.act = {};
  } else if (c.needs(1) || c.needs(2) || (c.needs(0) && r.batch)) {
    sums = sumsOf(dy, saved, nullptr);
  }
  if (c.needs(0)) {
    const core::BatchNormSums through = r.batch ? forInput(r, sums) : core::BatchNormSums{};
    grads[0] = wrap(op, r.channels.back(inputGrad(dy, saved, through, r.statistics.count)));
  }
  if (c.needs(1)) grads[1] = parameterGrad(r, sums.gxh, r.gamma.get(c).dtype());
  if (c.needs(2)) grads[2] = parameterGrad(r, sums.g, r.beta.get(c).dtype());
  return grads;
}

Tensors oneDnnGradients(const Record& r, const BackwardContext& c) {
  const core::BatchNormSaved saved = savedFor(r, c);
  const NDArray g = branchGradient(r, c);
  const core::onednn::BatchNormBackward result = core::onednn::batchNormBackward(
      saved.x, g, saved.gamma, r.statistics.mean, r.statistics.var, r.options.epsilon, !r.batch);
  Tensors grads(4);
  if (c.needs(3)) grads[3] = wrap(op, r.channels.back(g));
  if (c.needs(0)) grads[0] = wrap(op, r.channels.back(result.dx));
  if (c.needs(1)) grads[1] = parameterGrad(r, result.dgamma, r.gamma.get(c).dtype());
  if (c.needs(2)) grads[2] = parameterGrad(r, result.dbeta, r.beta.get(c).dtype());
  return grads;
}

/// x - hi, where hi is the mean rounded to the type of x (running means are of that type: only a batch's is rounded).
/// Where y overwrote x, rebuilt at the place of x in the graph as xh·std, without the rounding of an x as large as the
/// mean: that is x - mean, and the batch's mean of it is 0 anyway.
Tensor centredInput(const Record& r, const core::BatchNormSaved& saved, const Tensor& hi, const BackwardContext& c) {
  if (!r.overwritten) return cast(r.x.get(c), hi.dtype()) - hi;
  Shape shape = Shape::filled(r.channels.input.rank(), 1);
  shape[1] = r.channels.count;
  const auto column = [&](const NDArray& values) { return values.to(saved.y.dtype()).reshape(shape); };
  NDArray v = saved.y;
  if (saved.act.kind == core::FusedAct::Kind::LeakyRelu) v = core::leakyRelu(v, 1 / saved.act.slope);
  if (saved.beta.defined()) v = core::binary(core::Binary::Sub, v, column(saved.beta), op);
  if (saved.gamma.defined()) v = core::binary(core::Binary::Div, v, column(saved.gamma), op);
  std::vector<double> std = saved.invstd.toVector<double>();
  for (double& s : std) s = s == 0 ? 0 : 1 / s;
  v = core::binary(core::Binary::Mul, v, column(NDArray::from<double>(std, saved.mean.shape())), op);
  const TensorImpl& place = *r.xHandle.impl();
  auto impl = std::make_shared<TensorImpl>();
  impl->array = r.channels.back(v);
  impl->version = impl->array.version();
  impl->requiresGrad = place.requiresGrad;
  impl->node = place.node;
  impl->output = place.output;
  return Tensor(std::move(impl));
}

/// act' as a constant, 1 or slope, by the sign of what the activation saw, in the forward's own arithmetic.
Tensor activationSlopes(const Record& r, const core::BatchNormSaved& saved) {
  const NDArray before = !saved.y.defined()
                             ? core::normalize(saved.x, saved.mean, saved.invstd, saved.gamma, saved.beta, {})
                             : saved.y;  // the slope is not negative, y has the sign
  const NDArray positive = core::compare(core::Compare::Greater, before, NDArray::scalar(0, before.dtype()), op);
  const DType dtype = before.dtype() == DType::F64 ? DType::F64 : DType::F32;
  return Tensor(
      r.channels.back(core::where(positive, NDArray::scalar(1, dtype), NDArray::scalar(saved.act.slope, dtype), op)));
}

/// The same gradients in differentiable ops, with the statistics of the batch as functions of x.
Tensors composedGradients(const Record& r, const BackwardContext& c) {
  const core::BatchNormSaved saved = savedFor(r, c);
  const DType dtype = c.grad().dtype() == DType::F64 ? DType::F64 : DType::F32;
  const Shape column = r.channels.broadcast();
  const std::vector<int> axes = r.channels.others();
  const auto constant = [&](const NDArray& values) { return Tensor(values.to(dtype).reshape(column)); };
  const auto sumOverAll = [&](const Tensor& t) { return sumOverRanks(sum(t, axes, true), r.options.syncGroup); };
  const double count = static_cast<double>(std::max<i64>(r.statistics.count, 1));

  // Centred about the rounded mean first, as in the kernel: f32 means of centred values lose nothing.
  const Tensor hi = constant(r.statistics.mean);
  Tensor centred = centredInput(r, saved, hi, c);
  Tensor invstd = constant(r.invstd);
  const Tensor bends = constant(invstdBends(r.statistics.var, r.options));
  if (r.batch) {
    centred = centred - sumOverAll(centred) / count;
    const Tensor variance = sumOverAll(centred * centred) / count;
    const double added = r.options.epsMode == EpsMode::Additive ? r.options.epsilon : 0;
    const Tensor under = where(bends > 0.0, variance + added, Tensor::ones(column, dtype));
    invstd = where(bends > 0.0, Tensor::scalar(1, dtype) / sqrt(under), invstd);
  }
  const Tensor xh = centred * invstd;
  Tensor g = cast(c.grad(), dtype);
  if (r.options.act != Act::None) g = g * activationSlopes(r, saved);

  const Tensor sumG = sum(g, axes, true), sumGXh = sum(g * xh, axes, true);
  Tensors grads(4);
  if (c.needs(3)) grads[3] = cast(g, c.grad().dtype());
  if (c.needs(0)) {
    Tensor dx = g;
    if (r.batch) {
      const Tensor allG = sumOverRanks(sumG, r.options.syncGroup), allGXh = sumOverRanks(sumGXh, r.options.syncGroup);
      dx = dx - (allG + xh * bends * allGXh) / count;
    }
    dx = dx * invstd;
    if (saved.gamma.defined()) dx = dx * reshape(r.gamma.get(c), column);
    grads[0] = cast(dx, c.grad().dtype());
  }
  if (c.needs(1)) grads[1] = reshape(sumGXh, r.channels.parameters);
  if (c.needs(2)) grads[2] = reshape(sumG, r.channels.parameters);
  return grads;
}

}  // namespace

Tensors gradientsOf(const Record& r, const BackwardContext& c) {
  if (r.update) r.update->apply();
  // As the forward chose: it has kept y for these alone.
  const bool oneDnn = r.options.backend == BatchNormBackend::OneDNN && !r.passThrough && r.channels.perChannel > 0;
  Tensors grads = gradEnabled() ? composedGradients(r, c) : oneDnn ? oneDnnGradients(r, c) : fusedGradients(r, c);
  // Of one value a channel nothing is left of g, but for what the fused kernels round.
  if (r.batch && r.statistics.count == 1 && c.needs(0) && !gradEnabled())
    grads[0] = Tensor::zeros(r.channels.input, c.grad().dtype());
  const auto zero = [&](int i, const Saved& parameter) {
    if (c.needs(i)) grads[static_cast<std::size_t>(i)] = Tensor::zeros(r.channels.parameters, parameter.get(c).dtype());
  };
  if (r.options.fixGamma || r.passThrough) zero(1, r.gamma);
  if (r.passThrough) zero(2, r.beta);
  return grads;
}

}  // namespace ember::autograd::batchnorm
