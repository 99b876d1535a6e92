#include <ember/core/kernels/winograd/Statistics.h>

#include <algorithm>
#include <vector>

#include <ember/core/Threads.h>

namespace ember::core::winograd {
namespace {

/// Counts the values of a channel in tiles that follow each other.
class Pixels {
 public:
  Pixels(const Geometry& g, i64 tile)
      : g_(g), down_(tile / g.tilesAcross() % g.tilesDown()), across_(tile % g.tilesAcross()) {}
  i64 next(i64 tiles) {
    i64 count = 0;
    for (i64 i = 0; i < tiles; ++i) {
      count += std::min<i64>(tileSide, g_.outHeight - down_ * tileSide) *
               std::min<i64>(tileSide, g_.outWidth - across_ * tileSide);
      if (++across_ < g_.tilesAcross()) continue;
      across_ = 0;
      if (++down_ == g_.tilesDown()) down_ = 0;
    }
    return count;
  }

 private:
  const Geometry& g_;
  i64 down_, across_;
};

/// Adds a group of n values to sums about `centre`: sum(d+e) and sum((d+e)^2), e = k-centre.
EMBER_SIMD void addGroup(const float* __restrict group, const float* __restrict centre, double n, i64 channels,
                         double* __restrict sums) {
  for (i64 c = 0; c < channels; ++c) {
    const double e = static_cast<double>(group[c]) - static_cast<double>(centre[c]),
                 s1 = static_cast<double>(group[channels + c]), s2 = static_cast<double>(group[2 * channels + c]);
    sums[c] += s1 + n * e;
    sums[channels + c] += s2 + e * (2 * s1 + n * e);
  }
}

}  // namespace

void Sums::statistics(double* mean, double* var) const {
  const Geometry& g = geometry_;
  const auto sums = static_cast<const float*>(memory_.data());
  constexpr i64 piece = 64 * tilesOfSum;  // tiles; of a fixed size, so the result does not depend on the thread count
  const i64 channels = g.outChannels, pieces = (g.tiles() + piece - 1) / piece;
  std::vector<double> totals(static_cast<std::size_t>(pieces * 2 * channels));
  parallelFor(pieces, 1, [&](i64 begin, i64 end) {
    Pixels pixels(g, begin * piece);
    for (i64 tile = begin * piece, stop = std::min(g.tiles(), end * piece); tile < stop; tile += tilesOfSum) {
      const i64 n = pixels.next(std::min(tilesOfSum, stop - tile));
      addGroup(sums + tile / tilesOfSum * 3 * channels, sums, static_cast<double>(n), channels,
               totals.data() + tile / piece * 2 * channels);
    }
  });
  const double count = static_cast<double>(g.batch * g.outHeight * g.outWidth);
  for (i64 c = 0; c < channels; ++c) {
    double s1 = 0, s2 = 0;
    for (i64 i = 0; i < pieces; ++i) {
      s1 += totals[static_cast<std::size_t>(i * 2 * channels + c)];
      s2 += totals[static_cast<std::size_t>((i * 2 + 1) * channels + c)];
    }
    const double excess = s1 * s1 / count;
    mean[c] = static_cast<double>(sums[c]) + s1 / count;
    var[c] = s2 < excess ? 0.0 : (s2 - excess) / count;  // NaN stays
  }
}

}  // namespace ember::core::winograd
