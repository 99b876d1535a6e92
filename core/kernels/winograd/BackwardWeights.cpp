#include <algorithm>
#include <bit>

#include <ember/core/Scratch.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/winograd/Filters.h>
#include <ember/core/kernels/winograd/Transforms.h>
#include <ember/core/kernels/winograd/Winograd.h>

namespace ember::core::winograd {
namespace {

/// The operands of a call, and how they are cut: by the shape alone, so that the sums are the same whatever the thread
/// count.
struct Call {
  Geometry g;
  const float *in, *gradient;
  simd::Level level;
  PackedFilters sums;  ///< layout of the transformed gradient
  i64 block, parts;

  Call(const Geometry& geometry, const float* x, const float* dy, simd::Level l)
      : g(geometry), in(x), gradient(dy), level(l), sums(g.inChannels, g.outChannels, l) {
    // Both operands' matrices fit a core's cache. Each block's products are summed by themselves, then added, which
    // keeps rounding small.
    constexpr i64 budget = 144 << 10;  // floats
    block = std::min(g.tiles(), std::clamp<i64>(budget / (frequencies * (g.inChannels + g.outChannels)), 64, 96));
    // Few channels and many tiles: parts of the tiles, each with sums of its own that stay in a core's cache, too.
    const auto most = static_cast<u64>(std::clamp<i64>(g.tiles() / block / 8, 1, 16));
    parts = sumFloats() <= 40 << 10 ? static_cast<i64>(std::bit_floor(most)) : 1;
  }

  i64 sumFloats() const { return frequencies * sums.apart; }
  i64 panels() const { return (sums.columns + sums.panel - 1) / sums.panel; }
  i64 units() const { return frequencies * panels(); }
};

/// The transformed operands of a block.
struct Operands {
  Scratch memory;
  Matrices x, dy;

  explicit Operands(const Call& c)
      : memory(static_cast<std::size_t>(xFloats(c) + yFloats(c)) * sizeof(float)),
        x(static_cast<float*>(memory.data()), c.block, c.g.inChannels),
        dy(static_cast<float*>(memory.data()) + xFloats(c), c.block, c.sums.columns) {
    if (c.sums.columns > c.g.outChannels) std::fill(dy.data, dy.data + yFloats(c), 0.0f);
  }
  static i64 xFloats(const Call& c) { return Matrices::floatsFor(c.block, c.g.inChannels); }
  static i64 yFloats(const Call& c) { return Matrices::floatsFor(c.block, c.sums.columns); }

  /// Tiles [begin, end) of the block.
  void transform(const Call& c, const Block& b, i64 begin, i64 end) const {
    const Scratch scratch(lineFloats * sizeof(float));
    float* lines = static_cast<float*>(scratch.data());
    const Planes in{c.in, c.g.inHeight, c.g.inWidth, c.g.inChannels, c.g.padTop, c.g.padLeft};
    const Planes gradient{c.gradient, c.g.outHeight, c.g.outWidth, c.g.outChannels, 0, 0};
    transformIn<InputLine>(c.g, in, b, begin, end, lines, x, c.level);
    transformIn<GradientLine>(c.g, gradient, b, begin, end, lines, dy, c.level);
  }

  /// Units [begin, end): a frequency and a panel of output channels each. Fetches tiles [next, nextEnd) meanwhile.
  void multiplyInto(float* sums, bool add, const Call& c, const Block& b, i64 begin, i64 end, i64 next,
                    i64 nextEnd) const {
    const Geometry& g = c.g;
    const auto input = [&](i64 tile) { return nearTile(g, c.in, g.inHeight, g.inWidth, g.inChannels, tile); };
    const auto output = [&](i64 tile) { return nearTile(g, c.gradient, g.outHeight, g.outWidth, g.outChannels, tile); };
    Ahead ahead{input(next), input(nextEnd), output(next), output(nextEnd), false, 0};
    ahead.spread((end - begin) * (g.inChannels / 12));
    for (i64 unit = begin; unit < end; ++unit) {
      const i64 f = unit / c.panels(), column = unit % c.panels() * c.sums.panel;
      const i64 row = b.firstRow(g, f), rows = b.lastRow(g, f) - row;
      multiply({x.data + f * x.apart + row * x.stride, 1, x.stride, dy.data + f * dy.apart + row * dy.stride + column,
                dy.stride, sums + f * c.sums.apart + column, c.sums.columns, g.inChannels, rows,
                std::min(c.sums.panel, c.sums.columns - column), add},
               ahead, c.level);
    }
  }
};

/// Each thread takes parts of the tiles.
void sumParts(const Call& c, float* sums) {
  parallelFor(c.parts, 1, [&](i64 begin, i64 end) {
    const Operands operands(c);
    for (i64 part = begin; part < end; ++part) {
      const i64 start = c.g.tiles() * part / c.parts, stop = c.g.tiles() * (part + 1) / c.parts;
      for (i64 first = start; first < stop; first += c.block) {
        const Block b(c.g, first, std::min(stop, first + c.block));
        operands.transform(c, b, b.begin, b.end);
        operands.multiplyInto(sums + part * c.sumFloats(), first > start, c, b, 0, c.units(), b.end,
                              std::min(c.g.tiles(), b.end + c.block));
      }
    }
  });
}

/// All threads work on one block, first on its tiles, then on its frequencies.
void sumBlocks(const Call& c, float* sums) {
  const Operands operands(c);
  for (i64 first = 0; first < c.g.tiles(); first += c.block) {
    const Block b(c.g, first, std::min(c.g.tiles(), first + c.block));
    parallelFor(b.end - first, 8, [&](i64 begin, i64 end) { operands.transform(c, b, first + begin, first + end); });
    const i64 more = std::min(c.block, c.g.tiles() - b.end);
    parallelFor(c.units(), 1, [&](i64 begin, i64 end) {
      operands.multiplyInto(sums, first > 0, c, b, begin, end, b.end + more * begin / c.units(),
                            b.end + more * end / c.units());
    });
  }
}

}  // namespace

void backwardWeights(const Geometry& g, const float* in, const float* gradient, float* dw, simd::Level level) {
  const ComputeScope scope;
  const Call call(g, in, gradient, level);
  const Scratch scratch(static_cast<std::size_t>(call.parts * call.sumFloats()) * sizeof(float));
  float* sums = static_cast<float*>(scratch.data());
  if (call.parts > 1) {
    sumParts(call, sums);
  } else {
    sumBlocks(call, sums);
  }
  unpackGradient(sums, call.parts, call.sumFloats(), g.inChannels, g.outChannels, dw, level);
}

}  // namespace ember::core::winograd
