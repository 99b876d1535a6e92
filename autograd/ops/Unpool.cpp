#include <ember/autograd/ops/Unpool.h>

#include <string>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/PlaneIndex.h>
#include <ember/core/Error.h>
#include <ember/core/kernels/PlaneIndex.h>

namespace ember {

using namespace autograd;

Tensor maxUnpoolND(int spatial, const Tensor& x, const Tensor& indices, const Sizes& size) {
  if (spatial < 1 || spatial > 3)
    throw ValueError("maxUnpool", "spatial is " + std::to_string(spatial) + ", must be 1, 2 or 3");
  constexpr const char* names[3][2] = {{"maxUnpool1d", "maxUnpool1dBackward"},
                                       {"maxUnpool2d", "maxUnpool2dBackward"},
                                       {"maxUnpool3d", "maxUnpool3dBackward"}};
  const char *op = names[spatial - 1][0], *backwardOp = names[spatial - 1][1];
  checkOperands(op, {&x, &indices});
  checkFloating(op, x);
  if (x.rank() != spatial + 2) {
    throw ShapeError(op, "input has rank " + std::to_string(x.rank()) + ", expected " + std::to_string(spatial + 2),
                     {{"input", "x " + toString(x.shape())}});
  }
  if (indices.dtype() != DType::I64) {
    throw DtypeError(op, "indices are " + std::string(name(indices.dtype())) + ", expected i64", {},
                     "take them from maxPoolNDWithIndices()");
  }
  if (indices.shape() != x.shape()) {
    throw ShapeError(op, "indices are " + toString(indices.shape()) + ", the input " + toString(x.shape()), {},
                     "each element needs its index");
  }
  Shape shape{x.size(0), x.size(1)};
  for (int i = 0; i < spatial; ++i) {
    const i64 wanted = size.at(i, spatial, op, "size");
    if (wanted < 1) throw ValueError(op, "size is " + std::to_string(wanted), {}, "use 1 or more");
    shape.push(wanted);
  }
  numel(shape);  // throws if it overflows
  if (x.isShapeOnly() || indices.isShapeOnly()) return Tensor::shapeOnly(shape, x.dtype());
  return planeScatter(op, backwardOp, x, core::lastAtEachPlace(indices.array(), shape, op), shape);
}

Tensor maxUnpool1d(const Tensor& x, const Tensor& indices, const Sizes& size) {
  return maxUnpoolND(1, x, indices, size);
}
Tensor maxUnpool2d(const Tensor& x, const Tensor& indices, const Sizes& size) {
  return maxUnpoolND(2, x, indices, size);
}
Tensor maxUnpool3d(const Tensor& x, const Tensor& indices, const Sizes& size) {
  return maxUnpoolND(3, x, indices, size);
}

}  // namespace ember
