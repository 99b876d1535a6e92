#include <ember/autograd/ops/BatchNormBackward.h>

#include <numeric>
#include <string>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Math.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/Error.h>
#include <ember/core/kernels/Elementwise.h>

namespace ember::autograd::batchnorm {

using core::NDArray;

Channels::Channels(const Shape& shape, int wantedAxis) : rank(shape.rank()) {
  if (rank < 2) {
    throw ShapeError(op, "expected at least 2 axes, [N, C, ...], got " + toString(shape),
                     {{"input", "x " + toString(shape)}},
                     "give the input a channel axis, e.g. x.reshape({n, channels})");
  }
  axis = normalizeAxis(wantedAxis, rank, op);
  count = shape[axis];
  if (count < 1) {
    throw ShapeError(op, "expected at least 1 channel, got " + toString(shape), {{"input", "x " + toString(shape)}});
  }
  perChannel = numel(shape) / count;
}

Shape Channels::broadcast() const {
  Shape shape = Shape::filled(rank, 1);
  shape[axis] = count;
  return shape;
}

std::vector<int> Channels::others() const {
  std::vector<int> axes;
  for (int i = 0; i < rank; ++i) {
    if (i != axis) axes.push_back(i);
  }
  return axes;
}

std::vector<int> Channels::order(int from, int to) const {
  std::vector<int> axes(static_cast<std::size_t>(rank));
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
  core::BatchNormSaved saved{{}, {}, r.mean, r.invstd, {}, {}, fusedAct(r.options)};
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
    const NDArray dx =
        core::batchNormInputGrad(dy, saved, r.batch ? sums : core::BatchNormSums{}, r.channels.perChannel);
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
  const NDArray y = saved.x.defined()
                        ? core::normalize(saved.x, saved.mean, saved.invstd, saved.gamma, saved.beta, saved.act)
                        : saved.y;
  const NDArray positive = core::compare(core::Compare::Greater, y, NDArray::scalar(0, y.dtype()), op);
  const DType dtype = y.dtype() == DType::F64 ? DType::F64 : DType::F32;
  return Tensor(
      r.channels.back(core::where(positive, NDArray::scalar(1, dtype), NDArray::scalar(saved.act.slope, dtype), op)));
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
    centred = centred -
              constant(core::binary(core::Binary::Sub, r.mean, hi.array().to(DType::F64).reshape(r.mean.shape()), op));
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

Tensors gradientsOf(const Record& record, const BackwardContext& context) {
  return gradEnabled() ? composedGradients(record, context) : fusedGradients(record, context);
}

}  // namespace ember::autograd::batchnorm
