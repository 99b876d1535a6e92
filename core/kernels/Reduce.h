#pragma once
#include <vector>

#include <ember/core/NDArray.h>

/// Reductions. Sums accumulate in f64 over a fixed split of the data, so the result does not depend on scheduling.
namespace ember::core {

enum class Reduction : u8 { Sum, Mean, Max, Min, Prod };
/// Over `axes` (empty: all; negatives count from the end; a duplicate throws). f32, f64; Sum/Max/Min/Prod also integers.
/// Sum and Mean of nothing: 0 and ValueError; Max, Min of nothing: ValueError.
NDArray reduce(Reduction, const NDArray& x, const std::vector<int>& axes, bool keepDims, const char* op);
/// Shape of such a reduction, with the same checks.
Shape reduceShape(const Shape&, const std::vector<int>& axes, bool keepDims, const char* op);

/// Index (i64) of the first maximum along `axis`. NaN counts as the largest.
NDArray argmax(const NDArray& x, int axis, bool keepDims);

/// Sums the axes that broadcasting `shape` to x.shape() added or stretched: the adjoint of expand.
NDArray sumTo(const NDArray& x, const Shape& shape);

/// y = exp(x - max) / sum along `axis`, or its logarithm; stable for any finite x. Rows of -inf give NaN as the formula does.
NDArray softmax(const NDArray& x, int axis);
NDArray logSoftmax(const NDArray& x, int axis);

/// Square of the Euclidean norm over all elements, in f64.
double squaredNorm(const NDArray& x);

}  // namespace ember::core
