#include <algorithm>
#include <functional>

#include <ember/core/Scratch.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/winograd/Filters.h>
#include <ember/core/kernels/winograd/Statistics.h>
#include <ember/core/kernels/winograd/Transforms.h>
#include <ember/core/kernels/winograd/Winograd.h>

namespace ember::core::winograd {
namespace {

struct WithAfter {
  static constexpr bool tails = true;
  After after;
  const float* out;
  template <int lanes>
  struct Finish {
    Vec<lanes> bias, least;
    const float *sum, *out;
    EMBER_INLINE void begin(i64) {}
    template <int outs>
    EMBER_INLINE void row(int, Vec<lanes> (&y)[4], i64 columns, const float* pixel, i64 pitch) {
      unrolled<outs>([&](auto j) EMBER_SIMD_BODY {
        if (j >= columns) return;
        Vec<lanes>& v = y[j];
        v += bias;
        if (sum) v += load<lanes>(sum + (pixel + j * pitch - out));
        v = v < least ? least : v;  // a NaN stays
      });
    }
    EMBER_INLINE void end() {}
  };
  template <int lanes>
  EMBER_INLINE Finish<lanes> at(i64 channel) const {
    Vec<lanes> bias{};
    if (after.bias) bias = load<lanes>(after.bias + channel);
    return {bias, broadcast<lanes>(after.relu ? 0.0f : -__builtin_inff()), after.sum, out};
  }
};

/// How the work is cut: blocks of tiles, and parts of the output channels where tiles are few.
struct Cut {
  i64 block, blocks, part, parts;
};

/// Blocks are multiples of `unit` tiles, 12 or a divisor.
Cut cutFor(const Geometry& g, i64 threads, i64 unit) {
  constexpr i64 budget = 96 << 10;       // floats of a block's matrices: 384 KB, to leave room for filters in the cache
  constexpr i64 least = 24, width = 32;  // tiles that are worth a thread of their own; columns of the widest panel
  const i64 tiles = g.tiles(), panels = (g.outChannels + width - 1) / width;
  const i64 parts = tiles < least * threads ? std::min(panels, threads) : 1,
            part = (panels + parts - 1) / parts * width;
  const i64 most = std::max<i64>(36, budget / (frequencies * (g.inChannels + std::min<i64>(g.outChannels, 128))));
  const i64 perThread = (tiles * parts + threads - 1) / threads, rounds = (perThread + most - 1) / most;
  const i64 share = (perThread + rounds - 1) / rounds,
            step = share > least ? 12 : std::max<i64>(4, unit);  // rows of the product kernels
  const i64 block = (share + step - 1) / step * step;
  return {block, (tiles + block - 1) / block, part, (g.outChannels + part - 1) / part};
}

/// The products of a block for output channels [first, last).
void multiplyAll(const Geometry& g, const Block& b, const Matrices& in, const Matrices& out, const float* filters,
                 i64 first, i64 last, Ahead ahead, simd::Level level) {
  // Sums of many channels are added up from sums of this many, which keeps rounding small.
  constexpr i64 run = 128;
  const PackedFilters packed(g.inChannels, g.outChannels, level);
  const i64 stop = packed.padded(last);
  for (i64 f = 0; f < frequencies; ++f) {
    const i64 row = b.firstRow(g, f), rows = b.lastRow(g, f) - row;
    const float* left = in.data + f * in.apart + row * in.stride;
    for (i64 column = first; column < stop; column += packed.panel) {
      const i64 columns = std::min(packed.panel, packed.columns - column);
      const float* right = filters + f * packed.apart + column * g.inChannels;
      float* result = out.data + f * out.apart + row * out.stride + (column - first);
      for (i64 c = 0; c < g.inChannels; c += run) {
        multiply({left + c, in.stride, 1, right + c * columns, columns, result, out.stride, rows,
                  std::min(run, g.inChannels - c), columns, c > 0},
                 ahead, level);
      }
    }
  }
}

/// What the products of a block may fetch: the next block's input, and the lines that this block's results go to.
Ahead aheadOf(const Geometry& g, const Cut& cut, const Block& b, const float* in, const float* out, bool lastChunk) {
  const i64 next = lastChunk ? std::min(g.tiles(), b.end + cut.block) : b.end, round = g.tilesAcross() - 1;
  const auto input = [&](i64 tile) { return nearTile(g, in, g.inHeight, g.inWidth, g.inChannels, tile); };
  const auto output = [&](i64 tile) { return nearTile(g, out, g.outHeight, g.outWidth, g.outChannels, tile); };
  Ahead ahead{input(b.end), input(next > b.end ? next + round : next), output(b.begin), output(b.end + round), true, 0};
  ahead.spread(frequencies * ((b.end - b.begin) / 12) * ((std::min<i64>(cut.part, 128) + 31) / 32));
  return ahead;
}

/// What takes matrices of a block's tiles, channels [first, first + count) of the results, to the output.
using Output = std::function<void(const Matrices&, const Block&, i64 first, i64 count)>;

void forBlocks(const Geometry& g, const Cut& cut, const float* in, const Storage& packed, const float* out,
               simd::Level level, const Output& transform) {
  const i64 chunk = std::min<i64>(cut.part, 128);
  const Planes planes{in, g.inHeight, g.inWidth, g.inChannels, g.inChannels, g.padTop, g.padLeft};
  const auto filters = static_cast<const float*>(packed.data());
  parallelFor(cut.blocks * cut.parts, 1, [&](i64 begin, i64 end) {
    const i64 inFloats = Matrices::floatsFor(cut.block, g.inChannels),
              outFloats = Matrices::floatsFor(cut.block, chunk);
    const Scratch scratch(static_cast<std::size_t>(inFloats + outFloats + lineFloats) * sizeof(float));
    float* lines = static_cast<float*>(scratch.data());
    const Matrices v(lines + lineFloats, cut.block, g.inChannels), m(lines + lineFloats + inFloats, cut.block, chunk);
    for (i64 unit = begin; unit < end; ++unit) {
      const i64 first = unit / cut.parts * cut.block, part = unit % cut.parts * cut.part;
      const Block b(g, first, std::min(g.tiles(), first + cut.block));
      if (unit == begin || unit % cut.parts == 0) transformIn<InputLine>(g, planes, b, b.begin, b.end, lines, v, level);
      const i64 last = std::min(g.outChannels, part + cut.part);
      for (i64 channel = part; channel < last; channel += chunk) {
        const i64 stop = std::min(last, channel + chunk);
        multiplyAll(g, b, v, m, filters, channel, stop, aheadOf(g, cut, b, in, out, stop == last), level);
        transform(m, b, channel, stop - channel);
      }
    }
  });
}

}  // namespace

void convolve(const Geometry& g, const float* in, const Storage& packed, const After& after, float* out,
              simd::Level level) {
  const ComputeScope scope;
  forBlocks(g, cutFor(g, ComputeScope::threads(), 1), in, packed, out, level,
            [&](const Matrices& m, const Block& b, i64 first, i64 channels) {
              transformOut(g, m, b, first, channels, out, WithAfter{after, out}, level);
            });
}

bool givesStatistics(const Geometry& g, simd::Level level) {
  constexpr i64 least = 32 * tilesOfSum;  // fewer are in the cache still when the batch norm reads them
  return level != simd::Level::Baseline && g.outChannels % lanesOf(level) == 0 && g.tiles() >= least;
}

void convolveWithStatistics(const Geometry& g, const float* in, const Storage& packed, float* out, double* mean,
                            double* var, simd::Level level) {
  const ComputeScope scope;
  const Sums sums(g);
  forBlocks(g, cutFor(g, ComputeScope::threads(), tilesOfSum), in, packed, out, level,
            [&](const Matrices& m, const Block& b, i64 first, i64 channels) {
              transformOut(g, m, b, first, channels, out, sums.epilogue(), level);
            });
  sums.statistics(mean, var);
}

}  // namespace ember::core::winograd
