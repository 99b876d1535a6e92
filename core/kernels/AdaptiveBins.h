#pragma once
#include <ember/core/DType.h>

namespace ember::core {

/// Which of `size` inputs the p-th of `count` bins holds, as PyTorch's adaptive pools: [floor(p·size/count),
/// ceil((p + 1)·size/count)). Neighbours overlap where count does not divide size; none is empty for size >= 1. In
/// parts, so that no product overflows.
struct AdaptiveBin {
  i64 begin, end;

  AdaptiveBin(i64 p, i64 size, i64 count) noexcept
      : begin(p * (size / count) + p * (size % count) / count),
        end((p + 1) * (size / count) + ((p + 1) * (size % count) + count - 1) / count) {}
};

}  // namespace ember::core
