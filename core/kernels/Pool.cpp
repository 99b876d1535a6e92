#include <ember/core/kernels/Pool.h>

#include <algorithm>
#include <string>

#include <ember/core/Error.h>

namespace ember::core {
namespace {

std::string joined(const std::array<i64, 3>& values, int spatial) {
  std::string text;
  for (int i = 0; i < spatial; ++i) text += (i > 0 ? "x" : "") + std::to_string(values[static_cast<std::size_t>(i)]);
  return text;
}

void checkAtLeast(const char* op, const char* what, i64 value, i64 least) {
  if (value >= least) return;
  throw ValueError(op,
                   std::string(what) + " is " + std::to_string(value) + ", must be at least " + std::to_string(least));
}

/// Number of windows where the first leaves `room` elements of the padded input behind it.
i64 windowsAlong(i64 size, i64 room, i64 padBefore, i64 stride, bool ceilMode) {
  if (!ceilMode) return room < 0 ? 0 : room / stride + 1;
  const i64 count = (room > 0 ? (room - 1) / stride + 1 : room / stride) + 1;
  // The last must begin in the input or before it.
  return count > 1 && checkedMul(count - 1, stride) >= checkedAdd(size, padBefore) ? count - 1 : count;
}

/// Elements further apart than the input is long can all miss it.
void checkReach(const char* op, i64 size, i64 results, const PoolGeometry& g, int i) {
  const auto axis = static_cast<std::size_t>(i);
  const i64 dilation = g.dilation[axis], kernel = g.kernel[axis];
  if (dilation <= size) return;
  for (i64 p = 0; p < results; ++p) {
    const i64 start = p * g.stride[axis] - g.padBefore[axis];
    if (start >= 0) return;
    const i64 taps = (-start + dilation - 1) / dilation;  // that lie before the input
    if (taps < kernel && start + taps * dilation < size) continue;
    throw ShapeError(op,
                     "window " + std::to_string(p) + " of axis " + std::to_string(2 + i) +
                         " has no element in the input, which has " + std::to_string(size),
                     {}, "use less dilation or less padding");
  }
}

}  // namespace

Shape poolShape(const Shape& x, const PoolGeometry& g, const char* op) {
  const auto details = [&] { return Error::Details{{"input", "x " + toString(x)}}; };
  if (x.rank() != g.spatial + 2) {
    throw ShapeError(op, "input has rank " + std::to_string(x.rank()) + ", expected " + std::to_string(g.spatial + 2),
                     details(), "the input is [N, C] and " + std::to_string(g.spatial) + " spatial axes");
  }
  Shape y{x[0], x[1]};
  std::array<i64, 3> extent{}, padded{};
  bool fits = true;
  for (int i = 0; i < g.spatial; ++i) {
    const auto axis = static_cast<std::size_t>(i);
    const i64 kernel = g.kernel[axis], stride = g.stride[axis], before = g.padBefore[axis], after = g.padAfter[axis];
    checkAtLeast(op, "kernel size", kernel, 1);
    checkAtLeast(op, "stride", stride, 1);
    checkAtLeast(op, "dilation", g.dilation[axis], 1);
    checkAtLeast(op, "padding", std::min(before, after), 0);
    extent[axis] = checkedAdd(checkedMul(kernel - 1, g.dilation[axis]), 1);
    if (const i64 most = std::max(before, after); most > extent[axis] / 2) {
      throw ValueError(op,
                       "padding " + std::to_string(most) + " is more than half of kernel size " +
                           std::to_string(extent[axis]),
                       details(),
                       "a window would lie in the padding alone; use at most " + std::to_string(extent[axis] / 2));
    }
    padded[axis] = checkedAdd(x[2 + i], checkedAdd(before, after));
    const i64 results = windowsAlong(x[2 + i], padded[axis] - extent[axis], before, stride, g.ceilMode);
    fits = fits && x[2 + i] > 0 && results > 0;
    y.push(results);
    if (fits) checkReach(op, x[2 + i], results, g, i);
  }
  if (!fits) {
    throw ShapeError(
        op, "kernel " + joined(extent, g.spatial) + " is larger than the padded input " + joined(padded, g.spatial),
        details(), "use a smaller kernel, or pool less before this layer");
  }
  numel(y);  // throws if it overflows
  return y;
}

}  // namespace ember::core
