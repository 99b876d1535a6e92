#pragma once
#include <ember/core/kernels/BatchNorm.h>
#include <ember/core/kernels/ConvRule.h>

/// Convolutions for which winogradPossible() holds, on f32 arrays: activations channels last, weights and their
/// gradients row-major, all dense. Transformed filters are kept with the weights' storage until it is written.
namespace ember::core::winograd {

/// y = act(conv(x, w) + bias + residual), act(v) = max(v, 0) if `relu` (NaN stays NaN). bias and residual may be
/// undefined, y may be the residual.
void convForward(const ConvProblem&, const NDArray& x, const NDArray& w, const NDArray& bias, const NDArray& residual,
                 bool relu, const NDArray& y);
/// y = conv(x, w) and the statistics of y, taken while it is written; false, with nothing done, where only y by itself
/// is to be had.
bool convForwardWithStatistics(const ConvProblem&, const NDArray& x, const NDArray& w, const NDArray& y,
                               BatchStatistics& statistics);
void convBackwardData(const ConvProblem&, const NDArray& dy, const NDArray& w, const NDArray& dx);
void convBackwardWeights(const ConvProblem&, const NDArray& dy, const NDArray& x, const NDArray& dw);

}  // namespace ember::core::winograd
