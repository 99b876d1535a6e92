#pragma once
#include <vector>

#include <ember/core/NDArray.h>

/// Reductions. Sums accumulate in f64 over a fixed split of the data, so the result does not depend on scheduling.
namespace ember::core {

enum class Reduction : u8 { Sum, Mean, Max, Min, Prod };
/// Over `axes` (empty: all; negatives count from the end; a duplicate throws). Floating types; Sum, Max, Min and Prod also
/// integers (sums wrap), Sum, Max and Min also bool. Sum and Prod of nothing are 0 and 1; Mean, Max and Min of nothing throw
/// ValueError. NaN wins Max and Min. With keepDims the result lies channels last if x does, else row-major.
NDArray reduce(Reduction, const NDArray& x, const std::vector<int>& axes, bool keepDims, const char* op);
/// Shape of such a reduction, with the same checks.
Shape reduceShape(const Shape&, const std::vector<int>& axes, bool keepDims, const char* op);

/// Type of the result: that of x, but i64 for sums and products of smaller integers and bool (a sum of bools counts).
DType reduceDtype(Reduction, DType) noexcept;

/// Index (i64) of the first (or last) maximum / minimum along `axis`. NaN wins both.
NDArray argmax(const NDArray& x, int axis, bool keepDims, bool lastOfEqual = false);
NDArray argmin(const NDArray& x, int axis, bool keepDims, bool lastOfEqual = false);

/// Sums the axes that broadcasting `shape` to x.shape() added or stretched: the adjoint of expand.
NDArray sumTo(const NDArray& x, const Shape& shape);

/// y = exp(x - max) / sum along `axis`, or its logarithm; stable for any finite x. Rows of -inf give NaN as the formula does.
NDArray softmax(const NDArray& x, int axis);
NDArray logSoftmax(const NDArray& x, int axis);

/// Square of the Euclidean norm over all elements, in f64.
double squaredNorm(const NDArray& x);

}  // namespace ember::core
