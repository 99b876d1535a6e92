#include <cstring>
#include <limits>

#include <ember/core/Simd.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/PoolWindows.h>

// Channels lie together, so the loops over them run over vectors. Forward: each window's pixels are compared one at a
// time with the best so far. Backward: a thread owns whole images, or a block of channels of one image, so the sums of
// overlapping windows need no atomics and their order is fixed.

namespace ember::core {
namespace {

using pooling::Range;
using pooling::Windows;

/// One row of windows (n, od, oh): `x` is the image, `y` and `index` the row. The best so far stays in y and index, in
/// the first cache: with a block of channels in local arrays g++ 12 gives up vectors, and this is three times as fast.
template <class T>
[[gnu::always_inline]] inline void maxRowOf(const T* x, T* __restrict y, i32* __restrict index, const Windows& w,
                                            Range depth, Range height) {
  const i64 channels = w.channels;
  for (i64 ow = 0; ow < w.out[2]; ++ow, y += channels, index += channels) {
    const Range width = w.inputs(2, ow);
    const i64 start = (depth.begin * w.in[1] + height.begin) * w.in[2] + width.begin;
    for (i64 c = 0; c < channels; ++c) y[c] = x[start * channels + c], index[c] = static_cast<i32>(start);
    for (i64 d = depth.begin; d < depth.end; ++d) {
      for (i64 h = height.begin; h < height.end; ++h) {
        const i64 row = (d * w.in[1] + h) * w.in[2];
        for (i64 i = row + width.begin; i < row + width.end; ++i) {
          if (i == start) continue;
          const T* pixel = x + i * channels;
          const auto position = static_cast<i32>(i);
          for (i64 c = 0; c < channels; ++c) {
            const T value = pixel[c], best = y[c];
            // Not "value > best": so the first NaN wins, and the rest lets it stay.
            const bool better = !(value <= best) & (best == best);
            y[c] = better ? value : best;
            index[c] = better ? position : index[c];
          }
        }
      }
    }
  }
}
EMBER_SIMD void maxRow(const float* x, float* y, i32* index, const Windows& w, Range depth, Range height) {
  maxRowOf(x, y, index, w, depth, height);
}
EMBER_SIMD void maxRow(const double* x, double* y, i32* index, const Windows& w, Range depth, Range height) {
  maxRowOf(x, y, index, w, depth, height);
}

template <class T>
void forward(const T* x, T* y, i32* index, const Windows& w) {
  const i64 rowSize = w.out[2] * w.channels, taps = w.kernel[0] * w.kernel[1] * w.kernel[2];
  parallelFor(w.batch * w.out[0] * w.out[1], pooling::grainOf(rowSize * taps), [&](i64 begin, i64 end) {
    for (i64 row = begin; row < end; ++row) {
      const i64 n = row / (w.out[0] * w.out[1]), od = row / w.out[1] % w.out[0], oh = row % w.out[1];
      maxRow(x + n * w.inSize() * w.channels, y + row * rowSize, index + row * rowSize, w, w.inputs(0, od),
             w.inputs(1, oh));
    }
  });
}

/// Sizes of [N, C, ...] with the spatial axes flattened, and how the work is split: images times blocks of channels.
struct Flat {
  i64 batch, channels, inputs, outputs, block, blocks;
  Flat(const Shape& x, const Shape& y) : batch(x[0]), channels(x[1]) {
    const i64 images = std::max<i64>(1, batch * channels);
    inputs = numel(x) / images;
    outputs = numel(y) / images;
    // 16 channels are a cache line or two: threads don't write into each other's lines.
    block = batch >= 2 * ComputeScope::threads() ? std::max<i64>(1, channels) : 16;
    blocks = (channels + block - 1) / block;
  }
  /// f(n, first channel, end channel) in parallel.
  template <class F>
  void run(F&& f) const {
    parallelFor(batch * blocks, pooling::grainOf(outputs * block), [&](i64 begin, i64 end) {
      for (i64 item = begin; item < end; ++item) {
        const i64 c = item % blocks * block;
        f(item / blocks, c, std::min(c + block, channels));
      }
    });
  }
};

template <class T>
void backward(const T* dy, const i32* index, T* dx, const Flat& f) {
  f.run([&](i64 n, i64 begin, i64 end) {
    T* image = dx + n * f.inputs * f.channels;
    if (f.blocks == 1) {
      std::memset(image, 0, static_cast<std::size_t>(f.inputs * f.channels) * sizeof(T));
    } else {
      for (i64 i = 0; i < f.inputs; ++i) std::fill(image + i * f.channels + begin, image + i * f.channels + end, T{0});
    }
    for (i64 p = 0; p < f.outputs; ++p) {
      const i64 row = (n * f.outputs + p) * f.channels;
      for (i64 c = begin; c < end; ++c) image[index[row + c] * f.channels + c] += dy[row + c];
    }
  });
}

template <class T>
void gather(const T* x, const i32* index, T* y, const Flat& f) {
  f.run([&](i64 n, i64 begin, i64 end) {
    const T* image = x + n * f.inputs * f.channels;
    for (i64 p = 0; p < f.outputs; ++p) {
      const i64 row = (n * f.outputs + p) * f.channels;
      for (i64 c = begin; c < end; ++c) y[row + c] = image[index[row + c] * f.channels + c];
    }
  });
}

void checkIndices(const NDArray& indices, const Shape& y, const Shape& x, const char* op) {
  if (indices.dtype() != DType::I32)
    throw DtypeError(op, "indices are " + std::string(name(indices.dtype())) + ", must be i32");
  if (indices.shape() == y && y.rank() == x.rank() && y.rank() > 2 && y[0] == x[0] && y[1] == x[1]) return;
  throw ShapeError(op, "indices " + toString(indices.shape()) + " don't belong to output " + toString(y) +
                           " and input " + toString(x));
}

}  // namespace

MaxPoolResult maxPool(const NDArray& x, const PoolGeometry& g) {
  const std::string op = pooling::opName("maxPool", g.spatial);
  const Shape yShape = poolShape(x.shape(), g, op.c_str());
  pooling::checkDtype(x, op.c_str());
  const Windows windows(x.shape(), yShape, g);
  if (windows.inSize() > std::numeric_limits<i32>::max()) {
    throw ShapeError(op, "input " + toString(x.shape()) + " has more than 2^31 - 1 positions a channel");
  }
  const ComputeScope scope;
  const NDArray input = x.contiguous(MemoryOrder::ChannelsLast);
  MaxPoolResult result{NDArray::empty(yShape, x.dtype(), MemoryOrder::ChannelsLast),
                       NDArray::empty(yShape, DType::I32, MemoryOrder::ChannelsLast)};
  if (result.y.numel() == 0) return result;
  if (x.dtype() == DType::F64) {
    forward(input.data<double>(), result.y.data<double>(), result.indices.data<i32>(), windows);
  } else {
    forward(input.data<float>(), result.y.data<float>(), result.indices.data<i32>(), windows);
  }
  return result;
}

NDArray maxPoolBackward(const NDArray& dy, const NDArray& indices, const Shape& xShape) {
  checkIndices(indices, dy.shape(), xShape, "maxPool");
  pooling::checkDtype(dy, "maxPool");
  const ComputeScope scope;
  const NDArray gradient = dy.contiguous(MemoryOrder::ChannelsLast),
                index = indices.contiguous(MemoryOrder::ChannelsLast);
  NDArray dx = NDArray::empty(xShape, dy.dtype(), MemoryOrder::ChannelsLast);
  const Flat flat(xShape, dy.shape());
  if (dx.numel() == 0) return dx;
  if (dy.dtype() == DType::F64) {
    backward(gradient.data<double>(), index.data<i32>(), dx.data<double>(), flat);
  } else {
    backward(gradient.data<float>(), index.data<i32>(), dx.data<float>(), flat);
  }
  return dx;
}

NDArray maxPoolGather(const NDArray& x, const NDArray& indices) {
  checkIndices(indices, indices.shape(), x.shape(), "maxPool");
  pooling::checkDtype(x, "maxPool");
  const ComputeScope scope;
  const NDArray input = x.contiguous(MemoryOrder::ChannelsLast), index = indices.contiguous(MemoryOrder::ChannelsLast);
  NDArray y = NDArray::empty(indices.shape(), x.dtype(), MemoryOrder::ChannelsLast);
  const Flat flat(x.shape(), indices.shape());
  if (y.numel() == 0) return y;
  if (x.dtype() == DType::F64) {
    gather(input.data<double>(), index.data<i32>(), y.data<double>(), flat);
  } else {
    gather(input.data<float>(), index.data<i32>(), y.data<float>(), flat);
  }
  return y;
}

}  // namespace ember::core
