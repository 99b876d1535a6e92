#pragma once
#include <functional>
#include <memory>

#include <ember/autograd/Tensor.h>
#include <ember/core/kernels/AxisMap.h>

namespace ember::autograd {

/// A fixed sparse matrix along one axis of x as an op called `op`, whose gradient, the transposed matrix, is called
/// `backwardOp`: y[.., p, ..] = sum_i m[p, i] · x[.., i, ..]. `make` gives the matrix of `outputs` rows; shape-only runs
/// never ask for it. Differentiable any number of times.
Tensor mapAxis(const char* op, const char* backwardOp, const Tensor& x, int axis, i64 outputs,
               const std::function<core::AxisMap()>& make);

}  // namespace ember::autograd
