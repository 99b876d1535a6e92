#pragma once
#include <ember/core/NDArray.h>

namespace ember::core {

/// A dense array seen along one axis as [outer, size, inner] in memory, whichever order it lies in.
struct DenseAxis {
  i64 outer = 1, size = 1, inner = 1;

  DenseAxis(const NDArray& x, int axis) : size(x.shape()[axis]) {
    const i64 stride = x.strides()[axis];
    for (int i = 0; i < x.rank(); ++i) {
      if (i == axis) continue;
      // Strides of axes of size 1 say nothing, and their size changes nothing.
      const bool finer = x.shape()[i] != 1 && (size == 1 ? false : x.strides()[i] < stride);
      (finer ? inner : outer) *= x.shape()[i];
    }
  }
};

/// x if dense in either order, else a row-major copy.
inline NDArray denseOf(const NDArray& x) { return x.isDense(MemoryOrder::ChannelsLast) ? x : x.contiguous(); }

}  // namespace ember::core
