#include <ember/core/kernels/BatchNorm.h>

#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <ember/core/Error.h>
#include <ember/core/Random.h>
#include <ember/core/Threads.h>
#include <ember/core/Warn.h>

using namespace ember;
using namespace ember::core;

namespace {

using Values = std::vector<double>;
using Kind = FusedAct::Kind;

Values draw(i64 count, u64 stream, double mean = 0, double std = 1) {
  Values values;
  for (i64 i = 0; i < count; ++i) values.push_back(mean + std * random::normal({7, stream, 0}, static_cast<u64>(i)));
  return values;
}

NDArray arrayOf(const Values& values, const Shape& shape, DType dtype, MemoryOrder order = MemoryOrder::RowMajor) {
  return NDArray::from<double>(values, shape).to(dtype).contiguous(order).to(dtype);
}

std::size_t index(i64 i) { return static_cast<std::size_t>(i); }

/// Plain loops in f64 over logical [N, C, inner]: the definition, written out.
struct Plain {
  i64 n, channels, inner;
  Values mean, var, invstd;

  Plain(const Values& x, const Shape& shape)
      : n(shape[0]), channels(shape[1]), inner(numel(shape) / std::max<i64>(1, n * channels)) {
    for (i64 c = 0; c < channels; ++c) {
      double sum = 0, squares = 0;
      each(c, [&](std::size_t i) { sum += x[i]; });
      const double mu = sum / static_cast<double>(n * inner);
      each(c, [&](std::size_t i) { squares += (x[i] - mu) * (x[i] - mu); });
      mean.push_back(mu);
      var.push_back(squares / static_cast<double>(n * inner));
      invstd.push_back(1 / std::sqrt(var.back() + 1e-5));
    }
  }
  template <class F>
  void each(i64 c, F&& f) const {
    for (i64 i = 0; i < n; ++i) {
      for (i64 k = 0; k < inner; ++k) f(index((i * channels + c) * inner + k));
    }
  }
  static double activate(double v, const FusedAct& act) {
    if (act.kind == Kind::Relu) return v > 0 ? v : 0;
    if (act.kind == Kind::LeakyRelu) return v > 0 ? v : act.slope * v;
    return v;
  }
  Values forward(const Values& x, const Values& w, const Values& b, const FusedAct& act) const {
    Values y(x.size());
    for (i64 c = 0; c < channels; ++c) {
      each(c, [&](std::size_t i) {
        y[i] = activate(w[index(c)] * (x[i] - mean[index(c)]) * invstd[index(c)] + b[index(c)], act);
      });
    }
    return y;
  }
  struct Grads {
    Values dx, dw, db;
  };
  Grads backward(const Values& dy, const Values& x, const Values& w, const Values& b, const FusedAct& act,
                 bool useBatch) const {
    Grads grads{Values(x.size()), {}, {}};
    const double m = static_cast<double>(n * inner);
    for (i64 ch = 0; ch < channels; ++ch) {
      const std::size_t c = index(ch);
      double db = 0, dw = 0;
      const auto xh = [&](std::size_t i) { return (x[i] - mean[c]) * invstd[c]; };
      const auto g = [&](std::size_t i) {
        const double pre = w[c] * xh(i) + b[c];
        return act.kind == Kind::None || pre > 0 ? dy[i] : act.kind == Kind::Relu ? 0 : dy[i] * act.slope;
      };
      each(ch, [&](std::size_t i) { db += g(i), dw += g(i) * xh(i); });
      each(ch,
           [&](std::size_t i) { grads.dx[i] = w[c] * invstd[c] * (useBatch ? g(i) - db / m - xh(i) * dw / m : g(i)); });
      grads.dw.push_back(dw);
      grads.db.push_back(db);
    }
    return grads;
  }
};

double largest(const Values& values) {
  double result = 0;
  for (const double v : values) result = std::max(result, std::abs(v));
  return result;
}

/// Largest difference relative to `scale`, by default the largest expected value. Infinite if a value is not finite.
double difference(const NDArray& actual, const Values& expected, double scale = 0) {
  const Values values = actual.to(DType::F64).toVector<double>();
  REQUIRE(values.size() == expected.size());
  double worst = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) return std::numeric_limits<double>::infinity();
    worst = std::max(worst, std::abs(values[i] - expected[i]));
  }
  return worst / std::max(scale, largest(expected));
}

NDArray invstdOf(const NDArray& var) {
  Values values = var.toVector<double>();
  for (double& v : values) v = 1 / std::sqrt(v + 1e-5);
  return NDArray::from<double>(values, var.shape());
}

const std::vector<Shape> shapes = {{2, 1},          {37, 3},        {5, 16},         {300, 17},     {9, 4, 7},
                                   {3, 100, 11},    {4, 3, 6, 5},   {2, 16, 9, 9},   {2, 33, 5, 5}, {3, 130, 2, 4},
                                   {2, 8, 3, 4, 5}, {1, 1, 1, 700}, {40, 257, 2, 2}, {64, 12, 8, 8}};
const std::vector<FusedAct> acts = {{}, {Kind::Relu, 0}, {Kind::LeakyRelu, 0.2}};

}  // namespace

TEST_CASE("statistics agree with two plain passes for every width of rows, rank, order and type") {
  for (const Shape& shape : shapes) {
    const Values x = draw(numel(shape), 1, 0.7, 2.0);
    for (const MemoryOrder order : {MemoryOrder::RowMajor, MemoryOrder::ChannelsLast}) {
      for (const DType dtype : {DType::F32, DType::F64, DType::BF16}) {
        CAPTURE(toString(shape));
        CAPTURE(std::string(name(dtype)));
        const NDArray array = arrayOf(x, shape, dtype, order);
        const Plain plain(array.to(DType::F64).toVector<double>(), shape);  // of the rounded values
        const BatchStatistics statistics = batchStatistics(array);
        // f32 sums of at most 256 centred values and f64 from there: 1e-6; f64 rounding alone otherwise.
        const double tolerance = dtype == DType::F64 ? 1e-13 : 2e-6;
        CHECK(difference(statistics.mean, plain.mean) < tolerance);
        CHECK(difference(statistics.var, plain.var) < tolerance);
      }
    }
  }
}

TEST_CASE("the variance stays right at a mean of 1e4 standard deviations, and y with it (T21)") {
  for (const i64 channels : {1, 3, 64}) {
    const Shape shape{8, channels, 40, 40};
    const Values exact = draw(numel(shape), 2, 1e4, 1.0);
    const NDArray x = arrayOf(exact, shape, DType::F32, MemoryOrder::ChannelsLast);
    const Values rounded = x.to(DType::F64).toVector<double>();
    const Plain plain(rounded, shape);
    const BatchStatistics statistics = batchStatistics(x);
    CHECK(difference(statistics.var, plain.var) < 1e-5);     // the bound asked for is 1e-4
    CHECK(difference(statistics.mean, plain.mean) < 1e-10);  // far below one f32 step of the mean
    const NDArray y = normalize(x, statistics.mean, invstdOf(statistics.var), {}, {}, {});
    const Values expected = plain.forward(rounded, Values(index(channels), 1), Values(index(channels), 0), {});
    CHECK(difference(y, expected) < 2e-6);
  }
}

TEST_CASE("statistics survive a first value far outside and a drift through the batch") {
  const Shape shape{20000, 2};
  Values x = draw(numel(shape), 3);
  x[0] = 1e6;
  for (std::size_t i = 0; i < x.size(); i += 2) x[i + 1] += 1e-2 * static_cast<double>(i);
  const NDArray array = arrayOf(x, shape, DType::F32);
  const Plain plain(array.to(DType::F64).toVector<double>(), shape);
  const BatchStatistics statistics = batchStatistics(array);
  const Values var = statistics.var.toVector<double>();
  CHECK(var[0] == doctest::Approx(plain.var[0]).epsilon(1e-6));
  CHECK(var[1] == doctest::Approx(plain.var[1]).epsilon(1e-6));
}

TEST_CASE("a constant channel has variance zero exactly") {
  for (const double value : {0.0, 1.0, 0.1, -12345.678, 3e30}) {
    const BatchStatistics statistics = batchStatistics(NDArray::full({50, 3, 9, 9}, value));
    const double stored = static_cast<double>(static_cast<float>(value));
    for (const double mean : statistics.mean.toVector<double>()) CHECK(mean == doctest::Approx(stored).epsilon(1e-15));
    for (const double var : statistics.var.toVector<double>()) CHECK(var <= 1e-13 * stored * stored);
  }
}

TEST_CASE("a NaN stays in its channel") {
  NDArray x = arrayOf(draw(3 * 5 * 4 * 4, 4), {3, 5, 4, 4}, DType::F32, MemoryOrder::ChannelsLast);
  x.data<float>()[2 + 5 * 7] = std::numeric_limits<float>::quiet_NaN();
  const BatchStatistics statistics = batchStatistics(x);
  const Values mean = statistics.mean.toVector<double>(), var = statistics.var.toVector<double>();
  for (std::size_t c = 0; c < 5; ++c) {
    CHECK(std::isnan(mean[c]) == (c == 2));
    CHECK(std::isnan(var[c]) == (c == 2));
  }
}

TEST_CASE("a NaN of any payload stays NaN when rounded to bf16") {
  const Shape shape{3, 5, 4, 4};
  const NDArray x = arrayOf(draw(numel(shape), 23), shape, DType::BF16, MemoryOrder::ChannelsLast);
  const BatchStatistics statistics = batchStatistics(x);
  NDArray gamma = NDArray::full({5}, 1);
  gamma.data<float>()[1] = std::bit_cast<float>(0x7fffffffu);  // rounding up would carry into the sign
  gamma.data<float>()[3] = std::bit_cast<float>(0xffffffffu);
  const NDArray y = normalize(x, statistics.mean, invstdOf(statistics.var), gamma, {}, {});
  const Values values = y.toVector<double>();
  for (std::size_t i = 0; i < values.size(); ++i) CHECK(std::isnan(values[i]) == (i / 16 % 5 == 1 || i / 16 % 5 == 3));
}

TEST_CASE("outputs past the caches and below agree with the formula") {
  // 4.2 MB and more are streamed; 161 rows of 65 channels leave a shorter row at the end.
  for (const auto& sample : {std::pair{Shape{161, 65, 12, 9}, DType::F32},
                             {Shape{161, 65, 16, 13}, DType::BF16},
                             {Shape{80, 144, 7, 7}, DType::F64}}) {
    const Shape shape = sample.first;  // not a structured binding: clang 14 captures none
    const DType dtype = sample.second;
    CAPTURE(toString(shape));
    const NDArray x = arrayOf(draw(numel(shape), 24), shape, dtype, MemoryOrder::ChannelsLast);
    const NDArray dy = arrayOf(draw(numel(shape), 25), shape, dtype, MemoryOrder::ChannelsLast);
    const Values xs = x.to(DType::F64).toVector<double>(), dys = dy.to(DType::F64).toVector<double>();
    const Values w(index(shape[1]), 1), b(index(shape[1]), 0);
    const Plain plain(xs, shape);
    const NDArray mean = NDArray::from<double>(plain.mean, {shape[1]}),
                  invstd = NDArray::from<double>(plain.invstd, {shape[1]});
    const double tolerance = dtype == DType::F64 ? 1e-12 : dtype == DType::F32 ? 2e-5 : 8e-3;
    CHECK(difference(normalize(x, mean, invstd, {}, {}, acts[1]), plain.forward(xs, w, b, acts[1])) < tolerance);
    const BatchNormSaved saved{x, {}, mean, invstd, {}, {}, acts[1]};
    const NDArray dx = batchNormInputGrad(dy, saved, batchNormSums(dy, saved), numel(shape) / shape[1]);
    CHECK(difference(dx, plain.backward(dys, xs, w, b, acts[1], true).dx) < tolerance);
  }
}

TEST_CASE("results are the same bits for one, two and three threads") {
  const int before = threads();
  const WarningHandler handler = setWarningHandler([](std::string_view) {});  // more threads than CPUs is meant here
  const Shape shape{32, 24, 16, 16};
  const NDArray x = arrayOf(draw(numel(shape), 5), shape, DType::F32, MemoryOrder::ChannelsLast);
  const NDArray dy = arrayOf(draw(numel(shape), 6), shape, DType::F32, MemoryOrder::ChannelsLast);
  std::vector<std::vector<double>> results;
  for (const int count : {1, 2, 3}) {
    setThreads(count);
    const BatchStatistics statistics = batchStatistics(x);
    const BatchNormSaved saved{x, {}, statistics.mean, invstdOf(statistics.var), {}, {}, acts[1]};
    const BatchNormSums sums = batchNormSums(dy, saved);
    Values all = statistics.mean.toVector<double>();
    for (const NDArray& part : {statistics.var, sums.g, sums.gxh}) {
      for (const double v : part.toVector<double>()) all.push_back(v);
    }
    results.push_back(all);
  }
  setThreads(before);
  setWarningHandler(handler);
  CHECK(results[0] == results[1]);
  CHECK(results[0] == results[2]);
}

TEST_CASE("normalising agrees with the formula for every activation, order and type") {
  for (const Shape& shape : shapes) {
    const i64 channels = shape[1];
    const Values w = draw(channels, 7, 1, 0.5), b = draw(channels, 8);
    for (const FusedAct& act : acts) {
      for (const DType dtype : {DType::F32, DType::F64, DType::BF16}) {
        for (const MemoryOrder order : {MemoryOrder::RowMajor, MemoryOrder::ChannelsLast}) {
          CAPTURE(toString(shape));
          CAPTURE(std::string(name(dtype)));
          const NDArray x = arrayOf(draw(numel(shape), 9), shape, dtype, order);
          const Values values = x.to(DType::F64).toVector<double>();
          const Plain plain(values, shape);
          const DType parameters = dtype == DType::F64 ? DType::F64 : DType::F32;
          const NDArray y = normalize(x, NDArray::from<double>(plain.mean, {channels}),
                                      NDArray::from<double>(plain.invstd, {channels}),
                                      arrayOf(w, {channels}, parameters), arrayOf(b, {channels}, parameters), act);
          CHECK((y.shape() == shape));
          CHECK(y.dtype() == dtype);
          CHECK(y.isDense(MemoryOrder::ChannelsLast));
          const double tolerance = dtype == DType::F64   ? 1e-14
                                   : dtype == DType::F32 ? 1e-6
                                                         : 4e-3;  // of bf16: half a step
          CHECK(difference(y, plain.forward(values, w, b, act)) < tolerance);
        }
      }
    }
  }
}

TEST_CASE("normalising into its own input gives the same bits") {
  for (const MemoryOrder order : {MemoryOrder::RowMajor, MemoryOrder::ChannelsLast}) {
    const NDArray x = arrayOf(draw(3 * 7 * 5 * 5, 10), {3, 7, 5, 5}, DType::F32, order);
    const BatchStatistics statistics = batchStatistics(x);
    const NDArray invstd = invstdOf(statistics.var);
    const NDArray apart = normalize(x, statistics.mean, invstd, {}, {}, acts[2]);
    const NDArray inside = x.copy();
    const NDArray result = normalize(inside, statistics.mean, invstd, {}, {}, acts[2], inside);
    CHECK(result.storage() == inside.storage());
    CHECK(inside.toVector<float>() == apart.toVector<float>());
  }
}

TEST_CASE("the backward agrees with the formula for batch and fixed statistics") {
  for (const Shape& shape : shapes) {
    const i64 channels = shape[1];
    const Values w = draw(channels, 11, 1, 0.5), b = draw(channels, 12);
    for (const FusedAct& act : acts) {
      for (const DType dtype : {DType::F32, DType::F64, DType::BF16}) {
        for (const bool useBatch : {true, false}) {
          CAPTURE(toString(shape));
          CAPTURE(std::string(name(dtype)));
          CAPTURE(useBatch);
          const NDArray x = arrayOf(draw(numel(shape), 13), shape, dtype, MemoryOrder::ChannelsLast);
          const NDArray dy = arrayOf(draw(numel(shape), 14), shape, dtype);
          const Values xs = x.to(DType::F64).toVector<double>(), dys = dy.to(DType::F64).toVector<double>();
          const Plain plain(xs, shape);
          const Plain::Grads expected = plain.backward(dys, xs, w, b, act, useBatch);
          const DType parameters = dtype == DType::F64 ? DType::F64 : DType::F32;
          const BatchNormSaved saved{x,
                                     {},
                                     NDArray::from<double>(plain.mean, {channels}),
                                     NDArray::from<double>(plain.invstd, {channels}),
                                     arrayOf(w, {channels}, parameters),
                                     arrayOf(b, {channels}, parameters),
                                     act};
          const BatchNormSums sums = batchNormSums(dy, saved);
          const NDArray dx = batchNormInputGrad(dy, saved, useBatch ? sums : BatchNormSums{}, numel(shape) / channels);
          // Sums of a few thousand f32 products. The terms of dx may cancel (two rows leave nothing): their scale
          // counts.
          const double terms = largest(plain.backward(dys, xs, w, b, act, false).dx);
          const double tolerance = dtype == DType::F64 ? 1e-12 : 2e-5;
          CHECK(difference(sums.g, expected.db) < tolerance);
          CHECK(difference(sums.gxh, expected.dw) < tolerance);
          CHECK(difference(dx, expected.dx, terms) < (dtype == DType::BF16 ? 8e-3 : tolerance));
        }
      }
    }
  }
}

TEST_CASE("the backward stays right at a mean of 1e4 standard deviations") {
  const Shape shape{8, 3, 20, 20};
  // Means between two f32 numbers: what rounding them takes away counts here.
  const NDArray x = arrayOf(draw(numel(shape), 21, 10000.0004, 1.0), shape, DType::F32, MemoryOrder::ChannelsLast);
  const NDArray dy = arrayOf(draw(numel(shape), 22, 0.5), shape, DType::F32, MemoryOrder::ChannelsLast);
  const Values xs = x.to(DType::F64).toVector<double>(), dys = dy.to(DType::F64).toVector<double>();
  const Values w(3, 1), b(3, 0);
  const Plain plain(xs, shape);
  for (const FusedAct& act : acts) {
    const Plain::Grads expected = plain.backward(dys, xs, w, b, act, true);
    const BatchNormSaved saved{
        x, {}, NDArray::from<double>(plain.mean, {3}), NDArray::from<double>(plain.invstd, {3}), {}, {}, act};
    const BatchNormSums sums = batchNormSums(dy, saved);
    CHECK(difference(sums.gxh, expected.dw) < 2e-5);  // sums of 3200 f32 products
    CHECK(difference(batchNormInputGrad(dy, saved, sums, 8 * 20 * 20), expected.dx) < 2e-5);
  }
}

TEST_CASE("the mask of the backward is exactly where y is positive") {
  const Shape shape{16, 24, 20, 20};
  for (const double center : {0.0, 10000.0004}) {
    const NDArray x = arrayOf(draw(numel(shape), 15, center), shape, DType::F32, MemoryOrder::ChannelsLast);
    const BatchStatistics statistics = batchStatistics(x);
    const NDArray invstd = invstdOf(statistics.var), beta = arrayOf(draw(24, 16), {24}, DType::F32);
    const NDArray y = normalize(x, statistics.mean, invstd, {}, beta, acts[1]);
    const BatchNormSaved saved{x, {}, statistics.mean, invstd, {}, beta, acts[1]};
    const NDArray dx = batchNormInputGrad(NDArray::full(shape, 1.0), saved, {}, 1);
    const std::vector<float> ys = y.toVector<float>(), dxs = dx.toVector<float>();
    i64 wrong = 0;
    for (std::size_t i = 0; i < ys.size(); ++i) wrong += (ys[i] > 0) != (dxs[i] > 0);
    CHECK(wrong == 0);
  }
}

TEST_CASE("the backward rebuilds the input from the output where the forward overwrote it") {
  for (const FusedAct& act : {acts[0], acts[2]}) {
    for (const DType dtype : {DType::F32, DType::F64}) {
      const Shape shape{6, 20, 7, 7};
      const NDArray x = arrayOf(draw(numel(shape), 17, 3, 2), shape, dtype, MemoryOrder::ChannelsLast);
      const NDArray dy = arrayOf(draw(numel(shape), 18), shape, dtype, MemoryOrder::ChannelsLast);
      const NDArray gamma = arrayOf(draw(20, 19, 1, 0.1), {20}, dtype), beta = arrayOf(draw(20, 20), {20}, dtype);
      const BatchStatistics statistics = batchStatistics(x);
      const NDArray invstd = invstdOf(statistics.var);
      const NDArray y = normalize(x, statistics.mean, invstd, gamma, beta, act);
      const BatchNormSaved kept{x, {}, statistics.mean, invstd, gamma, beta, act},
          rebuilt{{}, y, statistics.mean, invstd, gamma, beta, act};
      const BatchNormSums a = batchNormSums(dy, kept), b = batchNormSums(dy, rebuilt);
      const double tolerance = dtype == DType::F64 ? 1e-12 : 1e-5;
      CHECK(difference(b.g, a.g.toVector<double>()) < tolerance);
      CHECK(difference(b.gxh, a.gxh.toVector<double>()) < tolerance);
      const NDArray expected = batchNormInputGrad(dy, kept, a, 6 * 7 * 7).to(DType::F64);
      CHECK(difference(batchNormInputGrad(dy, rebuilt, b, 6 * 7 * 7), expected.toVector<double>()) < tolerance);
    }
  }
}

TEST_CASE("empty and ill-formed inputs are errors in words, not crashes") {
  CHECK_THROWS_WITH_AS(batchStatistics(NDArray::empty({0, 3, 4, 4})),
                       doctest::Contains("[batchNorm] ValueError: no elements"), ValueError);
  CHECK_THROWS_AS(batchStatistics(NDArray::zeros({4})), ShapeError);
  CHECK_THROWS_AS(batchStatistics(NDArray::zeros({4, 0, 2})), ShapeError);
  CHECK_THROWS_AS(batchStatistics(NDArray::zeros({4, 2}, DType::I32)), DtypeError);
  const NDArray one = NDArray::full({3}, 1.0, DType::F64);
  CHECK((normalize(NDArray::empty({0, 3, 4, 4}), one, one, {}, {}, {}).shape() == Shape{0, 3, 4, 4}));
}
