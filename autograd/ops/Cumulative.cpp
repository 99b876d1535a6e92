#include <ember/autograd/ops/Cumulative.h>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Rearrange.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/kernels/Cumulative.h>
#include <ember/core/kernels/Reduce.h>

namespace ember {

using namespace autograd;

Tensor cumsum(const Tensor& x, int axis, const CumulativeOptions& options) {
  constexpr const char* op = "cumsum";
  checkOperands(op, {&x});
  axis = normalizeAxis(axis, x.rank(), op);
  const DType dtype = core::reduceDtype(core::Reduction::Sum, x.dtype());
  return apply(
      op, {&x}, x.shape(), dtype,
      [&] { return core::cumulativeSum(x.array().to(dtype), axis, options.exclusive, options.reverse); },
      [axis, options](const BackwardContext& c) {
        return Tensors{cumsum(c.grad(), axis, {options.exclusive, !options.reverse})};
      });
}

Tensor cumprod(const Tensor& x, int axis, const CumulativeOptions& options) {
  constexpr const char* op = "cumprod";
  checkOperands(op, {&x});
  axis = normalizeAxis(axis, x.rank(), op);
  if (options.reverse) return flip(cumprod(flip(x, {axis}), axis, {.exclusive = options.exclusive}), {axis});
  const i64 size = x.size(axis);
  Tensor y = cast(x, core::reduceDtype(core::Reduction::Prod, x.dtype()));
  if (options.exclusive && size > 0) {
    Shape one = y.shape();
    one[axis] = 1;
    y = concat({Tensor::ones(one, y.dtype()), slice(y, axis, 0, size - 1)}, axis);
  }
  // Products of windows that end at each element and double in length. Only products: every derivative is exact at 0.
  for (i64 step = 1; step < size; step *= 2) {
    y = concat({slice(y, axis, 0, step), slice(y, axis, step, size) * slice(y, axis, 0, size - step)}, axis);
  }
  return y;
}

}  // namespace ember
