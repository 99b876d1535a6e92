#include <algorithm>
#include <type_traits>
#include <vector>

#include <ember/core/Threads.h>
#include <ember/core/kernels/Epilogue.h>
#include <ember/core/kernels/MaxPoolTaps.h>

// Channels lie together, so a vector of them is compared over the taps of its window in a register. A comparison that
// heeds NaN would come out of g++ 12 as scalars: the vectors look for NaN beside, and where there is one (or an
// infinity), plain loops do the pixel again. Which tap won is kept in one byte an output where the window has at most
// 256 taps: a quarter of the traffic of a position.

namespace ember::core {
namespace {

using pooling::convertAll;
using pooling::fillTaps;
using pooling::load;
using pooling::store;
using pooling::Tap;
using pooling::Vector;
using pooling::Windows;

/// f(ow, count) for stretches of `count` windows along a row that have the same taps, one stride further each: those
/// that padding does not reach together, the others alone.
template <class F>
void forStretches(const Windows& w, F&& f) {
  const i64 begin = std::min((w.pad[2] + w.stride[2] - 1) / w.stride[2], w.out[2]);
  const i64 room = w.in[2] + w.pad[2] - w.extent(2);
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
/// constant. `places` [pixels·channels] takes the winners, as T: then one mask chooses both. False, and some may be
/// wrong, if there is a NaN or infinity; without `checks` the caller knows that there is none.
template <bool tells, bool checks, int K, int bytes, class T>
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
      if constexpr (checks) spoiled += best * T(0);
      V place = V{} + number[0];
      for (i64 t = 1; t < size; ++t) {
        const V v = load<bytes>(x + offsetOf(t) + c);
        if constexpr (checks) spoiled += v * T(0);
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
  if constexpr (!checks) return true;
  for (i64 i = 0; i < n; ++i) spoiledRest += spoiled[i];
  return spoiledRest == spoiledRest;
}

template <bool tells, bool checks, class T, class W>
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
    // T holds the numbers of so many taps exactly.
    [[maybe_unused]] const bool few = count == 0 || taps[count - 1].number < (i32{1} << 24);
    [[maybe_unused]] const auto compare = [&finite, from, size, step, taps, count, channels, to, buffer](auto bytes) EMBER_SIMD_BODY {
      if (count == 2) {
        finite = greatestFinite<tells, checks, 2, bytes>(from, size, step, taps, count, channels, to, buffer);
      } else if (count == 4) {
        finite = greatestFinite<tells, checks, 4, bytes>(from, size, step, taps, count, channels, to, buffer);
      } else if (count == 8) {
        finite = greatestFinite<tells, checks, 8, bytes>(from, size, step, taps, count, channels, to, buffer);
      } else {
        finite = greatestFinite<tells, checks, 0, bytes>(from, size, step, taps, count, channels, to, buffer);
      }
    };
    // Doubles verify more than they train; vectors for them would be 70 KB of code.
    if constexpr (std::is_same_v<T, float>) {
      if (few) pooling::withVectors(compare);
    }
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

template <bool tells, bool checks, class T, class W>
void forward(const T* x, T* y, W* won, const Windows& w) {
  pooling::forRows<T>(w, w.kernel[0] * w.kernel[1] * w.kernel[2], [&](auto& own, i64 n, i64 od, i64 oh, i64 row) {
    forStretches(w, [&](i64 ow, i64 count) {
      fillTaps(own.taps, w, od, oh, ow);
      const i64 first = (row * w.out[2] + ow) * w.channels;
      greatest<tells, checks>(x + n * w.inSize() * w.channels, count, w.stride[2] * w.channels, own.taps, w.channels,
                              y + first, won + (tells ? first : 0), own.won);
    });
  });
}

}  // namespace

MaxPoolResult maxPool(const NDArray& x, const PoolGeometry& g, bool withWinners) {
  const std::string op = pooling::opName("maxPool", g.spatial);
  const Shape yShape = poolShape(x.shape(), g, op.c_str());
  pooling::checkDtype(x, op.c_str());
  const Windows windows(x.shape(), yShape, g);
  const DType type = pooling::winnerType(g);
  const ComputeScope scope;
  const NDArray input = x.contiguous(MemoryOrder::ChannelsLast);
  MaxPoolResult result{NDArray::empty(yShape, x.dtype(), MemoryOrder::ChannelsLast), {}};
  if (withWinners) result.winners = NDArray::empty(yShape, type, MemoryOrder::ChannelsLast);
  if (result.y.numel() == 0) return result;
  const bool finite = markedFinite(input);
  pooling::dispatchBoth(x.dtype(), withWinners ? type : DType::U8, [&](auto zero, auto winner) {
    using T = decltype(zero);
    using W = decltype(winner);
    const T* from = input.data<T>();
    T* to = result.y.data<T>();
    if (withWinners) {
      forward<true, true>(from, to, result.winners.data<W>(), windows);
    } else if constexpr (std::is_same_v<W, u8>) {
      if (finite) {
        forward<false, false>(from, to, static_cast<W*>(nullptr), windows);
      } else {
        forward<false, true>(from, to, static_cast<W*>(nullptr), windows);
      }
    }
  });
  if (finite) markFinite(result.y);
  return result;
}

}  // namespace ember::core
