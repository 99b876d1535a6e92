#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include <ember/core/Threads.h>
#include <ember/core/kernels/MaxPoolTaps.h>

// Windows that do not overlap give each input one tap of one output, so a pass over the inputs writes all of them once.
// Where they overlap a thread owns whole images, or a block of channels of one image: no atomics, and the order of the
// sums is fixed.

namespace ember::core {
namespace {

using pooling::Answer;
using pooling::convertAll;
using pooling::fillTaps;
using pooling::load;
using pooling::Range;
using pooling::store;
using pooling::Tap;
using pooling::Vector;
using pooling::Windows;

/// dx[c] = dy[c] where tap `number` won, else 0.
template <int bytes, class T>
EMBER_INLINE void place(const T* dy, const Answer<T>* places, Answer<T> number, i64 channels, T* dx) {
  using Places = Vector<Answer<T>, bytes>;
  constexpr i64 n = bytes / static_cast<i64>(sizeof(T));
  i64 c = 0;
  for (; c + n <= channels; c += n) {
    const Vector<T, bytes> gradient = load<bytes>(dy + c);
    store<bytes>(dx + c, load<bytes>(places + c) == Places{} + number ? gradient : Vector<T, bytes>{});
  }
  for (; c < channels; ++c) dx[c] = places[c] == number ? dy[c] : T(0);
}

/// One row of inputs below a row of outputs; `before` is the number of the row's first tap. Sizes by value: stores of
/// vectors might be ones to a struct, for all that the compiler knows.
template <int bytes, class T>
EMBER_INLINE void placeRow(const T* dy, const Answer<T>* places, Answer<T> before, i64 outputs, i64 inputs, i64 kernel,
                           i64 stride, i64 pad, i64 channels, T* dx) {
  i64 i = 0;
  for (i64 ow = 0; ow < outputs; ++ow, dy += channels, places += channels) {
    const i64 start = ow * stride - pad, begin = start < 0 ? 0 : start;
    const i64 stop = start + kernel, end = stop < inputs ? stop : inputs;
    for (i64 at = i * channels; at < begin * channels; ++at) dx[at] = T(0);
    for (i = begin; i < end; ++i)
      place<bytes>(dy, places, before + static_cast<Answer<T>>(i - start), channels, dx + i * channels);
  }
  for (i64 at = i * channels; at < inputs * channels; ++at) dx[at] = T(0);
}

/// dx[c] += dy[c] where tap `number` won.
template <class T, class W>
EMBER_INLINE void scatter(const T* dy, const W* won, W number, i64 channels, T* dx) {
  EMBER_NO_ALIAS for (i64 c = 0; c < channels; ++c) dx[c] += won[c] == number ? dy[c] : T(0);
}

/// Windows side by side: the row of outputs (n, od, oh) owns the inputs up to the next row's, and writes each once.
template <class T, class W>
void backwardApart(const T* dy, const W* won, T* dx, const Windows& w) {
  const auto owned = [&](std::size_t axis, i64 output) {
    return Range{output == 0 ? 0 : w.inputs(axis, output).begin,
                 output + 1 == w.out[axis] ? w.in[axis] : w.inputs(axis, output + 1).begin};
  };
  pooling::forRows<T>(w, w.kernel[0] * w.kernel[1] * w.kernel[2], [&](auto& own, i64 n, i64 od, i64 oh, i64 row) {
    const i64 first = row * w.out[2] * w.channels, size = w.out[2] * w.channels;
    own.places.resize(static_cast<std::size_t>(size));
    Answer<T>* const places = own.places.data();
    const W* const winners = won + first;
    convertAll<i32>(winners, places, size);
    const Range depth = w.inputs(0, od), height = w.inputs(1, oh), depths = owned(0, od), heights = owned(1, oh);
    for (i64 d = depths.begin; d < depths.end; ++d) {
      for (i64 h = heights.begin; h < heights.end; ++h) {
        T* to = dx + ((n * w.in[0] + d) * w.in[1] + h) * w.in[2] * w.channels;
        const bool covered = d >= depth.begin && d < depth.end && h >= height.begin && h < height.end;
        if (!covered) {
          std::memset(to, 0, static_cast<std::size_t>(w.in[2] * w.channels) * sizeof(T));
          continue;
        }
        const i64 kd = d - (od * w.stride[0] - w.pad[0]), kh = h - (oh * w.stride[1] - w.pad[1]);
        const i64 before = (kd * w.kernel[1] + kh) * w.kernel[2];
        const T* gradients = dy + first;
        pooling::withVectors([&w, gradients, places, before, to](auto bytes) EMBER_SIMD_BODY {
          placeRow<bytes>(gradients, places, static_cast<Answer<T>>(before), w.out[2], w.in[2], w.kernel[2],
                          w.stride[2], w.pad[2], w.channels, to);
        });
      }
    }
  });
}

/// f(n, first channel, count) over images, or over blocks of channels of each where images are few.
template <class F>
void forImages(const Windows& w, F&& f) {
  // 16 channels are a cache line or two: threads don't write into each other's lines.
  const i64 block = w.batch >= 2 * ComputeScope::threads() ? std::max<i64>(1, w.channels) : 16;
  const i64 blocks = (w.channels + block - 1) / block;
  parallelFor(w.batch * blocks, pooling::grainOf(w.outSize() * block), [&](i64 begin, i64 end) {
    for (i64 item = begin; item < end; ++item) {
      const i64 c = item % blocks * block;
      f(item / blocks, c, std::min(block, w.channels - c));
    }
  });
}

/// f(taps, output) over the windows of an image; `output` is the offset of its channels in the image's result.
template <class F>
void forWindows(const Windows& w, F&& f) {
  std::vector<Tap> list;
  i64 output = 0;
  for (i64 od = 0; od < w.out[0]; ++od) {
    for (i64 oh = 0; oh < w.out[1]; ++oh) {
      for (i64 ow = 0; ow < w.out[2]; ++ow, output += w.channels) {
        fillTaps(list, w, od, oh, ow);
        f(list, output);
      }
    }
  }
}

template <class T, class W>
void backwardOverlapping(const T* dy, const W* won, T* dx, const Windows& w) {
  forImages(w, [&](i64 n, i64 c, i64 count) {
    T* image = dx + n * w.inSize() * w.channels + c;
    const i64 results = n * w.outSize() * w.channels + c;
    for (i64 i = 0; i < w.inSize(); ++i) std::fill(image + i * w.channels, image + i * w.channels + count, T{0});
    forWindows(w, [&](const std::vector<Tap>& list, i64 output) {
      const Tap *begin = list.data(), *stop = begin + list.size();
      const T* gradient = dy + results + output;
      const W* winners = won + results + output;
      simd::runFor<T>([=]() EMBER_SIMD_BODY {
        for (const Tap* tap = begin; tap < stop; ++tap)
          scatter(gradient, winners, static_cast<W>(tap->number), count, image + tap->offset);
      });
    });
  });
}

template <class T, class W>
void gather(const T* x, const W* won, T* y, const Windows& w) {
  forImages(w, [&](i64 n, i64 c, i64 count) {
    const T* image = x + n * w.inSize() * w.channels + c;
    const i64 results = n * w.outSize() * w.channels + c;
    forWindows(w, [&](const std::vector<Tap>& list, i64 output) {
      for (const Tap& tap : list) {
        for (i64 i = 0; i < count; ++i) {
          if (won[results + output + i] == static_cast<W>(tap.number)) y[results + output + i] = image[tap.offset + i];
        }
      }
    });
  });
}

template <class T, class W>
void backward(const T* dy, const W* won, T* dx, const Windows& w) {
  bool apart = true;
  for (std::size_t axis = 0; axis < 3; ++axis)
    apart = apart && w.stride[axis] >= w.kernel[axis] && (w.dilation[axis] == 1 || w.kernel[axis] == 1);
  if (apart) {
    backwardApart(dy, won, dx, w);
  } else {
    backwardOverlapping(dy, won, dx, w);
  }
}

void checkWinners(const NDArray& winners, const Shape& y, const Shape& x, const PoolGeometry& g) {
  if (winners.dtype() != pooling::winnerType(g)) {
    throw DtypeError("maxPool", "winners are " + std::string(name(winners.dtype())) + ", must be " +
                                    std::string(name(pooling::winnerType(g))));
  }
  if (winners.shape() == y && poolShape(x, g, "maxPool") == y) return;
  throw ShapeError("maxPool", "winners " + toString(winners.shape()) + " don't belong to output " + toString(y) +
                                  " and input " + toString(x));
}

}  // namespace

NDArray maxPoolBackward(const NDArray& dy, const NDArray& winners, const Shape& xShape, const PoolGeometry& g) {
  checkWinners(winners, dy.shape(), xShape, g);
  pooling::checkDtype(dy, "maxPool");
  const ComputeScope scope;
  const NDArray gradient = dy.contiguous(MemoryOrder::ChannelsLast),
                won = winners.contiguous(MemoryOrder::ChannelsLast);
  NDArray dx = NDArray::empty(xShape, dy.dtype(), MemoryOrder::ChannelsLast);
  if (dx.numel() == 0) return dx;
  const Windows windows(xShape, dy.shape(), g);
  pooling::dispatchBoth(dy.dtype(), winners.dtype(), [&](auto zero, auto winner) {
    using T = decltype(zero);
    backward(gradient.data<T>(), won.data<decltype(winner)>(), dx.data<T>(), windows);
  });
  return dx;
}

NDArray maxPoolIndices(const NDArray& winners, const Shape& xShape, const PoolGeometry& g) {
  checkWinners(winners, winners.shape(), xShape, g);
  const ComputeScope scope;
  const NDArray won = winners.contiguous(MemoryOrder::ChannelsLast);
  const NDArray indices = NDArray::empty(winners.shape(), DType::I64, MemoryOrder::ChannelsLast);
  if (indices.numel() == 0) return indices;
  const Windows w(xShape, winners.shape(), g);
  i64* const out = indices.data<i64>();
  const auto fill = [&](const auto* numbers) {
    const i64 rows = w.out[0] * w.out[1];
    parallelFor(w.batch * rows, pooling::grainOf(w.out[2] * w.channels), [&](i64 begin, i64 end) {
      for (i64 row = begin; row < end; ++row) {
        const i64 depth = row / w.out[1] % w.out[0] * w.stride[0] - w.pad[0];
        const i64 height = row % w.out[1] * w.stride[1] - w.pad[1];
        for (i64 at = row * w.out[2] * w.channels; at < (row + 1) * w.out[2] * w.channels; ++at) {
          const i64 tap = static_cast<i64>(numbers[at]), kw = w.kernel[2], kh = w.kernel[1];
          const i64 width = at / w.channels % w.out[2] * w.stride[2] - w.pad[2];
          const i64 d = depth + tap / (kh * kw) * w.dilation[0], h = height + tap / kw % kh * w.dilation[1];
          out[at] = (d * w.in[1] + h) * w.in[2] + width + tap % kw * w.dilation[2];
        }
      }
    });
  };
  if (won.dtype() == DType::U8) {
    fill(won.data<u8>());
  } else {
    fill(won.data<i32>());
  }
  return indices;
}

NDArray maxPoolGather(const NDArray& x, const NDArray& winners, const PoolGeometry& g) {
  checkWinners(winners, winners.shape(), x.shape(), g);
  pooling::checkDtype(x, "maxPool");
  const ComputeScope scope;
  const NDArray input = x.contiguous(MemoryOrder::ChannelsLast), won = winners.contiguous(MemoryOrder::ChannelsLast);
  NDArray y = NDArray::empty(winners.shape(), x.dtype(), MemoryOrder::ChannelsLast);
  if (y.numel() == 0) return y;
  const Windows windows(x.shape(), winners.shape(), g);
  pooling::dispatchBoth(x.dtype(), winners.dtype(), [&](auto zero, auto winner) {
    using T = decltype(zero);
    gather(input.data<T>(), won.data<decltype(winner)>(), y.data<T>(), windows);
  });
  return y;
}

}  // namespace ember::core
