#include <ember/core/kernels/Dropout.h>

#include <algorithm>
#include <cmath>

#include <ember/core/Error.h>
#include <ember/core/Simd.h>
#include <ember/core/Threads.h>

namespace ember::core {
namespace {

constexpr int lanes = 32;  // draws of random::words made side by side, four words each

/// Words of random::words(key, first + l) for every lane l: the same Philox rounds in a form that vectorises, each
/// 32-bit number in a 64-bit lane as the multiplication wants it. `stream` is the upper half of the counter.
EMBER_SIMD void drawWords(u64 seed, u64 stream, u64 first, u32* out) {
  constexpr u64 low = 0xffffffffu;
  u64 a[lanes], b[lanes], c[lanes], d[lanes];
  for (int l = 0; l < lanes; ++l) {
    const u64 index = first + static_cast<u64>(l);
    a[l] = index & low;
    b[l] = index >> 32;
    c[l] = stream & low;
    d[l] = stream >> 32;
  }
  u32 k0 = static_cast<u32>(seed), k1 = static_cast<u32>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    for (int l = 0; l < lanes; ++l) {
      const u64 p0 = u64{0xD2511F53u} * static_cast<u32>(a[l]), p1 = u64{0xCD9E8D57u} * static_cast<u32>(c[l]);
      a[l] = (p1 >> 32) ^ b[l] ^ k0;
      b[l] = p1 & low;
      c[l] = (p0 >> 32) ^ d[l] ^ k1;
      d[l] = p0 & low;
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  for (int l = 0; l < lanes; ++l) {
    out[4 * l] = static_cast<u32>(a[l]);
    out[4 * l + 1] = static_cast<u32>(b[l]);
    out[4 * l + 2] = static_cast<u32>(c[l]);
    out[4 * l + 3] = static_cast<u32>(d[l]);
  }
}

EMBER_SIMD void compareWords(const u32* words, u32 threshold, u8* mask, i64 count) {
  for (i64 i = 0; i < count; ++i) mask[i] = words[i] >= threshold ? 1 : 0;
}

EMBER_SIMD void maskScaleRange(const float* x, const u8* mask, float scale, float* y, i64 count) {
  for (i64 i = 0; i < count; ++i) y[i] = mask[i] ? x[i] * scale : 0.0f;
}
EMBER_SIMD void maskScaleRange(const double* x, const u8* mask, double scale, double* y, i64 count) {
  for (i64 i = 0; i < count; ++i) y[i] = mask[i] ? x[i] * scale : 0.0;
}

}  // namespace

NDArray dropoutMask(const Shape& shape, double p, const random::Key& key, MemoryOrder order) {
  const double threshold = std::ceil(p * 0x1p32);
  if (threshold >= 0x1p32) return NDArray::zeros(shape, DType::U8, order);
  const NDArray mask = NDArray::empty(shape, DType::U8);
  u8* to = mask.data<u8>();
  const u64 stream = key.stream ^ (key.call * 0x9e3779b97f4a7c15u);
  constexpr i64 perDraw = 4 * lanes;
  const i64 count = mask.numel(), draws = (count + perDraw - 1) / perDraw;
  parallelFor(draws, 512, [&](i64 begin, i64 end) {
    u32 words[perDraw];
    for (i64 i = begin; i < end; ++i) {
      drawWords(key.seed, stream, static_cast<u64>(i * lanes), words);
      compareWords(words, static_cast<u32>(threshold), to + i * perDraw, std::min(perDraw, count - i * perDraw));
    }
  });
  return mask.contiguous(order);
}

NDArray maskScale(const NDArray& x, const NDArray& mask, double scale) {
  if (x.shape() != mask.shape()) {
    throw ShapeError("dropout", "the mask is " + toString(mask.shape()) + ", x is " + toString(x.shape()));
  }
  const NDArray input = x.contiguous(mask.order());
  const NDArray y = NDArray::empty(x.shape(), x.dtype(), mask.order());
  const u8* keep = mask.data<u8>();
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    const T* from = input.data<T>();
    T* to = y.data<T>();
    parallelFor(y.numel(), 16384, [&](i64 begin, i64 end) {
      maskScaleRange(from + begin, keep + begin, static_cast<T>(scale), to + begin, end - begin);
    });
  };
  x.dtype() == DType::F64 ? run(double{}) : run(float{});
  return y;
}

}  // namespace ember::core
