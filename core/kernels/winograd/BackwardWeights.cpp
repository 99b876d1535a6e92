#include <algorithm>
#include <bit>

#include <ember/core/Scratch.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/winograd/Filters.h>
#include <ember/core/kernels/winograd/Transforms.h>
#include <ember/core/kernels/winograd/Winograd.h>

namespace ember::core::winograd {
namespace {

/// How the work is cut. Parts of the tiles, each with sums of its own, are added up in their order: they depend on the
/// shape alone, so that the result is the same whatever the thread count. Where they are fewer than the threads, output
/// channels are split, too, and every split transforms all of x: that costs less than to share it between cores.
struct Cut {
  PackedFilters sums;  ///< layout of the transformed gradient
  i64 block, parts, split, splits;

  Cut(const Geometry& g, i64 threads, simd::Level level) : sums(g.inChannels, g.outChannels, level) {
    // Both operands' matrices fit a core's cache. Each block's products are summed by themselves, then added, which
    // keeps rounding small.
    constexpr i64 budget = 144 << 10, most = 4 << 20;  // floats of a block, of all sums
    block = std::min(g.tiles(), std::clamp<i64>(budget / (frequencies * (g.inChannels + g.outChannels)), 64, 96));
    const i64 wanted = std::clamp<i64>(std::min(g.tiles() / block / 4, most / sumFloats()), 1, 16);
    parts = static_cast<i64>(std::bit_floor(static_cast<u64>(wanted)));
    const i64 panels = (sums.columns + sums.panel - 1) / sums.panel;
    const i64 each = (panels + std::max<i64>(1, threads / parts) - 1) / std::max<i64>(1, threads / parts);
    split = each * sums.panel;
    splits = (sums.columns + split - 1) / split;
  }
  i64 sumFloats() const { return frequencies * sums.apart; }
};

/// One part and one split: their sums from the tiles [start, stop) and output channels [first, first + columns).
class Share {
 public:
  Share(const Geometry& g, const Cut& cut, simd::Level level)
      : g_(g),
        cut_(cut),
        level_(level),
        memory_(static_cast<std::size_t>(lineFloats + xFloats() + yFloats()) * sizeof(float)),
        lines_(static_cast<float*>(memory_.data())),
        x_(lines_ + lineFloats, cut.block, g.inChannels),
        dy_(lines_ + lineFloats + xFloats(), cut.block, cut.split) {}

  void sum(const float* in, const float* gradient, i64 start, i64 stop, i64 first, float* sums) {
    const i64 columns = std::min(cut_.split, cut_.sums.columns - first),
              channels = std::min(columns, g_.outChannels - first);
    if (columns > channels) std::fill(dy_.data, dy_.data + yFloats(), 0.0f);
    const Planes x{in, g_.inHeight, g_.inWidth, g_.inChannels, g_.inChannels, g_.padTop, g_.padLeft};
    const Planes dy{gradient + first, g_.outHeight, g_.outWidth, g_.outChannels, channels, 0, 0};
    for (i64 tile = start; tile < stop; tile += cut_.block) {
      const Block b(g_, tile, std::min(stop, tile + cut_.block));
      transformIn<InputLine>(g_, x, b, b.begin, b.end, lines_, x_, level_);
      transformIn<GradientLine>(g_, dy, b, b.begin, b.end, lines_, dy_, level_);
      multiplyAll(b, columns, tile > start, sums + first, ahead(in, gradient, b.end));
    }
  }

 private:
  i64 xFloats() const { return Matrices::floatsFor(cut_.block, g_.inChannels); }
  i64 yFloats() const { return Matrices::floatsFor(cut_.block, cut_.split); }

  /// The block after this one.
  Ahead ahead(const float* in, const float* gradient, i64 tile) const {
    const i64 end = std::min(g_.tiles(), tile + cut_.block);
    const auto input = [&](i64 t) { return nearTile(g_, in, g_.inHeight, g_.inWidth, g_.inChannels, t); };
    const auto output = [&](i64 t) { return nearTile(g_, gradient, g_.outHeight, g_.outWidth, g_.outChannels, t); };
    Ahead next{input(tile), input(end), output(tile), output(end), false, 0};
    next.spread(frequencies * (cut_.split / cut_.sums.panel) * (g_.inChannels / 12));
    return next;
  }

  void multiplyAll(const Block& b, i64 columns, bool add, float* sums, Ahead ahead) const {
    for (i64 f = 0; f < frequencies; ++f) {
      const i64 row = b.firstRow(g_, f), rows = b.lastRow(g_, f) - row;
      for (i64 column = 0; column < columns; column += cut_.sums.panel) {
        multiply({x_.data + f * x_.apart + row * x_.stride, 1, x_.stride,
                  dy_.data + f * dy_.apart + row * dy_.stride + column, dy_.stride, sums + f * cut_.sums.apart + column,
                  cut_.sums.columns, g_.inChannels, rows, std::min(cut_.sums.panel, columns - column), add},
                 ahead, level_);
      }
    }
  }

  const Geometry& g_;
  const Cut& cut_;
  simd::Level level_;
  Scratch memory_;
  float* lines_;
  Matrices x_, dy_;
};

}  // namespace

void backwardWeights(const Geometry& g, const float* in, const float* gradient, float* dw, simd::Level level) {
  const ComputeScope scope;
  const Cut cut(g, ComputeScope::threads(), level);
  const Scratch scratch(static_cast<std::size_t>(cut.parts * cut.sumFloats()) * sizeof(float));
  float* sums = static_cast<float*>(scratch.data());
  parallelFor(cut.parts * cut.splits, 1, [&](i64 begin, i64 end) {
    Share share(g, cut, level);
    for (i64 unit = begin; unit < end; ++unit) {
      const i64 part = unit / cut.splits;
      share.sum(in, gradient, g.tiles() * part / cut.parts, g.tiles() * (part + 1) / cut.parts,
                unit % cut.splits * cut.split, sums + part * cut.sumFloats());
    }
  });
  unpackGradient(sums, cut.parts, cut.sumFloats(), g.inChannels, g.outChannels, dw, level);
}

}  // namespace ember::core::winograd
