#pragma once
#include <ember/core/NDArray.h>

/// Rows brought to mean 0 and variance 1: what layer, group, instance and RMS norms are made of.
namespace ember::core {

struct RowNormResult {
  NDArray y;       ///< of the shape and type of x, row-major
  NDArray invstd;  ///< [rows], f64
};

/// y = (x - mean)·invstd for each row of x [rows, n], f32 or f64, with mean = sum(x)/n, or 0 unless `centred`,
/// and invstd = 1/sqrt(sum((x - mean)²)/n + epsilon), or 0 where that root is 0. All in f64, in two passes over a row;
/// one thread has a row, so the bits don't depend on their number.
RowNormResult rowNorm(const NDArray& x, double epsilon, bool centred);

/// The gradient of x: invstd·(dy - mean(dy) - y·mean(dy·y)), without mean(dy) unless `centred`.
NDArray rowNormBackward(const NDArray& dy, const NDArray& y, const NDArray& invstd, bool centred);

}  // namespace ember::core
