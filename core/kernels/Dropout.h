#pragma once
#include <ember/core/NDArray.h>
#include <ember/core/Random.h>

namespace ember::core {

/// Which elements stay: u8 of that shape, 1 with probability 1-p, in memory order `order`. Element i (counted
/// row-major, whatever the order in memory) stays if word i%4 of random::words(key, i/4) is at least p·2^32: a function
/// of key and i alone.
NDArray dropoutMask(const Shape&, double p, const random::Key&, MemoryOrder order);

/// mask ? x·scale : 0. x f32 or f64, mask of its shape; the result lies in memory as the mask does.
NDArray maskScale(const NDArray& x, const NDArray& mask, double scale);

}  // namespace ember::core
