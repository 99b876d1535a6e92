#pragma once
#include <ember/core/kernels/Conv.h>

/// Convolutions as plain loops that accumulate in f64: f64 nets run on them, and they are the oracle for oneDNN's
/// kernels. x and dy are dense channels last, w row-major; f32 or f64. Every result element is summed in one fixed
/// order, whatever the thread count. Sizes are taken as checked.
namespace ember::core::reference {

NDArray conv(const NDArray& x, const NDArray& w, const NDArray& bias, const Shape& yShape, const ConvGeometry&);
NDArray convBackwardData(const NDArray& dy, const NDArray& w, const Shape& xShape, const ConvGeometry&);
NDArray convBackwardWeights(const NDArray& dy, const NDArray& x, const Shape& wShape, const ConvGeometry&);

}  // namespace ember::core::reference
