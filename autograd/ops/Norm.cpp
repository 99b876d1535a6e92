#include <ember/autograd/ops/Norm.h>

#include <cmath>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Comparison.h>
#include <ember/autograd/ops/Math.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/autograd/ops/Rounding.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/Error.h>
#include <ember/core/kernels/Reduce.h>

namespace ember {

using namespace autograd;

namespace {

// a where it is not 0, else 1: for powers and quotients whose result is dropped there.
Tensor nonZeroOr1(const Tensor& a) { return where(a == 0, 1, a); }

// g · d(norm)/dx = g · sign(x) · |x|^(p-1) / norm^(p-1), and 0 where x or the norm is.
Tensor slope(const Tensor& g, const Tensor& x, const Tensor& y, double p) {
  const Tensor quotient = where(y == 0, 0, g / pow(nonZeroOr1(y), p - 1));
  if (p == 2) return x * quotient;
  return sign(x.detach()) * pow(nonZeroOr1(abs(x)), p - 1) * quotient;
}

}  // namespace

Tensor norm(const Tensor& x, double p, const std::vector<int>& axes, bool keepDims) {
  constexpr const char* op = "norm";
  checkOperands(op, {&x});
  checkFloating(op, x);
  if (std::isnan(p)) throw ValueError(op, "p is NaN", {}, "use 1, 2, an infinity or any other number");
  const Shape kept = core::reduceShape(x.shape(), axes, true, op),
              shape = core::reduceShape(x.shape(), axes, keepDims, op);
  if (std::isinf(p)) return p > 0 ? amax(abs(x), axes, keepDims) : amin(abs(x), axes, keepDims);
  if (p == 1) return sum(abs(x), axes, keepDims);
  if (p == 0) return sum((x.detach() != 0).to(x.dtype()), axes, keepDims);
  return apply(
      op, {&x}, shape, x.dtype(),
      [&] {
        const NoGrad off;
        const Tensor value = x.detach();
        const Tensor total = sum(p == 2 ? square(value) : pow(abs(value), p), axes, keepDims);
        return (p == 2 ? sqrt(total) : pow(total, 1 / p)).array();
      },
      [x = Saved(x), kept, p](const BackwardContext& c) {
        const Tensor v = x.get(c);
        const auto spread = [&](const Tensor& t) { return expand(reshape(t, kept), v.shape()); };
        return Tensors{slope(spread(c.grad()), v, spread(c.output()), p)};
      },
      SaveOutputs::Yes);
}

}  // namespace ember
