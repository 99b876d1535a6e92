#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#include <ember/core/Threads.h>
#include <ember/core/kernels/PoolSimd.h>
#include <ember/core/kernels/PoolWindows.h>

// Channels lie together, so a vector of them is compared over the taps of its window in a register. A comparison that
// heeds NaN would come out of g++ 12 as scalars: the vectors look for NaN beside, and where there is one (or an
// infinity), plain loops do the pixel again. Which tap won is kept in one byte an output where the window has at most
// 256 taps: a quarter of the traffic of a position.
//
// Backward: windows that do not overlap give each input one tap of one output, so a pass over the inputs writes all of
// them once. Where they overlap a thread owns whole images, or a block of channels of one image: no atomics, and the
// order of the sums is fixed.

namespace ember::core {
namespace {

using pooling::load;
using pooling::Range;
using pooling::store;
using pooling::Vector;
using pooling::Windows;

/// An integer as wide as T: what is compared and what is chosen then fill vectors alike.
template <class T>
using Answer = std::conditional_t<sizeof(T) == 8, i64, i32>;

/// A place in a window that lies inside the input.
struct Tap {
  i64 offset;  ///< of its channels, from those of the image's first pixel
  i32 number;  ///< row-major among the taps of a whole window
};

/// The taps of window (od, oh, ow), all that lie inside.
void fillTaps(std::vector<Tap>& taps, const Windows& w, i64 od, i64 oh, i64 ow) {
  const Range depth = w.inputs(0, od), height = w.inputs(1, oh), width = w.inputs(2, ow);
  const auto place = [&](std::size_t axis, i64 output, i64 input) {
    return input - (output * w.stride[axis] - w.pad[axis]);
  };
  taps.clear();
  for (i64 d = depth.begin; d < depth.end; ++d) {
    for (i64 h = height.begin; h < height.end; ++h) {
      const i64 before = (place(0, od, d) * w.kernel[1] + place(1, oh, h)) * w.kernel[2];
      for (i64 i = width.begin; i < width.end; ++i) {
        taps.push_back(
            {((d * w.in[1] + h) * w.in[2] + i) * w.channels, static_cast<i32>(before + place(2, ow, i))});
      }
    }
  }
}

/// f(ow, count) for stretches of `count` windows along a row that have the same taps, one stride further each: those
/// that padding does not reach together, the others alone.
template <class F>
void forStretches(const Windows& w, F&& f) {
  const i64 begin = std::min((w.pad[2] + w.stride[2] - 1) / w.stride[2], w.out[2]);
  const i64 room = w.in[2] + w.pad[2] - w.kernel[2];
  const i64 end = std::max(begin, std::min(room < 0 ? 0 : room / w.stride[2] + 1, w.out[2]));
  for (i64 ow = 0; ow < begin; ++ow) f(ow, 1);
  if (end > begin) f(begin, end - begin);
  for (i64 ow = end; ow < w.out[2]; ++ow) f(ow, 1);
}

/// Of each channel the greatest tap, which is `y`, and (tells) whose it is; the first NaN wins.
template <bool tells, class T, class W>
void greatestExact(const T* x, const Tap* taps, i64 count, i64 channels, T* y, W* won) {
  for (i64 c = 0; c < channels; ++c) {
    T best = x[taps[0].offset + c];
    i32 winner = taps[0].number;
    for (i64 t = 1; t < count; ++t) {
      const T v = x[taps[t].offset + c];
      if (v <= best || best != best) continue;
      best = v;
      winner = taps[t].number;
    }
    y[c] = best;
    if constexpr (tells) won[c] = static_cast<W>(winner);
  }
}

/// `pixels` windows side by side with the same `count` taps, each `step` further; K is count, or 0 where that is no
/// constant. `places` [pixels·channels] takes the winners, as T: then one mask chooses both. False, and some may be wrong,
/// if there is a NaN or infinity.
template <bool tells, int K, int bytes, class T>
EMBER_INLINE bool greatestFinite(const T* x, i64 pixels, i64 step, const Tap* taps, i64 count, i64 channels, T* y,
                                 T* places) {
  using V = Vector<T, bytes>;
  constexpr i64 n = bytes / static_cast<i64>(sizeof(T));
  // In locals: a store through y might be one to the list, for all that the compiler knows.
  constexpr i64 known = K > 0 ? K : 1;
  const i64 size = K > 0 ? K : count;
  i64 offset[known];
  T number[known];
  for (i64 t = 0; t < known; ++t) offset[t] = taps[t].offset, number[t] = static_cast<T>(taps[t].number);
  const auto offsetOf = [&](i64 t) EMBER_SIMD_BODY { return K > 0 ? offset[t] : taps[t].offset; };
  const auto numberOf = [&](i64 t) EMBER_SIMD_BODY { return K > 0 ? number[t] : static_cast<T>(taps[t].number); };
  V spoiled{};  // becomes NaN
  T spoiledRest = 0;
  for (i64 i = 0; i < pixels; ++i, x += step, y += channels, places += tells ? channels : 0) {
    i64 c = 0;
    for (; c + n <= channels; c += n) {
      V best = load<bytes>(x + offset[0] + c);
      spoiled += best * T(0);
      V place = V{} + number[0];
      for (i64 t = 1; t < size; ++t) {
        const V v = load<bytes>(x + offsetOf(t) + c);
        spoiled += v * T(0);
        if constexpr (tells) place = best < v ? V{} + numberOf(t) : place;
        best = best < v ? v : best;
      }
      store<bytes>(y + c, best);
      if constexpr (tells) store<bytes>(places + c, place);
    }
    for (; c < channels; ++c) {
      T best = x[offset[0] + c];
      T place = number[0];
      spoiledRest += best * T(0);
      for (i64 t = 1; t < size; ++t) {
        const T v = x[offsetOf(t) + c];
        spoiledRest += v * T(0);
        if constexpr (tells) place = best < v ? numberOf(t) : place;
        best = best < v ? v : best;
      }
      y[c] = best;
      if constexpr (tells) places[c] = place;
    }
  }
  for (i64 i = 0; i < n; ++i) spoiledRest += spoiled[i];
  return spoiledRest == spoiledRest;
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

template <bool tells, class T, class W>
void greatest(const T* x, i64 pixels, i64 step, const std::vector<Tap>& list, i64 channels, T* y, W* won,
              std::vector<T>& places) {
  const Tap* taps = list.data();
  const i64 count = static_cast<i64>(list.size());
  // Pieces whose places stay in the first cache until they are turned into winners.
  const i64 piece = tells ? std::max<i64>(1, 2048 / channels) : pixels;
  if constexpr (tells) places.resize(static_cast<std::size_t>(std::min(piece, pixels) * channels));
  T* const buffer = places.data();
  for (i64 first = 0; first < pixels; first += piece) {
    const i64 size = std::min(piece, pixels - first);
    const T* from = x + first * step;
    T* to = y + first * channels;
    bool finite = false;
    pooling::withVectors([&finite, from, size, step, taps, count, channels, to, buffer](auto bytes) EMBER_SIMD_BODY {
      if (count == 2) {
        finite = greatestFinite<tells, 2, bytes>(from, size, step, taps, count, channels, to, buffer);
      } else if (count == 4) {
        finite = greatestFinite<tells, 4, bytes>(from, size, step, taps, count, channels, to, buffer);
      } else if (count == 8) {
        finite = greatestFinite<tells, 8, bytes>(from, size, step, taps, count, channels, to, buffer);
      } else {
        finite = greatestFinite<tells, 0, bytes>(from, size, step, taps, count, channels, to, buffer);
      }
    });
    W* const winners = won + (tells ? first * channels : 0);
    if (!finite) {
      for (i64 i = 0; i < size; ++i) {
        greatestExact<tells>(from + i * step, taps, count, channels, to + i * channels,
                             winners + (tells ? i * channels : 0));
      }
    } else if constexpr (tells) {
      convertAll<i32>(buffer, winners, size * channels);
    }
  }
}

/// What a thread keeps from row to row.
template <class T>
struct Buffers {
  std::vector<Tap> taps;
  std::vector<T> won;
  std::vector<Answer<T>> places;
};

/// f(buffers, n, od, oh, row) for every row of outputs, in parallel.
template <class T, class F>
void forRows(const Windows& w, i64 workPerOutput, F&& f) {
  const i64 rows = w.out[0] * w.out[1];
  parallelFor(w.batch * rows, pooling::grainOf(w.out[2] * w.channels * workPerOutput), [&](i64 begin, i64 end) {
    Buffers<T> own;
    for (i64 row = begin; row < end; ++row) f(own, row / rows, row / w.out[1] % w.out[0], row % w.out[1], row);
  });
}

template <bool tells, class T, class W>
void forward(const T* x, T* y, W* won, const Windows& w) {
  forRows<T>(w, w.kernel[0] * w.kernel[1] * w.kernel[2], [&](Buffers<T>& own, i64 n, i64 od, i64 oh, i64 row) {
    forStretches(w, [&](i64 ow, i64 count) {
      fillTaps(own.taps, w, od, oh, ow);
      const i64 first = (row * w.out[2] + ow) * w.channels;
      greatest<tells>(x + n * w.inSize() * w.channels, count, w.stride[2] * w.channels, own.taps, w.channels, y + first,
                      won + (tells ? first : 0), own.won);
    });
  });
}

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
  forRows<T>(w, w.kernel[0] * w.kernel[1] * w.kernel[2], [&](Buffers<T>& own, i64 n, i64 od, i64 oh, i64 row) {
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
      simd::run([=]() EMBER_SIMD_BODY {
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
  const bool apart = w.stride[0] >= w.kernel[0] && w.stride[1] >= w.kernel[1] && w.stride[2] >= w.kernel[2];
  if (apart) {
    backwardApart(dy, won, dx, w);
  } else {
    backwardOverlapping(dy, won, dx, w);
  }
}

DType winnerType(const PoolGeometry& g) {
  i64 taps = 1;
  for (int i = 0; i < g.spatial; ++i) taps = checkedMul(taps, g.kernel[static_cast<std::size_t>(i)]);
  if (taps > std::numeric_limits<i32>::max())
    throw ShapeError("maxPool", "a window has " + std::to_string(taps) + " elements, more than 2^31 - 1");
  return taps <= 256 ? DType::U8 : DType::I32;
}

void checkWinners(const NDArray& winners, const Shape& y, const Shape& x, const PoolGeometry& g) {
  if (winners.dtype() != winnerType(g)) {
    throw DtypeError("maxPool", "winners are " + std::string(name(winners.dtype())) + ", must be " +
                                    std::string(name(winnerType(g))));
  }
  if (winners.shape() == y && poolShape(x, g, "maxPool") == y) return;
  throw ShapeError("maxPool", "winners " + toString(winners.shape()) + " don't belong to output " + toString(y) +
                                  " and input " + toString(x));
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

}  // namespace

MaxPoolResult maxPool(const NDArray& x, const PoolGeometry& g, bool withWinners) {
  const std::string op = pooling::opName("maxPool", g.spatial);
  const Shape yShape = poolShape(x.shape(), g, op.c_str());
  pooling::checkDtype(x, op.c_str());
  const Windows windows(x.shape(), yShape, g);
  const DType type = winnerType(g);
  const ComputeScope scope;
  const NDArray input = x.contiguous(MemoryOrder::ChannelsLast);
  MaxPoolResult result{NDArray::empty(yShape, x.dtype(), MemoryOrder::ChannelsLast), {}};
  if (withWinners) result.winners = NDArray::empty(yShape, type, MemoryOrder::ChannelsLast);
  if (result.y.numel() == 0) return result;
  dispatchBoth(x.dtype(), withWinners ? type : DType::U8, [&](auto zero, auto winner) {
    using T = decltype(zero);
    using W = decltype(winner);
    if (withWinners) {
      forward<true>(input.data<T>(), result.y.data<T>(), result.winners.data<W>(), windows);
    } else if constexpr (std::is_same_v<W, u8>) {
      forward<false>(input.data<T>(), result.y.data<T>(), static_cast<W*>(nullptr), windows);
    }
  });
  return result;
}

NDArray maxPoolBackward(const NDArray& dy, const NDArray& winners, const Shape& xShape, const PoolGeometry& g) {
  checkWinners(winners, dy.shape(), xShape, g);
  pooling::checkDtype(dy, "maxPool");
  const ComputeScope scope;
  const NDArray gradient = dy.contiguous(MemoryOrder::ChannelsLast),
                won = winners.contiguous(MemoryOrder::ChannelsLast);
  NDArray dx = NDArray::empty(xShape, dy.dtype(), MemoryOrder::ChannelsLast);
  if (dx.numel() == 0) return dx;
  const Windows windows(xShape, dy.shape(), g);
  dispatchBoth(dy.dtype(), winners.dtype(), [&](auto zero, auto winner) {
    using T = decltype(zero);
    backward(gradient.data<T>(), won.data<decltype(winner)>(), dx.data<T>(), windows);
  });
  return dx;
}

NDArray maxPoolGather(const NDArray& x, const NDArray& winners, const PoolGeometry& g) {
  checkWinners(winners, winners.shape(), x.shape(), g);
  pooling::checkDtype(x, "maxPool");
  const ComputeScope scope;
  const NDArray input = x.contiguous(MemoryOrder::ChannelsLast), won = winners.contiguous(MemoryOrder::ChannelsLast);
  NDArray y = NDArray::empty(winners.shape(), x.dtype(), MemoryOrder::ChannelsLast);
  if (y.numel() == 0) return y;
  const Windows windows(x.shape(), winners.shape(), g);
  dispatchBoth(x.dtype(), winners.dtype(), [&](auto zero, auto winner) {
    using T = decltype(zero);
    gather(input.data<T>(), won.data<decltype(winner)>(), y.data<T>(), windows);
  });
  return y;
}

}  // namespace ember::core
