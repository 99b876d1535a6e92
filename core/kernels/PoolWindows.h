#pragma once
#include <algorithm>
#include <string>

#include <ember/core/Error.h>
#include <ember/core/kernels/Pool.h>

/// What maximum and average pooling share: windows over three spatial axes, unused leading ones of size 1.
namespace ember::core::pooling {

using Triple = std::array<i64, 3>;

/// Half-open range along one axis.
struct Range {
  i64 begin, end;
  i64 size() const noexcept { return end - begin; }
};

struct Windows {
  i64 batch, channels;
  Triple in{1, 1, 1}, out{1, 1, 1}, kernel{1, 1, 1}, stride{1, 1, 1}, pad{0, 0, 0}, padAfter{0, 0, 0},
      dilation{1, 1, 1};
  i64 divisor;

  Windows(const Shape& x, const Shape& y, const PoolGeometry& g)
      : batch(x[0]), channels(x[1]), divisor(g.divisor) {
    for (int i = 0; i < g.spatial; ++i) {
      const auto from = static_cast<std::size_t>(i), to = static_cast<std::size_t>(i + 3 - g.spatial);
      in[to] = x[2 + i], out[to] = y[2 + i];
      kernel[to] = g.kernel[from], stride[to] = g.stride[from];
      pad[to] = g.padBefore[from], padAfter[to] = g.padAfter[from], dilation[to] = g.dilation[from];
    }
  }

  i64 inSize() const noexcept { return in[0] * in[1] * in[2]; }
  i64 outSize() const noexcept { return out[0] * out[1] * out[2]; }
  /// From the first element of a window to its last.
  i64 extent(std::size_t axis) const noexcept { return (kernel[axis] - 1) * dilation[axis] + 1; }
  /// Inputs that output `p` sees along an axis, every dilation[axis]-th from the first, without the padding; never
  /// empty, which poolShape checks.
  Range inputs(std::size_t axis, i64 p) const noexcept {
    const i64 begin = p * stride[axis] - pad[axis], end = std::min(begin + extent(axis), in[axis]), d = dilation[axis];
    if (begin >= 0) return {begin, end};
    return {d == 1 ? 0 : begin + (-begin + d - 1) / d * d, end};
  }
  /// Elements of the window of `p` in the padded input; fewer than the kernel only in ceil mode.
  i64 covered(std::size_t axis, i64 p) const noexcept {
    const i64 begin = p * stride[axis] - pad[axis];
    return std::min(begin + kernel[axis], in[axis] + padAfter[axis]) - begin;
  }
  /// Outputs that see input `i` where windows have no gaps; may be empty.
  Range outputs(std::size_t axis, i64 i) const noexcept {
    const i64 last = i + pad[axis], first = last - kernel[axis] + 1;
    return {first <= 0 ? 0 : (first + stride[axis] - 1) / stride[axis], std::min(last / stride[axis] + 1, out[axis])};
  }
};

/// "maxPool2d".
inline std::string opName(const char* family, int spatial) { return family + std::to_string(spatial) + "d"; }

inline void checkDtype(const NDArray& x, const char* op) {
  if (x.dtype() == DType::F32 || x.dtype() == DType::F64) return;
  throw DtypeError(op, "cannot pool " + std::string(name(x.dtype())), {{"input", describe("x", x)}},
                   "convert to f32 or f64");
}

inline i64 grainOf(i64 workPerItem) { return std::max<i64>(1, 16384 / std::max<i64>(1, workPerItem)); }

}  // namespace ember::core::pooling
