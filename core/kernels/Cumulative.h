#pragma once
#include <ember/core/NDArray.h>

namespace ember::core {

/// Running sums along `axis`, of the elements before each one too or (exclusive) only; from the other end with
/// `reverse`. f32, f64 (both accumulate in f64), i32 and i64 (which wrap); bf16 by way of f32.
NDArray cumulativeSum(const NDArray& x, int axis, bool exclusive, bool reverse);

}  // namespace ember::core
