// A channel knows 256 different inputs. Where it has more elements than that, its map is tabulated once and every
// element costs one load; where it has fewer, they are computed. Both go through one function, so the bits are the
// same.
#include <ember/core/kernels/BatchNormInt8.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

#include <ember/core/Threads.h>
#include <ember/core/kernels/DenseAxis.h>

namespace ember::core {
namespace {

constexpr i64 bytes = 256;

double saturated(double v) { return std::nearbyint(std::clamp(v, -128.0, 127.0)); }

struct Channel {
  double scale, shift, rescale;
  bool isSigned, relu;

  i8 operator()(u8 byte) const {
    double q = isSigned ? static_cast<double>(static_cast<i8>(byte)) : static_cast<double>(byte);
    if (rescale != 1) q = saturated(q * rescale);
    const double y = saturated(q * scale + shift);
    return static_cast<i8>(relu ? std::max(y, 0.0) : y);
  }
};

/// f(slab, channel) for all runs of `inner` elements of one channel.
template <class F>
void forSlabs(const DenseAxis& axis, F&& f) {
  parallelFor(axis.outer * axis.size, std::max<i64>(1, 16384 / std::max<i64>(1, axis.inner)), [&](i64 begin, i64 end) {
    i64 channel = begin % axis.size;
    for (i64 slab = begin; slab < end; ++slab) {
      f(slab, channel);
      if (++channel == axis.size) channel = 0;
    }
  });
}

}  // namespace

NDArray batchNormInt8(const NDArray& x, int axis, const Int8Affine& map) {
  ComputeScope scope;
  const NDArray dense = denseOf(x);
  NDArray y = NDArray::emptyLike(dense, DType::I8);
  if (x.numel() == 0) return y;
  const DenseAxis along(dense, axis);
  const i64 inner = along.inner;
  const u8* from = static_cast<const u8*>(dense.raw());
  i8* to = y.data<i8>();
  const auto channelOf = [&](i64 c) {
    const std::size_t i = static_cast<std::size_t>(c);
    return Channel{map.scale[i], map.shift[i], map.rescale, x.dtype() == DType::I8, map.relu};
  };
  if (along.outer * inner <= bytes) {
    forSlabs(along, [&](i64 slab, i64 c) {
      const Channel channel = channelOf(c);
      for (i64 i = slab * inner; i < (slab + 1) * inner; ++i) to[i] = channel(from[i]);
    });
    return y;
  }
  std::vector<i8> tables(static_cast<std::size_t>(along.size * bytes));
  parallelFor(along.size, 16, [&](i64 begin, i64 end) {
    for (i64 c = begin; c < end; ++c) {
      const Channel channel = channelOf(c);
      i8* table = tables.data() + c * bytes;
      for (i64 b = 0; b < bytes; ++b) table[b] = channel(static_cast<u8>(b));
    }
  });
  forSlabs(along, [&](i64 slab, i64 c) {
    const i8* table = tables.data() + c * bytes;
    for (i64 i = slab * inner; i < (slab + 1) * inner; ++i) to[i] = table[from[i]];
  });
  return y;
}

}  // namespace ember::core
