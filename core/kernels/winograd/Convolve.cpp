#include <algorithm>

#include <ember/core/Scratch.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/winograd/Filters.h>
#include <ember/core/kernels/winograd/Transforms.h>
#include <ember/core/kernels/winograd/Winograd.h>

namespace ember::core::winograd {
namespace {

struct WithAfter {
  After after;
  const float* out;
  template <int lanes>
  struct Finish {
    Vec<lanes> bias, least;
    const float *sum, *out;
    EMBER_INLINE void operator()(Vec<lanes>& v, const float* pixel) const {
      v += bias;
      if (sum) v += load<lanes>(sum + (pixel - out));
      v = v < least ? least : v;  // a NaN stays
    }
  };
  template <int lanes>
  EMBER_INLINE Finish<lanes> at(i64 channel) const {
    Vec<lanes> bias{};
    if (after.bias) bias = load<lanes>(after.bias + channel);
    return {bias, broadcast<lanes>(after.relu ? 0.0f : -__builtin_inff()), after.sum, out};
  }
};

/// How the work is cut: blocks of tiles, and parts of the output channels where there are fewer blocks than threads.
struct Cut {
  i64 block, blocks, part, parts;
};

constexpr i64 budget = 96 << 10;  // floats of one block's matrices: 384 KB

Cut cutFor(const Geometry& g, i64 threads) {
  const i64 tiles = g.tiles(), rounded = 12;
  const i64 most = std::max<i64>(36, budget / (frequencies * (g.inChannels + std::min<i64>(g.outChannels, 128))));
  const i64 perThread = (tiles + threads - 1) / threads;
  const i64 rounds = (perThread + most - 1) / most;
  i64 block = std::max<i64>(1, (perThread + rounds - 1) / rounds);
  block = (block + rounded - 1) / rounded * rounded;
  const i64 blocks = (tiles + block - 1) / block;
  const i64 panels = (g.outChannels + 31) / 32, parts = blocks >= threads ? 1 : std::min(panels, threads / blocks);
  const i64 part = (panels + parts - 1) / parts * 32;
  return {block, blocks, part, (g.outChannels + part - 1) / part};
}

struct Block {
  i64 begin, end;
  Matrices in, out;
};

void multiply(const Geometry& g, const Block& b, const float* filters, i64 first, i64 last, Ahead ahead,
              simd::Level level) {
  withIsa(level, [&](auto isa) EMBER_SIMD_BODY {
    using Isa = decltype(isa);
    const i64 apart = filtersApart<Isa>(g.inChannels, g.outChannels), stop = paddedColumns<Isa>(last);
    for (i64 f = 0; f < frequencies; ++f) {
      const Product product{
          b.in.data + f * b.in.apart, b.in.stride, 1, nullptr, 0, g.inChannels, nullptr, b.out.stride};
      float* result = b.out.data + f * b.out.apart;
      const float* right = filters + f * apart;
      i64 column = first;
      for (; column + panel<Isa> <= stop; column += panel<Isa>) {
        multiplyPanel<Isa, 2, false>(product, b.end - b.begin, right + column * g.inChannels, panel<Isa>,
                                     result + (column - first), ahead);
      }
      if (column < stop) {
        multiplyPanel<Isa, 1, false>(product, b.end - b.begin, right + column * g.inChannels, Isa::lanes,
                                     result + (column - first), ahead);
      }
    }
  });
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

}  // namespace

void convolve(const Geometry& g, const float* in, const Storage& packed, const After& after, float* out,
              simd::Level level) {
  const ComputeScope scope;
  const Cut cut = cutFor(g, ComputeScope::threads());
  const i64 chunk = std::min<i64>(cut.part, 128);
  const Planes planes{in, g.inHeight, g.inWidth, g.inChannels, g.padTop, g.padLeft};
  const auto filters = static_cast<const float*>(packed.data());
  parallelFor(cut.blocks * cut.parts, 1, [&](i64 begin, i64 end) {
    const i64 inFloats = Matrices::floatsFor(cut.block, g.inChannels),
              outFloats = Matrices::floatsFor(cut.block, chunk);
    const Scratch scratch(static_cast<std::size_t>(inFloats + outFloats + lineFloats) * sizeof(float));
    float* lines = static_cast<float*>(scratch.data());
    const Matrices v(lines + lineFloats, cut.block, g.inChannels), m(lines + lineFloats + inFloats, cut.block, chunk);
    for (i64 unit = begin; unit < end; ++unit) {
      const i64 first = unit / cut.parts * cut.block, part = unit % cut.parts * cut.part;
      const Block b{first, std::min(g.tiles(), first + cut.block), v, m};
      if (unit == begin || unit % cut.parts == 0) {
        withIsa(level, [&](auto isa) EMBER_SIMD_BODY {
          transformIn<decltype(isa), InputLine>(g, planes, b.begin, b.end, lines, b.in, 0);
        });
      }
      const i64 last = std::min(g.outChannels, part + cut.part);
      for (i64 channel = part; channel < last; channel += chunk) {
        const i64 stop = std::min(last, channel + chunk);
        multiply(g, b, filters, channel, stop, aheadOf(g, cut, b, in, out, stop == last), level);
        withIsa(level, [&](auto isa) EMBER_SIMD_BODY {
          using Isa = decltype(isa);
          transformOut<Isa>(g, b.out, b.begin, b.end, channel, stop - channel, out, WithAfter{after, out});
        });
      }
    }
  });
}

}  // namespace ember::core::winograd
