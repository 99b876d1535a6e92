// Mean and variance in one pass over memory.
//
// A block of rows is centred about K, the mean of its first sixteenth, rounded to the data's type. With d = x-K (exact
// in floating point when x is near K, which is the case that hurts) and n rows, block mean = K + sum(d)/n and M2 =
// sum(d^2) - sum(d)^2/n. That difference is harmless: k rows of mean K differ from the block mean by e only if M2 >=
// k·e^2, so sum(d^2) = M2 + n·e^2 <= (1 + n/k)·M2, seventeen times M2 at worst. Blocks are merged in f64.
#include <ember/core/kernels/BatchNorm.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include <ember/core/Error.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/BatchNormRows.h>
#include <ember/core/kernels/BatchNormSimd.h>
#include <ember/core/kernels/Convert.h>

namespace ember::core {
namespace batchnorm {

void checkInput(const NDArray& x, const char* op) {
  if (x.rank() < 2 || x.size(1) < 1) {
    throw ShapeError(op, "expected [N, C, ...] with at least one channel, got " + toString(x.shape()),
                     {{"input", describe("x", x)}}, "give the input a channel axis, e.g. x.reshape({N, C})");
  }
  if (!isFloating(x.dtype())) {
    throw DtypeError(op, "expected f32, f64 or bf16, got " + std::string(name(x.dtype())),
                     {{"input", describe("x", x)}}, "convert the input, e.g. x.to(DType::F32)");
  }
}

void checkStatisticsInput(const NDArray& x, const char* op) {
  checkInput(x, op);
  if (x.numel() > 0) return;
  throw ValueError(op, "no elements to take statistics of: got " + toString(x.shape()), {{"input", describe("x", x)}},
                   "skip the empty batch");
}

namespace {

/// Mean and M2 of the lanes of a strip over `rows` rows of `width`.
template <class Isa, int pairs, class S>
EMBER_INLINE void stripResults(const S* x, i64 rows, i64 width, double* mean, double* m2) {
  using T = Arithmetic<S>;
  using V = VectorOf<Isa, T>;
  constexpr i64 pair = 2 * lanes<Isa, T>;
  const i64 sample = (rows + 15) / 16;
  const V share = broadcast<Isa>(T(1) / static_cast<T>(sample));  // before adding: a sum of huge values would overflow
  V k[pairs][2] = {}, s1[pairs][2] = {}, s2[pairs][2] = {};
  for (i64 r = 0; r < sample; ++r) {
    for (int p = 0; p < pairs; ++p) {
      V a[2];
      load2<Isa>(x + r * width + p * pair, a);
      for (int h = 0; h < 2; ++h) k[p][h] += a[h] * share;
    }
  }
  i64 r = 0;
  for (; r + 4 <= rows; r += 4) {
    for (int p = 0; p < pairs; ++p) {
      const S* at = x + r * width + p * pair;
      V a[2], b[2], c[2], d[2];
      load2<Isa>(at, a);
      load2<Isa>(at + width, b);
      load2<Isa>(at + 2 * width, c);
      load2<Isa>(at + 3 * width, d);
      for (int h = 0; h < 2; ++h) {
        const V e = a[h] - k[p][h], f = b[h] - k[p][h], g = c[h] - k[p][h], i = d[h] - k[p][h];
        s1[p][h] += (e + f) + (g + i);
        s2[p][h] += (e * e + f * f) + (g * g + i * i);
      }
    }
  }
  for (; r < rows; ++r) {
    for (int p = 0; p < pairs; ++p) {
      V a[2];
      load2<Isa>(x + r * width + p * pair, a);
      for (int h = 0; h < 2; ++h) {
        const V e = a[h] - k[p][h];
        s1[p][h] += e;
        s2[p][h] += e * e;
      }
    }
  }
  T shift[pairs * pair], sums[pairs * pair], squares[pairs * pair];
  for (int p = 0; p < pairs; ++p) {
    storeLanes2<Isa, S>(shift + p * pair, k[p]);
    storeLanes2<Isa, S>(sums + p * pair, s1[p]);
    storeLanes2<Isa, S>(squares + p * pair, s2[p]);
  }
  const double inverse = 1 / static_cast<double>(rows);
  for (i64 j = 0; j < pairs * pair; ++j) {
    const double sum = static_cast<double>(sums[j]), square = static_cast<double>(squares[j]),
                 excess = sum * sum * inverse;
    mean[j] = static_cast<double>(shift[j]) + sum * inverse;
    m2[j] = square < excess ? 0.0 : square - excess;  // NaN stays
  }
}

/// Chan's merge of a group of `added` elements into one of `count`, on `width` lanes at once.
EMBER_SIMD void merge(double* __restrict mean, double* __restrict m2, double count, const double* __restrict mean2,
                      const double* __restrict m22, double added, i64 width) {
  const double share = added / (count + added), weight = count * share;
  EMBER_INDEPENDENT
  for (i64 j = 0; j < width; ++j) {
    const double delta = mean2[j] - mean[j];
    mean[j] += delta * share;
    m2[j] += m22[j] + delta * delta * weight;
  }
}

/// Block means and M2 as rows of [blocks, 2, width].
template <class S>
NDArray blockResults(const S* x, const Rows& rows) {
  NDArray results = NDArray::empty({rows.blocks, 2, rows.width}, DType::F64);
  double* out = results.data<double>();
  parallelFor(rows.blocks, rows.grain(), [&](i64 begin, i64 end) {
    simd<S>([&](auto isa) EMBER_SIMD_BODY {
      using Isa = decltype(isa);
      for (i64 b = begin; b < end; ++b) {
        const S* block = x + rows.offsetOf(b);
        double *mean = out + 2 * b * rows.width, *m2 = mean + rows.width;
        forStrips<Isa, Arithmetic<S>>(rows.width, [&](i64 j, auto pairs) EMBER_SIMD_BODY {
          stripResults<Isa, decltype(pairs)::value>(block + j, rows.rowsOf(b), rows.width, mean + j, m2 + j);
        });
      }
    });
  });
  return results;
}

template <class S>
void mergeAll(const S* x, const Rows& rows, double* mean, double* var) {
  const i64 width = rows.width, channels = rows.channels;
  // Lanes first, block after block; then the lanes of a channel; then the rest row, element by element.
  std::vector<double> laneMean, laneM2;
  if (rows.blocks > 0) {
    laneMean.resize(static_cast<std::size_t>(width));
    laneM2.resize(static_cast<std::size_t>(width));
    const NDArray results = blockResults(x, rows);
    const double* block = results.data<double>();
    for (i64 b = 0; b < rows.blocks; ++b, block += 2 * width) {
      merge(laneMean.data(), laneM2.data(), static_cast<double>(b * rows.perBlock), block, block + width,
            static_cast<double>(rows.rowsOf(b)), width);
    }
  }
  std::fill(mean, mean + channels, 0.0);
  std::fill(var, var + channels, 0.0);
  double count = 0;
  const double perLane = static_cast<double>(rows.count);
  if (rows.count > 0) {
    for (i64 j = 0; j < width; j += channels, count += perLane) {
      merge(mean, var, count, laneMean.data() + j, laneM2.data() + j, perLane, channels);
    }
  }
  for (i64 j = 0; j < rows.restWidth; j += channels, count += 1) {  // merges of one element
    for (i64 c = 0; c < channels; ++c) {
      const double delta = convert<double>(x[rows.restOffset() + j + c]) - mean[c];
      mean[c] += delta / (count + 1);
      var[c] += delta * delta * (count / (count + 1));
    }
  }
  for (i64 c = 0; c < channels; ++c) var[c] /= count;
}

}  // namespace
}  // namespace batchnorm

namespace {

/// The program may write into memory of its own at any time.
bool keepsStatistics(const NDArray& x) {
  return !x.storage()->external() && x.offset() == 0 && x.isDense(MemoryOrder::ChannelsLast) &&
         static_cast<std::size_t>(x.bytes()) == x.storage()->bytes();
}

/// Which axis has the channels depends on the shape.
u64 statisticsKey(const NDArray& x) {
  u64 key = 0x73746174;
  for (int axis = 0; axis < x.rank(); ++axis) key = (key ^ static_cast<u64>(x.size(axis))) * 0x9e3779b97f4a7c15;
  return key;
}

std::optional<BatchStatistics> keptStatistics(const NDArray& x) {
  if (!keepsStatistics(x)) return {};
  const std::shared_ptr<Storage> kept = x.storage()->derived(statisticsKey(x));
  if (!kept) return {};
  const Shape channels{x.size(1)};
  return BatchStatistics{NDArray::ofStorage(kept, 0, channels, {1}, DType::F64).copy(),
                         NDArray::ofStorage(kept, x.size(1), channels, {1}, DType::F64).copy()};
}

}  // namespace

void keepStatistics(const NDArray& x, const BatchStatistics& statistics) {
  if (!keepsStatistics(x)) return;
  const i64 channels = x.size(1);
  auto kept = std::make_shared<Storage>(static_cast<std::size_t>(2 * channels) * sizeof(double));
  auto* to = static_cast<double*>(kept->data());
  std::copy_n(statistics.mean.data<double>(), channels, to);
  std::copy_n(statistics.var.data<double>(), channels, to + channels);
  x.storage()->setDerived(statisticsKey(x), std::move(kept));
}

BatchStatistics batchStatistics(const NDArray& x) {
  batchnorm::checkStatisticsInput(x, "batchNorm");
  if (std::optional<BatchStatistics> kept = keptStatistics(x)) return *std::move(kept);
  ComputeScope scope;
  const NDArray dense = x.contiguous(MemoryOrder::ChannelsLast);
  const batchnorm::Rows rows(dense);
  BatchStatistics result{NDArray::empty({rows.channels}, DType::F64), NDArray::empty({rows.channels}, DType::F64)};
  batchnorm::forFloating(dense, [&](auto zero) {
    using S = decltype(zero);
    batchnorm::mergeAll(dense.data<S>(), rows, result.mean.data<double>(), result.var.data<double>());
  });
  return result;
}

}  // namespace ember::core
