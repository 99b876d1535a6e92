#pragma once
#include <ember/core/kernels/ConvRule.h>

/// Direct f32 convolutions on oneDNN. Activations are channels last, weights and their gradients row-major, all dense;
/// packed weights are kept with the weights' storage until it is written. 1-D data run as 2-D with height 1.
///
/// Each returns false, having written nothing, if oneDNN has nothing better than its reference loops for the shape.
/// Forward computes y = act(conv + bias [+ y]) as the problem says.
namespace ember::core::onednn {

/// Whether convForward() would run, and not by way of a matrix product.
bool convRuns(const ConvProblem&);
bool convForward(const ConvProblem&, const NDArray& x, const NDArray& w, const NDArray& bias, const NDArray& y);
bool convBackwardData(const ConvProblem&, const NDArray& dy, const NDArray& w, const NDArray& dx);
bool convBackwardWeights(const ConvProblem&, const NDArray& dy, const NDArray& x, const NDArray& dw);

}  // namespace ember::core::onednn
