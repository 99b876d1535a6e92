#include <ember/autograd/ops/Pool.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Math.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/Error.h>
#include <ember/core/kernels/Pool.h>

namespace ember {

using namespace autograd;

namespace {

struct PoolNames {
  const char *forward, *backward, *gather;
};
constexpr PoolNames maxNames[3] = {{"maxPool1d", "maxPool1dBackward", "maxPool1dGather"},
                                   {"maxPool2d", "maxPool2dBackward", "maxPool2dGather"},
                                   {"maxPool3d", "maxPool3dBackward", "maxPool3dGather"}};
constexpr PoolNames avgNames[3] = {{"avgPool1d", "avgPool1dBackward", ""},
                                   {"avgPool2d", "avgPool2dBackward", ""},
                                   {"avgPool3d", "avgPool3dBackward", ""}};
constexpr PoolNames lpNames[3] = {{"lpPool1d", "lpPool1dBackward", ""},
                                  {"lpPool2d", "lpPool2dBackward", ""},
                                  {"lpPool3d", "lpPool3dBackward", ""}};

const PoolNames& namesOf(const PoolNames (&table)[3], int spatial) {
  if (spatial < 1 || spatial > 3)
    throw ValueError("pool", "spatial is " + std::to_string(spatial) + ", must be 1, 2 or 3");
  return table[spatial - 1];
}

core::PoolGeometry poolGeometry(const Tensor& x, int spatial, const PoolOptions& options, const char* op) {
  core::PoolGeometry g;
  g.spatial = spatial;
  g.kernel = options.kernel.over(spatial, op, "kernel");
  g.stride = options.stride.set() ? options.stride.over(spatial, op, "stride") : g.kernel;
  g.dilation = options.dilation.over(spatial, op, "dilation");
  g.ceilMode = options.ceilMode;
  g.countIncludePad = options.countIncludePad;
  g.divisor = options.divisorOverride;
  if (x.rank() == spatial + 2) {  // else poolShape refuses it
    const Padding::Sides sides =
        options.padding.over(spatial, x.shape().begin() + 2, g.kernel.data(), g.stride, g.dilation, op);
    g.padBefore = sides.before;
    g.padAfter = sides.after;
  }
  return g;
}

core::PoolGeometry maxGeometry(const Tensor& x, int spatial, const PoolOptions& options, const char* op) {
  if (options.divisorOverride != 0) {
    throw ValueError(op, "divisorOverride is " + std::to_string(options.divisorOverride) + ", but a maximum has none",
                     {}, "leave it at 0");
  }
  return poolGeometry(x, spatial, options, op);
}

core::PoolGeometry avgGeometry(const Tensor& x, int spatial, const PoolOptions& options, const char* op) {
  for (int i = 0; i < spatial; ++i) {
    if (const i64 dilation = options.dilation.at(i, spatial, op, "dilation"); dilation != 1) {
      throw ValueError(op, "dilation is " + std::to_string(dilation) + ", but a mean has none", {},
                       "leave it at 1, or convolve with constant filters");
    }
  }
  if (options.divisorOverride < 0)
    throw ValueError(op, "divisorOverride is " + std::to_string(options.divisorOverride), {},
                     "use a divisor of 1 or more, or 0 for the size of the window");
  return poolGeometry(x, spatial, options, op);
}

// Max pooling picks elements of x; which ones is fixed once the forward has run, so its backward is linear: scatter to
// the winners, and the backward of that gathers from them again.
struct Winners {
  core::NDArray of;
  core::PoolGeometry geometry;
  const PoolNames& names;
};
Tensor maxPoolGather(const Tensor& x, const Winners& won);

Tensor maxPoolScatter(const Tensor& dy, const Winners& won, const Shape& xShape) {
  return apply(
      won.names.backward, {&dy}, xShape, dy.dtype(),
      [&] { return core::maxPoolBackward(dy.array(), won.of, xShape, won.geometry); },
      [won](const BackwardContext& c) { return Tensors{maxPoolGather(c.grad(), won)}; });
}

Tensor maxPoolGather(const Tensor& x, const Winners& won) {
  return apply(
      won.names.gather, {&x}, won.of.shape(), x.dtype(),
      [&] { return core::maxPoolGather(x.array(), won.of, won.geometry); },
      [won, xShape = x.shape()](const BackwardContext& c) { return Tensors{maxPoolScatter(c.grad(), won, xShape)}; });
}

// Average pooling is linear itself, and its backward's backward is the forward.
Tensor avgPool(const Tensor& x, const core::PoolGeometry& g, const PoolNames& names);

Tensor avgPoolSpread(const Tensor& dy, const Shape& xShape, const core::PoolGeometry& g, const PoolNames& names) {
  return apply(
      names.backward, {&dy}, xShape, dy.dtype(), [&] { return core::avgPoolBackward(dy.array(), xShape, g); },
      [g, &names](const BackwardContext& c) { return Tensors{avgPool(c.grad(), g, names)}; });
}

Tensor avgPool(const Tensor& x, const core::PoolGeometry& g, const PoolNames& names) {
  checkOperands(names.forward, {&x});
  checkFloating(names.forward, x);
  const Shape shape = core::poolShape(x.shape(), g, names.forward);
  return apply(
      names.forward, {&x}, shape, x.dtype(), [&] { return core::avgPool(x.array(), g); },
      [g, xShape = x.shape(), &names](const BackwardContext& c) {
        return Tensors{avgPoolSpread(c.grad(), xShape, g, names)};
      });
}

PoolWithIndices maxPool(int spatial, const Tensor& x, const PoolOptions& options, bool withIndices) {
  const PoolNames& names = namesOf(maxNames, spatial);
  checkOperands(names.forward, {&x});
  checkFloating(names.forward, x);
  const core::PoolGeometry g = maxGeometry(x, spatial, options, names.forward);
  const Shape shape = core::poolShape(x.shape(), g, names.forward);
  const Tensor* operands[] = {&x};
  const bool recorded = needsRecording(operands);
  const auto won = recorded || withIndices ? std::make_shared<Winners>(Winners{{}, g, names}) : nullptr;
  const auto kernel = [&] {
    core::MaxPoolResult result = core::maxPool(x.array(), g, won != nullptr);
    if (won) won->of = std::move(result.winners);
    return std::move(result.y);
  };
  PoolWithIndices result;
  if (!recorded) {
    result.y = apply(names.forward, operands, shape, x.dtype(), kernel, nullptr);
  } else {
    result.y = apply(names.forward, operands, shape, x.dtype(), kernel,
                     [won, xShape = x.shape()](const BackwardContext& c) {
                       return Tensors{maxPoolScatter(c.grad(), *won, xShape)};
                     });
  }
  if (withIndices) {
    result.indices = x.isShapeOnly() ? Tensor::shapeOnly(shape, DType::I64)
                                     : wrap(names.forward, core::maxPoolIndices(won->of, x.shape(), g));
  }
  return result;
}

}  // namespace

Tensor maxPoolND(int spatial, const Tensor& x, const PoolOptions& options) {
  return maxPool(spatial, x, options, false).y;
}

PoolWithIndices maxPoolNDWithIndices(int spatial, const Tensor& x, const PoolOptions& options) {
  return maxPool(spatial, x, options, true);
}

Tensor avgPoolND(int spatial, const Tensor& x, const PoolOptions& options) {
  const PoolNames& names = namesOf(avgNames, spatial);
  checkOperands(names.forward, {&x});
  return avgPool(x, avgGeometry(x, spatial, options, names.forward), names);
}

Tensor lpPoolND(int spatial, const Tensor& x, double p, const PoolOptions& options) {
  const char* op = namesOf(lpNames, spatial).forward;
  checkOperands(op, {&x});
  checkFloating(op, x);
  if (!(p > 0) || std::isinf(p))
    throw ValueError(op, "p is " + std::to_string(p), {}, "use a finite number above 0; a maximum is the limit");
  if (options.divisorOverride != 0) throw ValueError(op, "divisorOverride is set, but a sum has none");
  PoolOptions sums = options;
  sums.divisorOverride = 1;
  core::PoolGeometry g = avgGeometry(x, spatial, sums, op);
  const Tensor powers = p == 1 ? abs(x) : p == 2 ? square(x) : pow(abs(x), p);
  const Tensor total = avgPool(powers, g, namesOf(lpNames, spatial));
  return p == 1 ? total : p == 2 ? sqrt(total) : pow(total, 1 / p);
}

Tensor maxPool1d(const Tensor& x, const PoolOptions& options) { return maxPoolND(1, x, options); }
Tensor maxPool2d(const Tensor& x, const PoolOptions& options) { return maxPoolND(2, x, options); }
Tensor maxPool3d(const Tensor& x, const PoolOptions& options) { return maxPoolND(3, x, options); }
Tensor avgPool1d(const Tensor& x, const PoolOptions& options) { return avgPoolND(1, x, options); }
Tensor avgPool2d(const Tensor& x, const PoolOptions& options) { return avgPoolND(2, x, options); }
Tensor avgPool3d(const Tensor& x, const PoolOptions& options) { return avgPoolND(3, x, options); }

PoolWithIndices maxPool1dWithIndices(const Tensor& x, const PoolOptions& options) {
  return maxPoolNDWithIndices(1, x, options);
}
PoolWithIndices maxPool2dWithIndices(const Tensor& x, const PoolOptions& options) {
  return maxPoolNDWithIndices(2, x, options);
}
PoolWithIndices maxPool3dWithIndices(const Tensor& x, const PoolOptions& options) {
  return maxPoolNDWithIndices(3, x, options);
}
Tensor lpPool1d(const Tensor& x, double p, const PoolOptions& options) { return lpPoolND(1, x, p, options); }
Tensor lpPool2d(const Tensor& x, double p, const PoolOptions& options) { return lpPoolND(2, x, p, options); }
Tensor lpPool3d(const Tensor& x, double p, const PoolOptions& options) { return lpPoolND(3, x, p, options); }

Tensor globalMaxPool(const Tensor& x, bool keepDims) {
  checkOperands("globalMaxPool", {&x});
  checkFloating("globalMaxPool", x);
  const int spatial = x.rank() - 2;
  if (spatial < 1 || spatial > 3) {
    throw ShapeError("globalMaxPool", "input has rank " + std::to_string(x.rank()) + ", expected 3 to 5",
                     {{"input", toString(x.shape())}}, "give it [N, C, L], [N, C, H, W] or [N, C, D, H, W]");
  }
  if (std::any_of(x.shape().begin() + 2, x.shape().end(), [](i64 size) { return size == 0; }))
    throw ShapeError("globalMaxPool", "input " + toString(x.shape()) + " has nothing to take the maximum of");
  const Tensor y = maxPoolND(spatial, x, {.kernel = std::vector<i64>(x.shape().begin() + 2, x.shape().end())});
  return keepDims ? y : reshape(y, {x.size(0), x.size(1)});
}

Tensor globalAvgPool(const Tensor& x, bool keepDims) {
  checkOperands("globalAvgPool", {&x});
  checkFloating("globalAvgPool", x);
  if (x.rank() < 3) {
    throw ShapeError("globalAvgPool", "input has rank " + std::to_string(x.rank()) + ", expected at least 3",
                     {{"input", toString(x.shape())}}, "give it [N, C, L], [N, C, H, W] or [N, C, D, H, W]");
  }
  std::vector<int> spatial;
  for (int axis = 2; axis < x.rank(); ++axis) spatial.push_back(axis);
  return mean(x, spatial, keepDims);
}

}  // namespace ember
