#pragma once
#include <ember/autograd/Tensor.h>

namespace ember::autograd {

/// Elements of spatial planes at fixed places (core/kernels/PlaneIndex.h): two linear ops, each the other's gradient.
Tensor planeGather(const char* op, const char* backwardOp, const Tensor& x, const core::NDArray& index);
Tensor planeScatter(const char* op, const char* backwardOp, const Tensor& x, const core::NDArray& index,
                    const Shape& shape);

}  // namespace ember::autograd
