#include <ember/autograd/ops/AdaptivePool.h>

#include <algorithm>
#include <string>
#include <vector>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/AxisMap.h>
#include <ember/autograd/ops/PlaneIndex.h>
#include <ember/core/Error.h>
#include <ember/core/kernels/AdaptiveBins.h>
#include <ember/core/kernels/PlaneIndex.h>

// Bins of equal size are windows side by side, which the plain pools do faster. A mean over other bins is one along
// each axis after another.

namespace ember {

using namespace autograd;

namespace {

struct AdaptiveNames {
  const char *forward, *backward;
};
constexpr AdaptiveNames meanNames[3] = {{"adaptiveAvgPool1d", "adaptiveAvgPool1dBackward"},
                                        {"adaptiveAvgPool2d", "adaptiveAvgPool2dBackward"},
                                        {"adaptiveAvgPool3d", "adaptiveAvgPool3dBackward"}};
constexpr AdaptiveNames maxNames[3] = {{"adaptiveMaxPool1d", "adaptiveMaxPool1dBackward"},
                                       {"adaptiveMaxPool2d", "adaptiveMaxPool2dBackward"},
                                       {"adaptiveMaxPool3d", "adaptiveMaxPool3dBackward"}};

const AdaptiveNames& namesOf(const AdaptiveNames (&table)[3], int spatial) {
  if (spatial < 1 || spatial > 3)
    throw ValueError("adaptivePool", "spatial is " + std::to_string(spatial) + ", must be 1, 2 or 3");
  return table[spatial - 1];
}

/// The shape of the result, with every check.
Shape adaptiveShape(int spatial, const Tensor& x, const Sizes& size, const char* op) {
  checkOperands(op, {&x});
  checkFloating(op, x);
  if (x.rank() != spatial + 2) {
    throw ShapeError(op, "input has rank " + std::to_string(x.rank()) + ", expected " + std::to_string(spatial + 2),
                     {{"input", "x " + toString(x.shape())}},
                     "the input is [N, C] and " + std::to_string(spatial) + " spatial axes");
  }
  Shape y{x.size(0), x.size(1)};
  for (int i = 0; i < spatial; ++i) {
    const i64 wanted = size.at(i, spatial, op, "size"), there = x.size(2 + i);
    if (there == 0) throw ShapeError(op, "input " + toString(x.shape()) + " has an empty axis");
    if (wanted < 1 && wanted != -1)
      throw ValueError(op, "size is " + std::to_string(wanted), {}, "use 1 or more, or -1 for the size of the input");
    y.push(wanted == -1 ? there : wanted);
  }
  numel(y);  // throws if it overflows
  return y;
}

bool dividesAll(const Shape& x, const Shape& y) {
  for (int i = 2; i < x.rank(); ++i) {
    if (x[i] % y[i] != 0) return false;
  }
  return true;
}

/// Windows side by side that are the bins.
PoolOptions windowsOf(const Shape& x, const Shape& y) {
  std::vector<i64> kernel;
  for (int i = 2; i < x.rank(); ++i) kernel.push_back(x[i] / y[i]);
  return {.kernel = kernel};
}

core::AxisMap meanOfBins(i64 size, i64 count) {
  core::AxisMap map;
  map.inputs = size;
  for (i64 p = 0; p < count; ++p) {
    const core::AdaptiveBin bin(p, size, count);
    for (i64 i = bin.begin; i < bin.end; ++i) map.add(i, 1.0 / static_cast<double>(bin.end - bin.begin));
    map.close();
  }
  return map;
}

}  // namespace

Tensor adaptiveAvgPoolND(int spatial, const Tensor& x, const Sizes& size) {
  const AdaptiveNames& names = namesOf(meanNames, spatial);
  const Shape shape = adaptiveShape(spatial, x, size, names.forward);
  if (dividesAll(x.shape(), shape)) return avgPoolND(spatial, x, windowsOf(x.shape(), shape));
  Tensor y = x;
  for (int axis = 2; axis < x.rank(); ++axis) {
    const i64 inputs = x.size(axis), outputs = shape[axis];
    if (inputs == outputs) continue;
    y = mapAxis(names.forward, names.backward, y, axis, outputs, [=] { return meanOfBins(inputs, outputs); });
  }
  return y;
}

PoolWithIndices adaptiveMaxPoolNDWithIndices(int spatial, const Tensor& x, const Sizes& size) {
  const AdaptiveNames& names = namesOf(maxNames, spatial);
  const Shape shape = adaptiveShape(spatial, x, size, names.forward);
  if (x.isShapeOnly()) return {Tensor::shapeOnly(shape, x.dtype()), Tensor::shapeOnly(shape, DType::I64)};
  if (dividesAll(x.shape(), shape)) return maxPoolNDWithIndices(spatial, x, windowsOf(x.shape(), shape));
  std::array<i64, 3> bins{1, 1, 1};
  std::copy(shape.begin() + 2, shape.end(), bins.begin());
  const Tensor indices = wrap(names.forward, core::binMaxIndices(x.array(), bins));
  return {planeGather(names.forward, names.backward, x, indices.array()), indices};
}

Tensor adaptiveMaxPoolND(int spatial, const Tensor& x, const Sizes& size) {
  const AdaptiveNames& names = namesOf(maxNames, spatial);
  const Shape shape = adaptiveShape(spatial, x, size, names.forward);
  if (dividesAll(x.shape(), shape)) return maxPoolND(spatial, x, windowsOf(x.shape(), shape));
  return adaptiveMaxPoolNDWithIndices(spatial, x, size).y;
}

Tensor adaptiveAvgPool1d(const Tensor& x, const Sizes& size) { return adaptiveAvgPoolND(1, x, size); }
Tensor adaptiveAvgPool2d(const Tensor& x, const Sizes& size) { return adaptiveAvgPoolND(2, x, size); }
Tensor adaptiveAvgPool3d(const Tensor& x, const Sizes& size) { return adaptiveAvgPoolND(3, x, size); }
Tensor adaptiveMaxPool1d(const Tensor& x, const Sizes& size) { return adaptiveMaxPoolND(1, x, size); }
Tensor adaptiveMaxPool2d(const Tensor& x, const Sizes& size) { return adaptiveMaxPoolND(2, x, size); }
Tensor adaptiveMaxPool3d(const Tensor& x, const Sizes& size) { return adaptiveMaxPoolND(3, x, size); }

}  // namespace ember
