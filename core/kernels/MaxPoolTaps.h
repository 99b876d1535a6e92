#pragma once
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include <ember/core/Threads.h>
#include <ember/core/kernels/PoolSimd.h>
#include <ember/core/kernels/PoolWindows.h>

/// What the two directions of maximum pooling share.
namespace ember::core::pooling {

/// An integer as wide as T: what is compared and what is chosen then fill vectors alike.
template <class T>
using Answer = std::conditional_t<sizeof(T) == 8, i64, i32>;

/// A place in a window that lies inside the input.
struct Tap {
  i64 offset;  ///< of its channels, from those of the image's first pixel
  i32 number;  ///< row-major among the taps of a whole window
};

/// The taps of window (od, oh, ow), all that lie inside.
inline void fillTaps(std::vector<Tap>& taps, const Windows& w, i64 od, i64 oh, i64 ow) {
  const Range depth = w.inputs(0, od), height = w.inputs(1, oh), width = w.inputs(2, ow);
  const auto place = [&](std::size_t axis, i64 output, i64 input) {
    return (input - (output * w.stride[axis] - w.pad[axis])) / w.dilation[axis];
  };
  taps.clear();
  for (i64 d = depth.begin; d < depth.end; d += w.dilation[0]) {
    for (i64 h = height.begin; h < height.end; h += w.dilation[1]) {
      const i64 before = (place(0, od, d) * w.kernel[1] + place(1, oh, h)) * w.kernel[2];
      for (i64 i = width.begin; i < width.end; i += w.dilation[2]) {
        taps.push_back({((d * w.in[1] + h) * w.in[2] + i) * w.channels, static_cast<i32>(before + place(2, ow, i))});
      }
    }
  }
}

/// to[i] = from[i] by way of `Between`.
template <class Between, class From, class To>
void convertAll(const From* from, To* to, i64 count) {
  simd::run([=]() EMBER_SIMD_BODY {
    // In locals: a store of a byte might be one to what the lambda holds, for all that the compiler knows.
    const From* const source = from;
    To* const target = to;
    const i64 size = count;
    EMBER_NO_ALIAS for (i64 i = 0; i < size; ++i) target[i] = static_cast<To>(static_cast<Between>(source[i]));
  });
}

/// What a thread keeps from row to row.
template <class T>
struct Buffers {
  std::vector<Tap> taps;
  std::vector<T> won;             ///< forward
  std::vector<Answer<T>> places;  ///< backward
};

/// f(buffers, n, od, oh, row) for every row of outputs, in parallel.
template <class T, class F>
void forRows(const Windows& w, i64 workPerOutput, F&& f) {
  const i64 rows = w.out[0] * w.out[1];
  parallelFor(w.batch * rows, grainOf(w.out[2] * w.channels * workPerOutput), [&](i64 begin, i64 end) {
    Buffers<T> own;
    for (i64 row = begin; row < end; ++row) f(own, row / rows, row / w.out[1] % w.out[0], row % w.out[1], row);
  });
}

/// Of the winners: bytes where they hold every tap.
inline DType winnerType(const PoolGeometry& g) {
  i64 taps = 1;
  for (int i = 0; i < g.spatial; ++i) taps = checkedMul(taps, g.kernel[static_cast<std::size_t>(i)]);
  if (taps > std::numeric_limits<i32>::max())
    throw ShapeError("maxPool", "a window has " + std::to_string(taps) + " elements, more than 2^31 - 1");
  return taps <= 256 ? DType::U8 : DType::I32;
}

/// Calls f(zero of the element type, zero of the winners' type).
template <class F>
void dispatchBoth(DType dtype, DType winners, F&& f) {
  const auto inner = [&](auto zero) {
    if (winners == DType::U8) {
      f(zero, u8{0});
    } else {
      f(zero, i32{0});
    }
  };
  if (dtype == DType::F64) {
    inner(double{0});
  } else {
    inner(float{0});
  }
}

}  // namespace ember::core::pooling
