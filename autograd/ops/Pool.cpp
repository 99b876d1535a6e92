#include <ember/autograd/ops/Pool.h>

#include <memory>
#include <string>
#include <vector>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Reduction.h>
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

const PoolNames& namesOf(const PoolNames (&table)[3], int spatial) {
  if (spatial < 1 || spatial > 3)
    throw ValueError("pool", "spatial is " + std::to_string(spatial) + ", must be 1, 2 or 3");
  return table[spatial - 1];
}

core::PoolGeometry poolGeometry(int spatial, const PoolOptions& options, const char* op) {
  core::PoolGeometry g;
  g.spatial = spatial;
  g.kernel = options.kernel.over(spatial, op, "kernel");
  g.stride = options.stride.set() ? options.stride.over(spatial, op, "stride") : g.kernel;
  g.pad = options.padding.over(spatial, op, "padding");
  g.countIncludePad = options.countIncludePad;
  return g;
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

}  // namespace

Tensor maxPoolND(int spatial, const Tensor& x, const PoolOptions& options) {
  const PoolNames& names = namesOf(maxNames, spatial);
  checkOperands(names.forward, {&x});
  checkFloating(names.forward, x);
  const core::PoolGeometry g = poolGeometry(spatial, options, names.forward);
  const Shape shape = core::poolShape(x.shape(), g, names.forward);
  const Tensor* operands[] = {&x};
  if (!needsRecording(operands)) {
    return apply(
        names.forward, operands, shape, x.dtype(), [&] { return core::maxPool(x.array(), g, false).y; }, nullptr);
  }
  const auto won = std::make_shared<Winners>(Winners{{}, g, names});
  return apply(
      names.forward, operands, shape, x.dtype(),
      [&] {
        core::MaxPoolResult result = core::maxPool(x.array(), g);
        won->of = std::move(result.winners);
        return std::move(result.y);
      },
      [won, xShape = x.shape()](const BackwardContext& c) { return Tensors{maxPoolScatter(c.grad(), *won, xShape)}; });
}

Tensor avgPoolND(int spatial, const Tensor& x, const PoolOptions& options) {
  const PoolNames& names = namesOf(avgNames, spatial);
  return avgPool(x, poolGeometry(spatial, options, names.forward), names);
}

Tensor maxPool1d(const Tensor& x, const PoolOptions& options) { return maxPoolND(1, x, options); }
Tensor maxPool2d(const Tensor& x, const PoolOptions& options) { return maxPoolND(2, x, options); }
Tensor maxPool3d(const Tensor& x, const PoolOptions& options) { return maxPoolND(3, x, options); }
Tensor avgPool1d(const Tensor& x, const PoolOptions& options) { return avgPoolND(1, x, options); }
Tensor avgPool2d(const Tensor& x, const PoolOptions& options) { return avgPoolND(2, x, options); }
Tensor avgPool3d(const Tensor& x, const PoolOptions& options) { return avgPoolND(3, x, options); }

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
