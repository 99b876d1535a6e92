#pragma once
#include <array>
#include <utility>

#include <ember/core/NDArray.h>

namespace ember::core {

struct PoolGeometry {
  int spatial = 2;
  std::array<i64, 3> kernel{2, 2, 2};
  std::array<i64, 3> stride{2, 2, 2};
  std::array<i64, 3> pad{0, 0, 0};
  bool countIncludePad = true;  ///< average only: whether padding counts in the divisor
};

/// Shape of pooling x [N, C, ...], with every check.
Shape poolShape(const Shape& x, const PoolGeometry&, const char* op);

/// Maximum of each window. NaN wins. `winners` (shape of y, channels last) says which element of its window y is, the
/// first of equal ones, counted row-major over the whole window, padding included: u8 up to 256 elements, else i32.
/// Undefined unless asked for.
struct MaxPoolResult {
  NDArray y, winners;
};
MaxPoolResult maxPool(const NDArray& x, const PoolGeometry&, bool withWinners = true);
/// Adds dy at the winners: dx of shape `xShape`.
NDArray maxPoolBackward(const NDArray& dy, const NDArray& winners, const Shape& xShape, const PoolGeometry&);
/// Picks x at the winners: the adjoint of maxPoolBackward (second derivatives).
NDArray maxPoolGather(const NDArray& x, const NDArray& winners, const PoolGeometry&);

/// Mean of each window.
NDArray avgPool(const NDArray& x, const PoolGeometry&);
NDArray avgPoolBackward(const NDArray& dy, const Shape& xShape, const PoolGeometry&);

}  // namespace ember::core
