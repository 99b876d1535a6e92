#pragma once
#include <vector>

#include <ember/core/NDArray.h>

namespace ember::core {

/// An affine map a channel from 8-bit numbers to 8-bit numbers.
struct Int8Affine {
  std::vector<double> scale, shift;  ///< finite, one a channel
  double rescale = 1;                ///< of u8 to i8 before the map; 1: the u8 number goes in as it is
  bool relu = false;
};

/// y = sat(round(scale·q + shift)), with relu max(y, 0), where q is x or, with a rescale, sat(round(rescale·x)).
///
/// x is i8 or u8 with the channels on `axis`; y is i8 of its shape, and of its memory order if it is dense. round goes
/// to nearest, ties to even, sat ends at -128 and 127. All of it is f64: the same bits on every machine and any number
/// of threads.
NDArray batchNormInt8(const NDArray& x, int axis, const Int8Affine& map);

}  // namespace ember::core
