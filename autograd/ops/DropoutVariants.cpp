// All are y = factor·x + shift, with a factor and a shift for what stays and for what is dropped.
#include <ember/autograd/ops/DropoutVariants.h>

#include <cmath>
#include <memory>
#include <string>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/ActivationChecks.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/core/Error.h>
#include <ember/core/kernels/Dropout.h>
#include <ember/core/kernels/Elementwise.h>

namespace ember {

using namespace autograd;

namespace {

/// The sizes of x up to and with axis `last`, and 1 behind: what is dropped together shares a mask element.
Shape maskShape(const Shape& x, int last) {
  Shape shape = x;
  for (int axis = last + 1; axis < x.rank(); ++axis) shape[axis] = 1;
  return shape;
}

/// Drops along the axes up to `last`. `value` is what the dropped become before scale and shift.
Tensor drop(const char* op, const Tensor& x, double p, bool training, int last, double value) {
  if (!(p >= 0 && p <= 1)) {
    throw ValueError(op, "p is " + toText(p) + ", must be in [0, 1]", {}, "p is the probability to be dropped");
  }
  checkOperands(op, {&x});
  checkFloating(op, x);
  if (x.rank() <= last) {
    throw ShapeError(op, "x is " + toString(x.shape()) + ", expected rank " + std::to_string(last + 1) + " or more");
  }
  if (!training || p == 0) return x;
  // Without a value the mean alone is kept, by 1/(1-p); with one the variance, too.
  const double keep = 1 - p;
  const double scale = p == 1 ? 0 : value == 0 ? 1 / keep : 1 / std::sqrt(keep * (1 + p * value * value));
  const double shift = -scale * value * p;
  const auto factor = std::make_shared<core::NDArray>();
  const auto number = [&](double v) { return core::NDArray::scalar(v, x.dtype()); };
  const auto kernel = [&] {
    using core::Binary;
    const Shape shape = maskShape(x.shape(), last < 0 ? x.rank() - 1 : last);
    const core::NDArray kept = core::dropoutMask(shape, p, random::nextCallKey(), MemoryOrder::RowMajor).to(x.dtype());
    *factor = core::binary(Binary::Mul, kept, number(scale), op);
    const core::NDArray y = core::binary(Binary::Mul, x.array(), *factor, op);
    if (value == 0) return y;
    // scale·value + shift for the dropped, shift alone for the others.
    const core::NDArray fill = core::binary(Binary::Mul, kept, number(-scale * value), op);
    const core::NDArray offset = core::binary(Binary::Add, fill, number(scale * value + shift), op);
    return core::binary(Binary::Add, y, offset, op);
  };
  return apply(op, {&x}, x.shape(), x.dtype(), kernel,
               [factor](const BackwardContext& c) { return Tensors{c.grad() * Tensor(*factor)}; });
}

constexpr double seluLeft = -1.7580993408473766;  // selu(-infinity)
constexpr int everyElement = -1;

}  // namespace

Tensor featureDropout(const Tensor& x, double p, bool training) { return drop("featureDropout", x, p, training, 1, 0); }
Tensor alphaDropout(const Tensor& x, double p, bool training) {
  return drop("alphaDropout", x, p, training, everyElement, seluLeft);
}
Tensor featureAlphaDropout(const Tensor& x, double p, bool training) {
  return drop("featureAlphaDropout", x, p, training, 1, seluLeft);
}
Tensor dropPath(const Tensor& x, double p, bool training) { return drop("dropPath", x, p, training, 0, 0); }

}  // namespace ember
