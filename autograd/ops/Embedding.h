#pragma once
#include <optional>

#include <ember/autograd/Tensor.h>

namespace ember {

/// Rows of a table, one for each index.
///
///   y[..., d] = weight[indices[...], d]
///
/// indices  i64, any shape, from 0 to rows - 1
/// weight   [rows, dim]   f32 or f64
/// -> the shape of indices and [dim]
///
/// Differentiable in weight any number of times; the row `padding` (negative: from the end) takes no gradient. Rows
/// that are looked up several times add up in the order of the indices, whatever the number of threads. DtypeError for
/// other indices, ValueError for one out of range (with its position) or such a padding, ShapeError for another weight.
/// Semantics as torch.nn.functional.embedding.
Tensor embedding(const Tensor& indices, const Tensor& weight, std::optional<i64> padding = {});

/// Independent linear maps of parts of the last axis.
///
///   y[..., g·K + k] = sum_c x[..., g·C + c]·weight[g, k, c] + bias[g·K + k]
///
/// x [..., groups·C], weight [groups, K, C], bias [groups·K] or undefined -> [..., groups·K]. Differentiable any number
/// of times; ShapeError where sizes do not fit.
Tensor groupedLinear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

}  // namespace ember
