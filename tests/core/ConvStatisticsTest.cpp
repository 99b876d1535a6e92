// Statistics that a convolution gathers while it writes.
#include <ember/core/kernels/winograd/Winograd.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ember/core/Random.h>
#include <ember/core/Simd.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/BatchNorm.h>
#include <ember/core/kernels/Conv.h>
#include <ember/core/kernels/reference/BatchNorm.h>

using namespace ember;
using namespace ember::core;

namespace {

namespace wino = ember::core::winograd;

const ConvGeometry geometry{2, {1, 1, 1}, {1, 1, 0}, {1, 1, 0}, {1, 1, 1}, 1};

NDArray normals(const Shape& shape, u64 stream, double mean = 0) {
  std::vector<float> values;
  for (i64 i = 0; i < numel(shape); ++i)
    values.push_back(static_cast<float>(mean + random::normal({5, stream, 0}, static_cast<u64>(i))));
  return NDArray::from<float>(values, shape).contiguous(MemoryOrder::ChannelsLast);
}

struct Gathered {
  NDArray y;
  BatchStatistics statistics;
};

/// Of the kernel itself; `filters` is a multiple of the level's vectors.
Gathered gathered(const NDArray& x, const NDArray& w, simd::Level level) {
  const wino::Geometry g{x.size(0), x.size(2), x.size(3), x.size(1), x.size(2), x.size(3), w.size(0), 1, 1};
  REQUIRE(wino::givesStatistics(g, level));
  const auto packed = wino::packFilters(w.data<float>(), w.size(0), w.size(1), wino::Filters::Forward, level);
  Gathered r{NDArray::empty({g.batch, g.outChannels, g.outHeight, g.outWidth}, DType::F32, MemoryOrder::ChannelsLast),
             {NDArray::empty({g.outChannels}, DType::F64), NDArray::empty({g.outChannels}, DType::F64)}};
  wino::convolveWithStatistics(g, x.data<float>(), *packed, r.y.data<float>(), r.statistics.mean.data<double>(),
                               r.statistics.var.data<double>(), level);
  return r;
}

/// Of this CPU, those that gather.
std::vector<simd::Level> levels() {
  std::vector<simd::Level> all;
  for (const simd::Level level : {simd::Level::Avx2, simd::Level::Avx512})
    if (level <= simd::level()) all.push_back(level);
  return all;
}

/// Means in deviations, variances relatively.
void checkClose(const BatchStatistics& a, const BatchStatistics& b, double bound) {
  const auto meanA = a.mean.toVector<double>(), meanB = b.mean.toVector<double>(), varA = a.var.toVector<double>(),
             varB = b.var.toVector<double>();
  REQUIRE(meanA.size() == meanB.size());
  for (std::size_t c = 0; c < meanA.size(); ++c) {
    CHECK(std::abs(meanA[c] - meanB[c]) <= bound * std::sqrt(varB[c]));
    CHECK(std::abs(varA[c] - varB[c]) <= bound * varB[c]);
  }
}

/// But for the last bits: the two kernels are compiled apart, and multiply-adds are contracted otherwise.
void checkSame(const NDArray& a, const NDArray& b) {
  const auto valuesA = a.toVector<float>(), valuesB = b.toVector<float>();
  REQUIRE(valuesA.size() == valuesB.size());
  float largest = 0;
  for (std::size_t i = 0; i < valuesA.size(); ++i) largest = std::max(largest, std::abs(valuesA[i] - valuesB[i]));
  CHECK(largest < 1e-4f);  // of sums of up to 144 products of normals, of order 10; their own error is 1e-6 of that
}

/// More tiles than statistics are gathered from.
i64 batchFor(i64 side) { return 400 / ((side + 3) / 4 * ((side + 3) / 4)) + 1; }

std::vector<double> valuesOf(const BatchStatistics& s) {
  std::vector<double> all = s.mean.toVector<double>();
  for (const double v : s.var.toVector<double>()) all.push_back(v);
  return all;
}

}  // namespace

TEST_CASE("gathered statistics agree with f64 for every size of a last tile, and y with that of the plain kernel") {
  for (const simd::Level level : levels()) {
    for (const i64 side : {1, 2, 3, 4, 5, 6, 7, 8, 9, 14}) {
      CAPTURE(side);
      CAPTURE(static_cast<int>(level));
      const NDArray x = normals({batchFor(side), 3, side, side}, 1), w = normals({48, 3, 3, 3}, 2).contiguous();
      const Gathered g = gathered(x, w, level);
      // f32 sums of up to 192 values in a row, about a centre from 1 to 4 of them: some units of 6e-8.
      checkClose(g.statistics, reference::batchStatistics(g.y.to(DType::F64)), 1e-6);
      const wino::Geometry plain{x.size(0), side, side, 3, side, side, 48, 1, 1};
      const auto packed = wino::packFilters(w.data<float>(), 48, 3, wino::Filters::Forward, level);
      const NDArray y = NDArray::empty(g.y.shape(), DType::F32, MemoryOrder::ChannelsLast);
      wino::convolve(plain, x.data<float>(), *packed, {}, y.data<float>(), level);
      checkSame(g.y, y);
    }
  }
}

TEST_CASE("gathered variances stay right at a mean of 1e4 deviations, of a constant, and beside an outlier") {
  for (const simd::Level level : levels()) {
    // One tap of 1: the images themselves, padded tiles too.
    NDArray w = NDArray::zeros({32, 1, 3, 3});
    for (i64 k = 0; k < 32; ++k) w.data<float>()[k * 9 + 4] = 1;
    const Gathered far = gathered(normals({30, 1, 16, 16}, 3, 1e4), w, level);
    checkClose(far.statistics, reference::batchStatistics(far.y.to(DType::F64)), 1e-5);
    const NDArray x = normals({30, 1, 16, 16}, 3);
    x.data<float>()[0] = 1e4f;  // lies in the centre of the first group
    const Gathered outlier = gathered(x, w, level);
    checkClose(outlier.statistics, reference::batchStatistics(outlier.y.to(DType::F64)), 1e-5);
    const Gathered none = gathered(x, NDArray::zeros({32, 1, 3, 3}), level);
    CHECK(valuesOf(none.statistics) == std::vector<double>(64, 0.0));
  }
}

TEST_CASE("gathered statistics are the same bits for any number of threads") {
  const int before = threads();
  for (const simd::Level level : levels()) {
    for (const i64 side : {3, 7, 14, 28}) {
      const NDArray x = normals({batchFor(side) + 3, 16, side, side}, 1), w = normals({160, 16, 3, 3}, 2).contiguous();
      setThreads(1);
      const Gathered one = gathered(x, w, level);
      for (const int count : {2, 3, 7, 40}) {
        setThreads(count);
        CAPTURE(side);
        CAPTURE(count);
        const Gathered many = gathered(x, w, level);
        CHECK(many.y.toVector<float>() == one.y.toVector<float>());
        CHECK(valuesOf(many.statistics) == valuesOf(one.statistics));
      }
      setThreads(before);
    }
  }
}

TEST_CASE("batchStatistics takes what a convolution found, until the memory is written") {
  const NDArray x = normals({32, 16, 16, 16}, 1), w = normals({32, 16, 3, 3}, 2).contiguous();
  const NDArray y = fusedConv(x, w, {.statistics = true}, geometry), plain = fusedConv(x, w, {}, geometry);
  checkSame(y, plain);
  const BatchStatistics kept = batchStatistics(y), own = batchStatistics(y.copy());
  CHECK(valuesOf(batchStatistics(plain)) == valuesOf(batchStatistics(plain.copy())));
  checkClose(kept, own, 1e-6);
  CHECK((valuesOf(kept) == valuesOf(own)) == levels().empty());  // other sums, other last bits
  // A part of the memory, and another shape over it, have statistics of their own.
  CHECK(valuesOf(batchStatistics(y.slice(0, 0, 31))) == valuesOf(batchStatistics(y.slice(0, 0, 31).copy())));
  const NDArray rows = y.permute({0, 2, 3, 1}).reshape({32 * 256, 32});
  CHECK(rows.storage() == y.storage());
  CHECK(valuesOf(batchStatistics(rows)) == valuesOf(batchStatistics(rows.copy())));
  for (i64 i = 0; i < y.numel(); ++i) y.data<float>()[i] += 1;
  y.storage()->written("test");
  CHECK(valuesOf(batchStatistics(y)) == valuesOf(batchStatistics(y.copy())));
}

TEST_CASE("what is kept is what batchStatistics returns") {
  const NDArray x = normals({2, 3, 4, 4}, 1);
  keepStatistics(x, {NDArray::full({3}, 5, DType::F64), NDArray::full({3}, 7, DType::F64)});
  CHECK(valuesOf(batchStatistics(x)) == std::vector<double>{5, 5, 5, 7, 7, 7});
  x.storage()->written("test");
  CHECK(batchStatistics(x).var.toVector<double>()[0] < 7);
  std::vector<float> own(24, 1.0f);  // written without a word
  const NDArray mine = NDArray::fromBlob(own.data(), {8, 3, 1}, DType::F32);
  keepStatistics(mine, {NDArray::full({3}, 5, DType::F64), NDArray::full({3}, 7, DType::F64)});
  CHECK(valuesOf(batchStatistics(mine)) == std::vector<double>{1, 1, 1, 0, 0, 0});
}

TEST_CASE("channels that fill no vector, few tiles and what joins the sum leave the statistics to the batch norm") {
  const auto same = [](const NDArray& y) {
    return valuesOf(batchStatistics(y)) == valuesOf(batchStatistics(y.copy()));
  };
  const NDArray x = normals({32, 16, 16, 16}, 1), w = normals({32, 16, 3, 3}, 2).contiguous();
  CHECK(same(fusedConv(x, normals({20, 16, 3, 3}, 2).contiguous(), {.statistics = true}, geometry)));
  CHECK(same(fusedConv(normals({4, 16, 16, 16}, 1), w, {.statistics = true}, geometry)));
  const NDArray bias = normals({32}, 3), residual = normals({32, 32, 16, 16}, 4);
  CHECK(same(fusedConv(x, w, {.bias = bias, .statistics = true}, geometry)));
  CHECK(same(fusedConv(x, w, {.residual = residual, .statistics = true}, geometry)));
  for (const FusedAct::Kind kind : {FusedAct::Kind::Relu, FusedAct::Kind::LeakyRelu})
    CHECK(same(fusedConv(x, w, {.act = {kind, 0.1}, .statistics = true}, geometry)));
}
