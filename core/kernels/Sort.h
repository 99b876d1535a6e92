#pragma once
#include <ember/core/NDArray.h>

namespace ember::core {

/// Positions (i64) of the first `count` elements along `axis` in rising (falling) order. Equal elements keep their
/// order; NaN is larger than every number. Any type; integers above 2^63 there are none.
NDArray argsort(const NDArray& x, int axis, bool descending, i64 count, const char* op);

}  // namespace ember::core
