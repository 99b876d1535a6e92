#include <ember/autograd/ops/Activation.h>

#include <cmath>
#include <numbers>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Comparison.h>
#include <ember/autograd/ops/Math.h>
#include <ember/core/kernels/Elementwise.h>

namespace ember {

using namespace autograd;

namespace {

template <class Backward>
Tensor activation(const char* op, core::Unary kind, const Tensor& x, Backward&& backward, SaveOutputs save = SaveOutputs::No) {
  checkOperands(op, {&x});
  checkFloating(op, x);
  return apply(op, {&x}, x.shape(), x.dtype(), [&] { return core::unary(kind, x.array(), op); }, std::forward<Backward>(backward), save);
}

// 1 where v > 0, 0 elsewhere: the derivative of a kinked function, itself constant.
Tensor positive(const Tensor& v) { return (v.detach() > 0).to(v.dtype()); }

}  // namespace

Tensor relu(const Tensor& x) {
  return activation("relu", core::Unary::Relu, x,
                    [](const BackwardContext& c) {
                      if (!gradEnabled()) return Tensors{Tensor(core::reluBackward(c.grad().array(), c.output().array()))};
                      return Tensors{c.grad() * positive(c.output())};
                    },
                    SaveOutputs::Yes);
}

Tensor leakyRelu(const Tensor& x, double slope) {
  checkOperands("leakyRelu", {&x});
  checkFloating("leakyRelu", x);
  return apply("leakyRelu", {&x}, x.shape(), x.dtype(), [&] { return core::leakyRelu(x.array(), slope); },
               [x = Saved(x), slope](const BackwardContext& c) {
                 if (!gradEnabled()) return Tensors{Tensor(core::leakyReluBackward(c.grad().array(), x.get(c).array(), slope))};
                 const Tensor on = positive(x.get(c));
                 return Tensors{c.grad() * (on + (1 - on) * slope)};
               });
}

Tensor sigmoid(const Tensor& x) {
  return activation("sigmoid", core::Unary::Sigmoid, x,
                    [](const BackwardContext& c) {
                      const Tensor y = c.output();
                      return Tensors{c.grad() * y * (1 - y)};
                    },
                    SaveOutputs::Yes);
}

Tensor tanh(const Tensor& x) {
  return activation("tanh", core::Unary::Tanh, x,
                    [](const BackwardContext& c) {
                      const Tensor y = c.output();
                      return Tensors{c.grad() * (1 - y * y)};
                    },
                    SaveOutputs::Yes);
}

Tensor gelu(const Tensor& x, bool tanhForm) {
  if (tanhForm) {
    return activation("gelu", core::Unary::GeluTanh, x, [x = Saved(x)](const BackwardContext& c) {
      const double rootTwoOverPi = std::sqrt(2 * std::numbers::inv_pi);
      const Tensor v = x.get(c), t = tanh((v + v * v * v * 0.044715) * rootTwoOverPi);
      const Tensor inner = (1 + v * v * (3 * 0.044715)) * rootTwoOverPi;
      return Tensors{c.grad() * (0.5 * (1 + t) + 0.5 * v * (1 - t * t) * inner)};
    });
  }
  return activation("gelu", core::Unary::Gelu, x, [x = Saved(x)](const BackwardContext& c) {
    const Tensor v = x.get(c);
    const Tensor phi = exp(v * v * -0.5) * (std::numbers::inv_sqrtpi / std::numbers::sqrt2);
    return Tensors{c.grad() * (0.5 * (1 + erf(v / std::numbers::sqrt2)) + v * phi)};
  });
}

Tensor silu(const Tensor& x) {
  return activation("silu", core::Unary::Silu, x, [x = Saved(x)](const BackwardContext& c) {
    const Tensor v = x.get(c), s = sigmoid(v);
    return Tensors{c.grad() * (s + v * s * (1 - s))};
  });
}

Tensor softplus(const Tensor& x) {
  return activation("softplus", core::Unary::Softplus, x, [x = Saved(x)](const BackwardContext& c) { return Tensors{c.grad() * sigmoid(x.get(c))}; });
}

}  // namespace ember
