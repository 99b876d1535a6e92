#pragma once
#include <ember/autograd/ops/Comparison.h>

/// Logic on tensors of any type, where all but 0 is true: bool tensors, never differentiable.
namespace ember {

Tensor logicalAnd(const Tensor& a, const Tensor& b);  ///< with broadcasting, as the next two
Tensor logicalOr(const Tensor& a, const Tensor& b);
Tensor logicalXor(const Tensor& a, const Tensor& b);
Tensor logicalNot(const Tensor& x);
/// Elementwise. Both sides are always computed.
inline Tensor operator&&(const Tensor& a, const Tensor& b) { return logicalAnd(a, b); }
inline Tensor operator||(const Tensor& a, const Tensor& b) { return logicalOr(a, b); }
inline Tensor operator!(const Tensor& x) { return logicalNot(x); }

/// Whether any element / every element along `axes` (empty: all) is true. Of nothing: false / true.
Tensor any(const Tensor& x, const std::vector<int>& axes = {}, bool keepDims = false);
Tensor all(const Tensor& x, const std::vector<int>& axes = {}, bool keepDims = false);

Tensor isnan(const Tensor& x);     ///< false everywhere for integers
Tensor isinf(const Tensor& x);     ///< infinity of either sign
Tensor isfinite(const Tensor& x);  ///< neither NaN nor infinite

/// Whether |a - b| <= absolute + relative·|b| everywhere (the defaults are NumPy's); equal infinities are close, NaN is
/// close to nothing. ShapeError where shapes do not broadcast, DtypeError on mixed types.
bool allClose(const Tensor& a, const Tensor& b, double relative = 1e-5, double absolute = 1e-8);

}  // namespace ember
