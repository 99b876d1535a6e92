#include <ember/core/Simd.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/PoolWindows.h>
#include <ember/core/kernels/SimdRun.h>

// Forward and backward both gather: an output sums its window, an input sums the outputs that saw it. So every element
// is written once, by one thread, in one order. Sums run over a row first and then over rows, which keeps the rounding
// error of a global pool (thousands of terms) near that of one row.

namespace ember::core {
namespace {

using pooling::Range;
using pooling::Windows;

constexpr i64 lanes = 16;  // channels summed at a time, in registers: more would spill

/// sums[c] = scale · sum over the box of data, for `count` <= lanes channels.
template <bool full, class T>
[[gnu::always_inline]] inline void sumBox(const T* data, i64 count, i64 channels, const Windows& w, Range d, Range h,
                                          Range i, T scale, T* __restrict sums) {
  const i64 n = full ? lanes : count;
  T total[lanes] = {};
  for (i64 z = d.begin; z < d.end; ++z) {
    for (i64 y = h.begin; y < h.end; ++y) {
      T row[lanes] = {};
      const T* pixel = data + ((z * w.in[1] + y) * w.in[2] + i.begin) * channels;
      for (i64 x = i.begin; x < i.end; ++x, pixel += channels) {
        for (i64 c = 0; c < n; ++c) row[c] += pixel[c];
      }
      for (i64 c = 0; c < n; ++c) total[c] += row[c];
    }
  }
  for (i64 c = 0; c < n; ++c) sums[c] = total[c] * scale;
}

/// One row of windows (n, od, oh); `area` is depth times height of a window with its padding, 0 if only real inputs
/// count.
template <class T>
[[gnu::always_inline]] inline void averageRowOf(const T* x, T* y, const Windows& w, Range depth, Range height,
                                                i64 area) {
  for (i64 ow = 0; ow < w.out[2]; ++ow, y += w.channels) {
    const Range width = w.inputs(2, ow);
    const i64 count = w.divisor != 0 ? w.divisor
                      : area > 0     ? area * w.covered(2, ow)
                                     : depth.size() * height.size() * width.size();
    const T scale = T{1} / static_cast<T>(count);
    i64 c = 0;
    for (; c + lanes <= w.channels; c += lanes)
      sumBox<true>(x + c, lanes, w.channels, w, depth, height, width, scale, y + c);
    if (c < w.channels) sumBox<false>(x + c, w.channels - c, w.channels, w, depth, height, width, scale, y + c);
  }
}
EMBER_SIMD void averageRow(const float* x, float* y, const Windows& w, Range depth, Range height, i64 area) {
  averageRowOf(x, y, w, depth, height, area);
}
EMBER_SIMD void averageRow(const double* x, double* y, const Windows& w, Range depth, Range height, i64 area) {
  averageRowOf(x, y, w, depth, height, area);
}

template <class T>
void forward(const T* x, T* y, const Windows& w, bool countIncludePad) {
  const i64 rowSize = w.out[2] * w.channels, area = w.kernel[0] * w.kernel[1];
  parallelFor(w.batch * w.out[0] * w.out[1], pooling::grainOf(rowSize * area * w.kernel[2]), [&](i64 begin, i64 end) {
    for (i64 row = begin; row < end; ++row) {
      const i64 n = row / (w.out[0] * w.out[1]), od = row / w.out[1] % w.out[0], oh = row % w.out[1];
      averageRow(x + n * w.inSize() * w.channels, y + row * rowSize, w, w.inputs(0, od), w.inputs(1, oh),
                 countIncludePad ? w.covered(0, od) * w.covered(1, oh) : 0);
    }
  });
}

/// One row of inputs (n, id, ih); `dy` is the image, `depth` and `height` the outputs that saw the row.
template <class T>
[[gnu::always_inline]] inline void backwardRowOf(const T* dy, T* __restrict dx, const Windows& w, Range depth,
                                                 Range height, bool countIncludePad) {
  const auto elements = [&](std::size_t axis, i64 p)
                            EMBER_SIMD_BODY { return countIncludePad ? w.covered(axis, p) : w.inputs(axis, p).size(); };
  for (i64 i = 0; i < w.in[2]; ++i, dx += w.channels) {
    const Range width = w.outputs(2, i);
    for (i64 c = 0; c < w.channels; ++c) dx[c] = 0;
    for (i64 d = depth.begin; d < depth.end; ++d) {
      const i64 deep = elements(0, d);
      for (i64 h = height.begin; h < height.end; ++h) {
        const i64 area = deep * elements(1, h);
        for (i64 p = width.begin; p < width.end; ++p) {
          const i64 count = w.divisor != 0 ? w.divisor : area * elements(2, p);
          const T scale = T{1} / static_cast<T>(count);
          const T* gradient = dy + ((d * w.out[1] + h) * w.out[2] + p) * w.channels;
          for (i64 c = 0; c < w.channels; ++c) dx[c] += gradient[c] * scale;
        }
      }
    }
  }
}
EMBER_SIMD void backwardRow(const float* dy, float* dx, const Windows& w, Range depth, Range height,
                            bool countIncludePad) {
  backwardRowOf(dy, dx, w, depth, height, countIncludePad);
}
EMBER_SIMD void backwardRow(const double* dy, double* dx, const Windows& w, Range depth, Range height,
                            bool countIncludePad) {
  backwardRowOf(dy, dx, w, depth, height, countIncludePad);
}

template <class T>
void backward(const T* dy, T* dx, const Windows& w, bool countIncludePad) {
  const i64 rowSize = w.in[2] * w.channels;
  parallelFor(w.batch * w.in[0] * w.in[1], pooling::grainOf(rowSize * 2), [&](i64 begin, i64 end) {
    for (i64 row = begin; row < end; ++row) {
      const i64 n = row / (w.in[0] * w.in[1]), id = row / w.in[1] % w.in[0], ih = row % w.in[1];
      backwardRow(dy + n * w.outSize() * w.channels, dx + row * rowSize, w, w.outputs(0, id), w.outputs(1, ih),
                  countIncludePad);
    }
  });
}

}  // namespace

NDArray avgPool(const NDArray& x, const PoolGeometry& g) {
  const std::string op = pooling::opName("avgPool", g.spatial);
  const Shape yShape = poolShape(x.shape(), g, op.c_str());
  pooling::checkDtype(x, op.c_str());
  const ComputeScope scope;
  const NDArray input = x.contiguous(MemoryOrder::ChannelsLast);
  NDArray y = NDArray::empty(yShape, x.dtype(), MemoryOrder::ChannelsLast);
  if (y.numel() == 0) return y;
  const Windows windows(x.shape(), yShape, g);
  if (x.dtype() == DType::F64) {
    forward(input.data<double>(), y.data<double>(), windows, g.countIncludePad);
  } else {
    forward(input.data<float>(), y.data<float>(), windows, g.countIncludePad);
  }
  return y;
}

NDArray avgPoolBackward(const NDArray& dy, const Shape& xShape, const PoolGeometry& g) {
  const std::string op = pooling::opName("avgPool", g.spatial);
  const Shape yShape = poolShape(xShape, g, op.c_str());
  if (dy.shape() != yShape) {
    throw ShapeError(op, "gradient has shape " + toString(dy.shape()) + ", the output has " + toString(yShape));
  }
  pooling::checkDtype(dy, op.c_str());
  const ComputeScope scope;
  const NDArray gradient = dy.contiguous(MemoryOrder::ChannelsLast);
  NDArray dx = NDArray::empty(xShape, dy.dtype(), MemoryOrder::ChannelsLast);
  if (dx.numel() == 0) return dx;
  const Windows windows(xShape, yShape, g);
  if (dy.dtype() == DType::F64) {
    backward(gradient.data<double>(), dx.data<double>(), windows, g.countIncludePad);
  } else {
    backward(gradient.data<float>(), dx.data<float>(), windows, g.countIncludePad);
  }
  return dx;
}

}  // namespace ember::core
