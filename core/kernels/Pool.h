#pragma once
#include <array>
#include <utility>

#include <ember/core/NDArray.h>

namespace ember::core {

struct PoolGeometry {
  int spatial = 2;
  std::array<i64, 3> kernel{2, 2, 2};
  std::array<i64, 3> stride{2, 2, 2};
  std::array<i64, 3> padBefore{0, 0, 0};
  std::array<i64, 3> padAfter{0, 0, 0};
  std::array<i64, 3> dilation{1, 1, 1};  ///< maximum only: distance of the elements of a window
  bool ceilMode = false;                 ///< whether a last window may reach beyond the padded input
  bool countIncludePad = true;           ///< average only: whether padding counts in the divisor
  i64 divisor = 0;                       ///< average only: if not 0, what the sums are divided by
};

/// Shape of pooling x [N, C, ...], with every check. In ceil mode a window still begins in the input or before it.
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
/// Where the winners stand in the input, counted row-major over its spatial axes: i64, shape of y.
NDArray maxPoolIndices(const NDArray& winners, const Shape& xShape, const PoolGeometry&);
/// Picks x at the winners: the adjoint of maxPoolBackward (second derivatives).
NDArray maxPoolGather(const NDArray& x, const NDArray& winners, const PoolGeometry&);

/// Mean of each window.
NDArray avgPool(const NDArray& x, const PoolGeometry&);
NDArray avgPoolBackward(const NDArray& dy, const Shape& xShape, const PoolGeometry&);

}  // namespace ember::core
