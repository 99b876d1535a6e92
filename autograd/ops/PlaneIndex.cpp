#include <ember/autograd/ops/PlaneIndex.h>

#include <ember/autograd/Op.h>
#include <ember/core/kernels/PlaneIndex.h>

namespace ember::autograd {

Tensor planeGather(const char* op, const char* backwardOp, const Tensor& x, const core::NDArray& index) {
  return apply(
      op, {&x}, index.shape(), x.dtype(), [&] { return core::planeGather(x.array(), index, op); },
      [op, backwardOp, index, shape = x.shape()](const BackwardContext& c) {
        return Tensors{planeScatter(backwardOp, op, c.grad(), index, shape)};
      });
}

Tensor planeScatter(const char* op, const char* backwardOp, const Tensor& x, const core::NDArray& index,
                    const Shape& shape) {
  return apply(
      op, {&x}, shape, x.dtype(), [&] { return core::planeScatter(x.array(), index, shape, op); },
      [op, backwardOp, index](const BackwardContext& c) {
        return Tensors{planeGather(backwardOp, op, c.grad(), index)};
      });
}

}  // namespace ember::autograd
