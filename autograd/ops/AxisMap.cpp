#include <ember/autograd/ops/AxisMap.h>

#include <utility>

#include <ember/autograd/Op.h>

// A linear map: its gradient is the transposed one, whose gradient is the map again.

namespace ember::autograd {
namespace {

using Map = std::shared_ptr<const core::AxisMap>;

Tensor applyMap(const char* op, const char* backwardOp, const Tensor& x, int axis, const Map& map) {
  Shape shape = x.shape();
  shape[axis] = map->outputs();
  return apply(
      op, {&x}, shape, x.dtype(), [&] { return core::mapAxis(x.array(), axis, *map, op); },
      [op, backwardOp, axis, map](const BackwardContext& c) {
        const auto back = std::make_shared<const core::AxisMap>(map->transposed());
        return Tensors{applyMap(backwardOp, op, c.grad(), axis, back)};
      });
}

}  // namespace

Tensor mapAxis(const char* op, const char* backwardOp, const Tensor& x, int axis, i64 outputs,
               const std::function<core::AxisMap()>& make) {
  checkOperands(op, {&x});
  if (x.isShapeOnly()) {
    Shape shape = x.shape();
    shape[axis] = outputs;
    return Tensor::shapeOnly(shape, x.dtype());
  }
  return applyMap(op, backwardOp, x, axis, std::make_shared<const core::AxisMap>(make()));
}

}  // namespace ember::autograd
