#pragma once
#include <ember/core/DType.h>

namespace ember::core {

/// How many arrays have been copied into another memory layout so far, on all threads: weights packed for a kernel and
/// gradients unpacked, activations moved to and from a kernel's blocks, and what contiguous() copied but for expanded
/// arrays. A training step needs few of them, and a test counts them.
i64 reorderCount() noexcept;
/// Reports one.
void countReorder() noexcept;

}  // namespace ember::core
