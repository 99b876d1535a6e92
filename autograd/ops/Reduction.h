#pragma once
#include <vector>

#include <ember/autograd/Tensor.h>

/// Reductions over `axes` (empty: all; negatives from the end; a duplicate is a ShapeError). keepDims keeps them with
/// size 1. x f32 or f64 (sums, max and min also integers); sums accumulate in f64.
namespace ember {

Tensor sum(const Tensor& x, const std::vector<int>& axes = {}, bool keepDims = false);
/// ValueError over 0 elements.
Tensor mean(const Tensor& x, const std::vector<int>& axes = {}, bool keepDims = false);
/// sum((x - mean)^2) / (m - correction), m elements each; correction 1 gives the sample variance.
Tensor var(const Tensor& x, const std::vector<int>& axes = {}, bool keepDims = false, int correction = 1);
/// Largest and smallest element; equal ones share the gradient evenly. ValueError over 0 elements.
Tensor amax(const Tensor& x, const std::vector<int>& axes = {}, bool keepDims = false);
Tensor amin(const Tensor& x, const std::vector<int>& axes = {}, bool keepDims = false);
/// Product; of nothing 1. Small integers and bool give i64. The gradient is exact with zeros among the factors.
Tensor prod(const Tensor& x, const std::vector<int>& axes = {}, bool keepDims = false);
/// log(sum(exp(x))) without overflow. ValueError over 0 elements.
Tensor logsumexp(const Tensor& x, const std::vector<int>& axes = {}, bool keepDims = false);
/// Index (i64) of the first (or last) largest / smallest element along `axis`; NaN is both. Not differentiable.
Tensor argmax(const Tensor& x, int axis = -1, bool keepDims = false, bool lastOfEqual = false);
Tensor argmin(const Tensor& x, int axis = -1, bool keepDims = false, bool lastOfEqual = false);

}  // namespace ember
