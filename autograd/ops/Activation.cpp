#include <ember/autograd/ops/Activation.h>

#include <cmath>
#include <numbers>
#include <string>
#include <utility>

#include <ember/autograd/Deferred.h>
#include <ember/autograd/Fusion.h>
#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Comparison.h>
#include <ember/autograd/ops/Math.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/Error.h>
#include <ember/core/kernels/Elementwise.h>
#include <ember/core/kernels/Epilogue.h>

namespace ember {

using namespace autograd;

namespace {

template <class Backward>
Tensor activation(const char* op, core::Unary kind, const Tensor& x, Backward&& backward,
                  SaveOutputs save = SaveOutputs::No) {
  checkOperands(op, {&x});
  checkFloating(op, x);
  return apply(op, {&x}, x.shape(), x.dtype(), [&] { return core::unary(kind, x.array(), op); },
               std::forward<Backward>(backward), save);
}

// A plain backward in one pass over memory; `at` is y for sigmoid and tanh, x for the others. The differentiable forms
// below serve second derivatives.
Tensors fused(core::Slope slope, const BackwardContext& c, const Tensor& at) {
  return {Tensor(core::timesSlope(slope, c.grad().array(), at.array()))};
}

// 1 where v > 0, 0 elsewhere: the derivative of a kinked function, itself constant.
Tensor positive(const Tensor& v) { return (v.detach() > 0).to(v.dtype()); }

Tensor geluTanh(const Tensor& x) {
  return activation("gelu", core::Unary::GeluTanh, x, [x = Saved(x)](const BackwardContext& c) {
    const Tensor v = x.get(c);
    if (!gradEnabled()) return fused(core::Slope::GeluTanh, c, v);
    const double rootTwoOverPi = std::sqrt(2 * std::numbers::inv_pi);
    const Tensor t = tanh((v + v * v * v * 0.044715) * rootTwoOverPi);
    const Tensor inner = (1 + v * v * (3 * 0.044715)) * rootTwoOverPi;
    return Tensors{c.grad() * (0.5 * (1 + t) + 0.5 * v * (1 - t * t) * inner)};
  });
}

/// act(x) over the memory of x, or nothing where that must not be.
Tensor overwriting(const char* op, Tensor& x, const core::FusedAct& act) {
  if (joinActivation(x, act)) return std::move(x);
  if (!mayOverwrite(x) || (x.dtype() != DType::F32 && x.dtype() != DType::F64)) return {};
  const Tensor taken = std::move(x);
  const auto kernel = [&] {
    core::NDArray y = taken.array();
    core::finish(y, {}, act);
    y.storage()->written(op);
    return y;
  };
  return apply(op, {&taken}, taken.shape(), taken.dtype(), kernel,
               [act](const BackwardContext& c) { return Tensors{activationBackward(c, act)}; }, SaveOutputs::Yes);
}

}  // namespace

namespace autograd {

Tensor activationBackward(const BackwardContext& c, const core::FusedAct& act) {
  const Tensor& dy = c.grad();
  const Tensor y = c.output();
  if (!gradEnabled()) return Tensor(core::actBackward(dy.array(), y.array(), act, ownsGradient(dy)));
  const Tensor on = positive(y);
  return act.kind == core::FusedAct::Kind::Relu ? dy * on : dy * (on + (1 - on) * act.slope);
}

}  // namespace autograd

Tensor relu(Tensor&& x) {
  Tensor y = overwriting("relu", x, {core::FusedAct::Kind::Relu, 0});
  return y.defined() ? y : relu(std::as_const(x));
}

Tensor relu(const Tensor& x) {
  const auto backward = [](const BackwardContext& c) {
    if (!gradEnabled()) return Tensors{Tensor(core::reluBackward(c.grad().array(), c.output().array()))};
    return Tensors{c.grad() * positive(c.output())};
  };
  return activation("relu", core::Unary::Relu, x, backward, SaveOutputs::Yes);
}

Tensor leakyRelu(Tensor&& x, double slope) {
  Tensor y = slope >= 0 ? overwriting("leakyRelu", x, {core::FusedAct::Kind::LeakyRelu, slope}) : Tensor();
  return y.defined() ? y : leakyRelu(std::as_const(x), slope);
}

Tensor leakyRelu(const Tensor& x, double slope) {
  checkOperands("leakyRelu", {&x});
  checkFloating("leakyRelu", x);
  return apply("leakyRelu", {&x}, x.shape(), x.dtype(), [&] { return core::leakyRelu(x.array(), slope); },
               [x = Saved(x), slope](const BackwardContext& c) {
                 const Tensor v = x.get(c);
                 if (!gradEnabled())
                   return Tensors{Tensor(core::leakyReluBackward(c.grad().array(), v.array(), slope))};
                 const Tensor on = positive(v);
                 return Tensors{c.grad() * (on + (1 - on) * slope)};
               });
}

Tensor sigmoid(const Tensor& x) {
  const auto backward = [](const BackwardContext& c) {
    const Tensor y = c.output();
    if (!gradEnabled()) return fused(core::Slope::Sigmoid, c, y);
    return Tensors{c.grad() * y * (1 - y)};
  };
  return activation("sigmoid", core::Unary::Sigmoid, x, backward, SaveOutputs::Yes);
}

Tensor tanh(const Tensor& x) {
  const auto backward = [](const BackwardContext& c) {
    const Tensor y = c.output();
    if (!gradEnabled()) return fused(core::Slope::Tanh, c, y);
    return Tensors{c.grad() * (1 - y * y)};
  };
  return activation("tanh", core::Unary::Tanh, x, backward, SaveOutputs::Yes);
}

Tensor gelu(const Tensor& x, bool tanhForm) {
  if (tanhForm) return geluTanh(x);
  return activation("gelu", core::Unary::Gelu, x, [x = Saved(x)](const BackwardContext& c) {
    const Tensor v = x.get(c);
    if (!gradEnabled()) return fused(core::Slope::Gelu, c, v);
    const Tensor phi = exp(v * v * -0.5) * (std::numbers::inv_sqrtpi / std::numbers::sqrt2);
    return Tensors{c.grad() * (0.5 * (1 + erf(v / std::numbers::sqrt2)) + v * phi)};
  });
}

Tensor silu(const Tensor& x) {
  return activation("silu", core::Unary::Silu, x, [x = Saved(x)](const BackwardContext& c) {
    const Tensor v = x.get(c);
    if (!gradEnabled()) return fused(core::Slope::Silu, c, v);
    const Tensor s = sigmoid(v);
    return Tensors{c.grad() * (s + v * s * (1 - s))};
  });
}

Tensor softplus(const Tensor& x) {
  return activation("softplus", core::Unary::Softplus, x, [x = Saved(x)](const BackwardContext& c) {
    const Tensor v = x.get(c);
    if (!gradEnabled()) return fused(core::Slope::Softplus, c, v);
    return Tensors{c.grad() * sigmoid(v)};
  });
}

Tensor prelu(const Tensor& x, const Tensor& weight) {
  constexpr const char* op = "prelu";
  checkOperands(op, {&x, &weight});
  checkFloating(op, x);
  checkSameDtype(op, x, weight, "x", "weight");
  const i64 channels = x.rank() >= 2 ? x.size(1) : 1;
  if (weight.rank() != 1 || (weight.size(0) != 1 && weight.size(0) != channels)) {
    throw ShapeError(op, "weight is " + toString(weight.shape()) + ", x is " + toString(x.shape()), {},
                     "give one slope, or one for each of the " + std::to_string(channels) + " channels");
  }
  Shape alongChannels = weight.shape();
  for (int axis = 2; axis < x.rank(); ++axis) alongChannels.push(1);
  if (x.rank() == 0) alongChannels = {};
  const auto kernel = [&] {
    const NoGrad guard;
    return where(x > 0, x, x * reshape(weight, alongChannels)).array();
  };
  const auto backward = [x = Saved(x), w = Saved(weight), alongChannels](const BackwardContext& c) {
    const Tensor v = x.get(c), slope = w.get(c), &dy = c.grad(), on = v > 0;
    Tensors gradients(2);
    if (c.needs(0)) gradients[0] = where(on, dy, dy * reshape(slope, alongChannels));
    if (c.needs(1)) {
      const Tensor each = where(on, Tensor::scalar(0, v.dtype()), dy * v);
      gradients[1] = reshape(sumTo(each, alongChannels), slope.shape());
    }
    return gradients;
  };
  return apply(op, {&x, &weight}, x.shape(), x.dtype(), kernel, backward);
}

Tensor glu(const Tensor& x, int axis) {
  constexpr const char* op = "glu";
  checkOperands(op, {&x});
  checkFloating(op, x);
  axis = normalizeAxis(axis, x.rank(), op);
  const i64 size = x.size(axis), half = size / 2;
  if (size % 2 != 0) {
    throw ShapeError(op, "axis " + std::to_string(axis) + " of x " + toString(x.shape()) + " is odd", {},
                     "half of it gates the other half: make it even");
  }
  return slice(x, axis, 0, half) * sigmoid(slice(x, axis, half, size));
}

}  // namespace ember
