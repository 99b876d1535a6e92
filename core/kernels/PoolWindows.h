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
  Triple in{1, 1, 1}, out{1, 1, 1}, kernel{1, 1, 1}, stride{1, 1, 1}, pad{0, 0, 0};

  Windows(const Shape& x, const Shape& y, const PoolGeometry& g) : batch(x[0]), channels(x[1]) {
    for (int i = 0; i < g.spatial; ++i) {
      const auto from = static_cast<std::size_t>(i), to = static_cast<std::size_t>(i + 3 - g.spatial);
      in[to] = x[2 + i], out[to] = y[2 + i];
      kernel[to] = g.kernel[from], stride[to] = g.stride[from], pad[to] = g.pad[from];
    }
  }

  i64 inSize() const noexcept { return in[0] * in[1] * in[2]; }
  i64 outSize() const noexcept { return out[0] * out[1] * out[2]; }
  /// Inputs that output `p` sees along an axis, without the padding; never empty, as padding is at most half a kernel.
  Range inputs(std::size_t axis, i64 p) const noexcept {
    const i64 begin = p * stride[axis] - pad[axis];
    return {std::max<i64>(begin, 0), std::min(begin + kernel[axis], in[axis])};
  }
  /// Outputs that see input `i`; may be empty.
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
