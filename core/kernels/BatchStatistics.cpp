// Mean and variance in one pass over memory.
//
// A block of rows is centred about K, the mean of its first sixteenth, rounded to the data's type. With d = x-K (exact
// in floating point when x is near K, which is the case that hurts) and n rows, block mean = K + sum(d)/n and M2 =
// sum(d^2) - sum(d)^2/n. That difference is harmless: k rows of mean K differ from the block mean by e only if M2 >=
// k·e^2, so sum(d^2) = M2 + n·e^2 <= (1 + n/k)·M2, seventeen times M2 at worst. Blocks are merged in f64.
#include <ember/core/kernels/BatchNorm.h>

#include <ember/core/Error.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/BatchNormRows.h>

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

/// shift = K, s1 = sum(x-K), s2 = sum((x-K)^2) of each lane over `rows` rows of `width`.
template <class S, class T>
EMBER_INLINE void blockSums(const S* __restrict x, i64 rows, i64 width, T* __restrict shift, T* __restrict s1,
                            T* __restrict s2) {
  const i64 sample = (rows + 15) / 16;
  const T share = T(1) / static_cast<T>(sample);  // before adding: the sum of a few huge values would overflow
  for (i64 j = 0; j < width; ++j) shift[j] = s1[j] = s2[j] = 0;
  for (i64 r = 0; r < sample; ++r) {
    const S* row = x + r * width;
    for (i64 j = 0; j < width; ++j) shift[j] += load(row[j]) * share;
  }
  i64 r = 0;
  for (; r + 4 <= rows; r += 4) {
    const S *x0 = x + r * width, *x1 = x0 + width, *x2 = x1 + width, *x3 = x2 + width;
    EMBER_INDEPENDENT
    for (i64 j = 0; j < width; ++j) {
      const T k = shift[j];
      const T a = load(x0[j]) - k, b = load(x1[j]) - k, c = load(x2[j]) - k, d = load(x3[j]) - k;
      s1[j] += (a + b) + (c + d);
      s2[j] += (a * a + b * b) + (c * c + d * d);
    }
  }
  for (; r < rows; ++r) {
    const S* row = x + r * width;
    EMBER_INDEPENDENT
    for (i64 j = 0; j < width; ++j) {
      const T a = load(row[j]) - shift[j];
      s1[j] += a;
      s2[j] += a * a;
    }
  }
}

EMBER_SIMD void blockSumsOf(const float* x, i64 rows, i64 width, float* k, float* s1, float* s2) {
  blockSums(x, rows, width, k, s1, s2);
}
EMBER_SIMD void blockSumsOf(const double* x, i64 rows, i64 width, double* k, double* s1, double* s2) {
  blockSums(x, rows, width, k, s1, s2);
}
EMBER_SIMD void blockSumsOf(const bf16* x, i64 rows, i64 width, float* k, float* s1, float* s2) {
  blockSums(x, rows, width, k, s1, s2);
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
  using T = Arithmetic<S>;
  NDArray results = NDArray::empty({rows.blocks, 2, rows.width}, DType::F64);
  double* out = results.data<double>();
  parallelFor(rows.blocks, rows.grain(), [&](i64 begin, i64 end) {
    std::vector<T> scratch(static_cast<std::size_t>(3 * rows.width));
    T *k = scratch.data(), *s1 = k + rows.width, *s2 = s1 + rows.width;
    for (i64 b = begin; b < end; ++b) {
      const double n = static_cast<double>(rows.rowsOf(b));
      blockSumsOf(x + rows.offsetOf(b), rows.rowsOf(b), rows.width, k, s1, s2);
      double *mean = out + 2 * b * rows.width, *m2 = mean + rows.width;
      for (i64 j = 0; j < rows.width; ++j) {
        const double sum = static_cast<double>(s1[j]), excess = sum * sum / n, squares = static_cast<double>(s2[j]);
        mean[j] = static_cast<double>(k[j]) + sum / n;
        m2[j] = squares < excess ? 0.0 : squares - excess;  // NaN stays
      }
    }
  });
  return results;
}

template <class S>
void mergeAll(const S* x, const Rows& rows, double* mean, double* var) {
  const i64 width = rows.width, channels = rows.channels;
  // Lanes first, block after block; then the lanes of a channel; then the rest row, element by element.
  std::vector<double> laneMean(static_cast<std::size_t>(width), 0.0), laneM2 = laneMean;
  if (rows.blocks > 0) {
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
  const std::vector<double> none(static_cast<std::size_t>(channels), 0.0);
  std::vector<double> row(none);
  for (i64 j = 0; j < rows.restWidth; j += channels, count += 1) {
    for (i64 c = 0; c < channels; ++c) {
      row[static_cast<std::size_t>(c)] = static_cast<double>(load(x[rows.restOffset() + j + c]));
    }
    merge(mean, var, count, row.data(), none.data(), 1, channels);
  }
  for (i64 c = 0; c < channels; ++c) var[c] /= count;
}

}  // namespace
}  // namespace batchnorm

BatchStatistics batchStatistics(const NDArray& x) {
  batchnorm::checkStatisticsInput(x, "batchNorm");
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
