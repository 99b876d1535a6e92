// The three batch-norm kernels against each other: plain loops in f64 (reference), ember's own, oneDNN's.
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ember/core/Error.h>
#include <ember/core/Random.h>
#include <ember/core/Threads.h>
#include <ember/core/Warn.h>
#include <ember/core/kernels/BatchNorm.h>
#include <ember/core/kernels/Elementwise.h>
#include <ember/core/kernels/onednn/BatchNorm.h>
#include <ember/core/kernels/onednn/PrimitiveCache.h>
#include <ember/core/kernels/reference/BatchNorm.h>

#include "support/Cpu.h"

using namespace ember;
using namespace ember::core;

namespace {

using Values = std::vector<double>;
using Kind = FusedAct::Kind;

constexpr double epsilon = 1e-5;

NDArray draw(const Shape& shape, u64 stream, double mean, double std, DType dtype,
             MemoryOrder order = MemoryOrder::RowMajor) {
  Values values;
  for (i64 i = 0; i < numel(shape); ++i) {
    values.push_back(mean + std * random::normal({11, stream, 0}, static_cast<u64>(i)));
  }
  return NDArray::from<double>(values, shape).to(dtype).contiguous(order);
}

NDArray invstdOf(const NDArray& var) {
  Values values = var.toVector<double>();
  for (double& v : values) v = 1 / std::sqrt(v + epsilon);
  return NDArray::from<double>(values, var.shape());
}

/// Largest difference relative to `scale` or the largest expected value; infinite for a value that is not finite.
double difference(const NDArray& actual, const NDArray& expected, double scale = 0) {
  const Values a = actual.toVector<double>(), b = expected.toVector<double>();
  REQUIRE(a.size() == b.size());
  double worst = 0, largest = scale;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!std::isfinite(a[i])) return std::numeric_limits<double>::infinity();
    worst = std::max(worst, std::abs(a[i] - b[i]));
    largest = std::max(largest, std::abs(b[i]));
  }
  return worst / largest;
}

double largest(const NDArray& array) {
  double result = 0;
  for (const double v : array.toVector<double>()) result = std::max(result, std::abs(v));
  return result;
}

/// Elementwise: relative to each expected value.
double relative(const NDArray& actual, const NDArray& expected) {
  const Values a = actual.toVector<double>(), b = expected.toVector<double>();
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]) / std::abs(b[i]));
  return worst;
}

const std::vector<Shape> shapes = {{37, 3},       {300, 17},     {9, 4, 7},       {3, 100, 11},
                                   {2, 16, 9, 9}, {2, 33, 5, 5}, {2, 8, 3, 4, 5}, {64, 12, 8, 8}};
const std::vector<FusedAct> acts = {{}, {Kind::Relu, 0}, {Kind::LeakyRelu, 0.2}};

/// One unit in the last place of values near 1, times three: the fused kernels round once or twice on the way.
double rounding(DType dtype) { return dtype == DType::F64 ? 1e-14 : dtype == DType::F32 ? 1e-6 : 1.2e-2; }

}  // namespace

TEST_CASE("the three kernels agree on statistics and on y") {
  for (const Shape& shape : shapes) {
    for (const DType dtype : {DType::F32, DType::F64, DType::BF16}) {
      for (const MemoryOrder order : {MemoryOrder::RowMajor, MemoryOrder::ChannelsLast}) {
        CAPTURE(toString(shape));
        CAPTURE(std::string(name(dtype)));
        const DType parameters = dtype == DType::F64 ? DType::F64 : DType::F32;
        const NDArray x = draw(shape, 1, 0.7, 2, dtype, order);
        const NDArray gamma = draw({shape[1]}, 2, 1, 0.5, parameters), beta = draw({shape[1]}, 3, 0, 1, parameters);
        const BatchStatistics exact = reference::batchStatistics(x), fast = batchStatistics(x);
        // f32 sums of at most 256 centred values and f64 from there; f64 rounding alone otherwise.
        const double ofSums = dtype == DType::F64 ? 1e-13 : 2e-6;
        CHECK(difference(fast.mean, exact.mean) < ofSums);
        CHECK(difference(fast.var, exact.var) < ofSums);
        const NDArray invstd = invstdOf(exact.var);
        for (const FusedAct& act : acts) {
          const NDArray expected = reference::normalize(x, exact.mean, invstd, gamma, beta, act);
          CHECK(expected.isDense(MemoryOrder::ChannelsLast));
          CHECK(difference(normalize(x, exact.mean, invstd, gamma, beta, act), expected) < rounding(dtype));
        }
        if (dtype == DType::F64 || (dtype == DType::BF16 && !test::oneDnnTakesBf16())) continue;
        const NDArray expected = reference::normalize(x, exact.mean, invstd, gamma, beta, {});
        const onednn::BatchNormForward vendor = onednn::batchNormForward(x, gamma, beta, epsilon, {}, {});
        CHECK(vendor.y.dtype() == dtype);
        CHECK(vendor.y.isDense(MemoryOrder::ChannelsLast));
        // Everything in f32: a few thousand terms a sum.
        CHECK(difference(vendor.mean, exact.mean) < 1e-5);
        CHECK(difference(vendor.var, exact.var) < 1e-5);
        CHECK(difference(vendor.y, expected) < (dtype == DType::BF16 ? rounding(dtype) : 1e-5));
        const onednn::BatchNormForward fixed =
            onednn::batchNormForward(x, gamma, beta, epsilon, exact.mean, exact.var.to(DType::F32));
        CHECK(difference(fixed.y, expected) < (dtype == DType::BF16 ? rounding(dtype) : 3e-6));
      }
    }
  }
}

TEST_CASE("the three kernels agree on the gradients of x, gamma and beta") {
  for (const Shape& shape : shapes) {
    for (const DType dtype : {DType::F32, DType::F64, DType::BF16}) {
      for (const bool batch : {true, false}) {
        CAPTURE(toString(shape));
        CAPTURE(std::string(name(dtype)));
        CAPTURE(batch);
        const DType parameters = dtype == DType::F64 ? DType::F64 : DType::F32;
        const NDArray x = draw(shape, 4, 0.7, 2, dtype, MemoryOrder::ChannelsLast), dy = draw(shape, 5, 0, 1, dtype);
        const NDArray gamma = draw({shape[1]}, 6, 1, 0.5, parameters), beta = draw({shape[1]}, 7, 0, 1, parameters);
        const BatchStatistics statistics = reference::batchStatistics(x);
        const NDArray invstd = invstdOf(statistics.var);
        const i64 m = numel(shape) / shape[1];
        // f32 sums of a few thousand products; f64 rounding alone otherwise.
        const double ofSums = dtype == DType::F64 ? 1e-12 : 2e-5;
        for (const FusedAct& act : acts) {
          const BatchNormSaved saved{x, {}, statistics.mean, invstd, gamma, beta, act};
          const BatchNormSums exact = reference::batchNormSums(dy, saved), fast = batchNormSums(dy, saved);
          // bf16: the oracle rounds dy·slope as the separate activation would, the fused kernel does not.
          const double sums = dtype == DType::BF16 && act.kind == Kind::LeakyRelu ? 1e-2 : ofSums;
          CHECK(difference(fast.g, exact.g) < sums);
          CHECK(difference(fast.gxh, exact.gxh) < sums);
          const NDArray expected = reference::batchNormInputGrad(dy, saved, batch ? exact : BatchNormSums{}, m);
          const double terms = largest(reference::batchNormInputGrad(dy, saved, {}, m));  // which may cancel
          CHECK(difference(batchNormInputGrad(dy, saved, batch ? exact : BatchNormSums{}, m), expected, terms) <
                rounding(dtype) * 3);
        }
        if (dtype == DType::F64 || (dtype == DType::BF16 && !test::oneDnnTakesBf16())) continue;
        const BatchNormSaved saved{x, {}, statistics.mean, invstd, gamma, beta, {}};
        const BatchNormSums exact = reference::batchNormSums(dy, saved);
        const NDArray expected = reference::batchNormInputGrad(dy, saved, batch ? exact : BatchNormSums{}, m);
        const double terms = largest(reference::batchNormInputGrad(dy, saved, {}, m));
        const onednn::BatchNormBackward vendor =
            onednn::batchNormBackward(x, dy, gamma, statistics.mean, statistics.var, epsilon, !batch);
        CHECK(difference(vendor.dgamma, exact.gxh) < 2e-5);
        CHECK(difference(vendor.dbeta, exact.g) < 2e-5);
        CHECK(difference(vendor.dx, expected, terms) < (dtype == DType::BF16 ? rounding(dtype) : 1e-5));
      }
    }
  }
}

TEST_CASE("the reference's fused activation gives the bits of the separate one, forward and backward") {
  const Shape shape{5, 6, 7, 3};
  for (const DType dtype : {DType::F32, DType::F64, DType::BF16}) {
    const DType parameters = dtype == DType::F64 ? DType::F64 : DType::F32;
    const NDArray x = draw(shape, 8, 1, 3, dtype), dy = draw(shape, 9, 0, 1, dtype);
    const NDArray gamma = draw({6}, 10, 1, 0.5, parameters), beta = draw({6}, 11, 0, 1, parameters);
    const BatchStatistics statistics = reference::batchStatistics(x);
    const NDArray invstd = invstdOf(statistics.var);
    const NDArray plain = reference::normalize(x, statistics.mean, invstd, gamma, beta, {});
    for (const FusedAct& act : {acts[1], acts[2]}) {
      const NDArray y = act.kind == Kind::Relu ? unary(Unary::Relu, plain, "relu") : leakyRelu(plain, act.slope);
      CHECK(reference::normalize(x, statistics.mean, invstd, gamma, beta, act).toVector<double>() ==
            y.toVector<double>());
      if (dtype == DType::BF16) continue;  // the separate backwards take no bf16
      const NDArray g = act.kind == Kind::Relu ? reluBackward(dy, y) : leakyReluBackward(dy, plain, act.slope);
      const BatchNormSaved fused{x, {}, statistics.mean, invstd, gamma, beta, act},
          apart{x, {}, statistics.mean, invstd, gamma, beta, {}};
      const BatchNormSums a = reference::batchNormSums(dy, fused), b = reference::batchNormSums(g, apart);
      CHECK(a.g.toVector<double>() == b.g.toVector<double>());
      CHECK(a.gxh.toVector<double>() == b.gxh.toVector<double>());
      CHECK(reference::batchNormInputGrad(dy, fused, a, 105).toVector<double>() ==
            reference::batchNormInputGrad(g, apart, b, 105).toVector<double>());
    }
  }
}

TEST_CASE("the reference computes the golden vector to 1e-12") {
  Values values;
  for (int i = 0; i < 12; ++i) values.push_back(i);
  const NDArray x = NDArray::from<double>(values, {2, 1, 2, 3});
  const NDArray gamma = NDArray::full({1}, 2, DType::F64), beta = NDArray::full({1}, 1, DType::F64);
  const BatchStatistics statistics = reference::batchStatistics(x);
  CHECK(statistics.mean.item() == 5.5);
  CHECK(statistics.var.item() == doctest::Approx(11.916666666666666).epsilon(1e-15));
  const NDArray invstd = invstdOf(statistics.var);
  CHECK(invstd.item() == doctest::Approx(0.2896826082060358).epsilon(1e-15));
  const Values y = reference::normalize(x, statistics.mean, invstd, gamma, beta, {}).toVector<double>();
  CHECK(y.front() == doctest::Approx(-2.1865086902663937).epsilon(1e-14));
  CHECK(y.back() == doctest::Approx(4.186508690266393).epsilon(1e-14));

  for (double& v : values) v = v * v / 10;
  const NDArray dy = NDArray::from<double>(values, x.shape());
  const BatchNormSaved saved{x, {}, statistics.mean, invstd, gamma, beta, {}};
  const BatchNormSums sums = reference::batchNormSums(dy, saved);
  CHECK(sums.g.item() == doctest::Approx(50.6).epsilon(1e-14));
  CHECK(sums.gxh.item() == doctest::Approx(45.567074270809435).epsilon(1e-14));
  const Values expected{1.0621666220319637,   0.4828019404181042,   0.019310302086659258, -0.3283082929623713,
                        -0.56005384472898756, -0.67592635321318972, -0.67592581841497745, -0.56005224033435086,
                        -0.32830561897130989, 0.01931404567414512,  0.4828067536020148,   1.0621725048122987};
  const Values dx = reference::batchNormInputGrad(dy, saved, sums, 12).toVector<double>();
  for (std::size_t i = 0; i < dx.size(); ++i) CHECK(std::abs(dx[i] - expected[i]) < 1e-12);
}

TEST_CASE("the reference rebuilds the input from the output, and takes views with gaps") {
  const Shape shape{4, 5, 6, 3};
  const NDArray x = draw(shape, 12, 2, 1.5, DType::F64), dy = draw(shape, 13, 0, 1, DType::F64);
  const NDArray gamma = draw({5}, 14, 1, 0.2, DType::F64), beta = draw({5}, 15, 0, 1, DType::F64);
  const BatchStatistics statistics = reference::batchStatistics(x);
  const NDArray invstd = invstdOf(statistics.var);
  const NDArray y = reference::normalize(x, statistics.mean, invstd, gamma, beta, acts[2]);
  const BatchNormSaved kept{x, {}, statistics.mean, invstd, gamma, beta, acts[2]},
      rebuilt{{}, y, statistics.mean, invstd, gamma, beta, acts[2]};
  const BatchNormSums a = reference::batchNormSums(dy, kept), b = reference::batchNormSums(dy, rebuilt);
  CHECK(difference(b.gxh, a.gxh) < 1e-13);
  CHECK(difference(reference::batchNormInputGrad(dy, rebuilt, b, 72), reference::batchNormInputGrad(dy, kept, a, 72)) <
        1e-13);

  const NDArray inside = x.copy();
  CHECK(reference::normalize(inside, statistics.mean, invstd, gamma, beta, acts[2], inside).toVector<double>() ==
        y.toVector<double>());

  const NDArray gaps = draw({8, 5, 6, 6}, 16, 0, 1, DType::F64).slice(0, 1, 8, 2).slice(3, 0, 6, 2);
  const NDArray dense = gaps.contiguous(MemoryOrder::ChannelsLast);
  CHECK(reference::batchStatistics(gaps).var.toVector<double>() ==
        reference::batchStatistics(dense).var.toVector<double>());
  CHECK(reference::normalize(gaps, statistics.mean, invstd, {}, {}, {}).toVector<double>() ==
        reference::normalize(dense, statistics.mean, invstd, {}, {}, {}).toVector<double>());
}

TEST_CASE("at a mean of 1e4 standard deviations oneDNN loses what ember's kernel keeps") {
  const Shape shape{8, 64, 40, 40};
  const NDArray x = draw(shape, 17, 10000.0004, 1, DType::F32, MemoryOrder::ChannelsLast);
  const BatchStatistics exact = reference::batchStatistics(x), fast = batchStatistics(x);
  const NDArray expected = reference::normalize(x, exact.mean, invstdOf(exact.var), {}, {}, {});
  const onednn::BatchNormForward vendor = onednn::batchNormForward(x, {}, {}, epsilon, {}, {});
  const NDArray y = normalize(x, fast.mean, invstdOf(fast.var), {}, {}, {});
  const double inStds = largest(expected);
  // One rounding of values up to 5, and f32 sums of at most 256 centred values.
  CHECK(difference(y, expected) * inStds < 1e-6);
  CHECK(relative(fast.var, exact.var) < 1e-6);
  // Measured: mean and y 0.013 to 0.017 std, variance 2e-4 to 3e-4, by the number of threads. The lower bounds hold the
  // documentation to account; the upper ones say what may be expected.
  const double mean = difference(vendor.mean, exact.mean) * 1e4, var = relative(vendor.var, exact.var);
  CHECK(mean > 1e-3);
  CHECK(mean < 0.05);
  CHECK(difference(vendor.y, expected) * inStds > 1e-3);
  CHECK(difference(vendor.y, expected) * inStds < 0.05);
  CHECK(var < 2e-3);
}

TEST_CASE("oneDNN's kernels are cached, and refuse what they cannot do") {
  onednn::clearCache();
  const NDArray x = draw({4, 16, 6, 6}, 18, 0, 1, DType::F32, MemoryOrder::ChannelsLast);
  onednn::batchNormForward(x, {}, {}, epsilon, {}, {});
  onednn::batchNormForward(x, {}, {}, epsilon, {}, {});
  CHECK(onednn::cacheStats().size == 1);
  onednn::batchNormForward(x, {}, {}, 1e-3, {}, {});
  CHECK(onednn::cacheStats().size == 2);
  CHECK_THROWS_WITH_AS(onednn::batchNormForward(x.to(DType::F64), {}, {}, epsilon, {}, {}),
                       doctest::Contains("backend OneDNN computes in f32 and bf16, got f64"), DtypeError);
  CHECK_THROWS_AS(onednn::batchNormForward(NDArray::zeros({2, 2, 2, 2, 2, 2}), {}, {}, epsilon, {}, {}), ShapeError);
  CHECK_THROWS_AS(onednn::batchNormForward(NDArray::empty({0, 3}), {}, {}, epsilon, {}, {}), ValueError);
  CHECK_THROWS_AS(reference::batchStatistics(NDArray::empty({0, 3})), ValueError);
  CHECK_THROWS_AS(reference::batchStatistics(NDArray::zeros({4})), ShapeError);
  const NDArray zeros = NDArray::zeros({3}), ones = NDArray::full({3}, 1);
  CHECK((onednn::batchNormForward(NDArray::empty({0, 3}), {}, {}, epsilon, zeros, ones).y.shape() == Shape{0, 3}));
}

TEST_CASE("the reference's results are the same bits for one, two and three threads") {
  const int before = threads();
  const WarningHandler handler = setWarningHandler([](std::string_view) {});  // more threads than CPUs is meant here
  const NDArray x = draw({32, 24, 16, 16}, 19, 0, 1, DType::F32), dy = draw({32, 24, 16, 16}, 20, 0, 1, DType::F32);
  std::vector<Values> results;
  for (const int count : {1, 2, 3}) {
    setThreads(count);
    const BatchStatistics statistics = reference::batchStatistics(x);
    const BatchNormSaved saved{x, {}, statistics.mean, invstdOf(statistics.var), {}, {}, acts[1]};
    Values all = statistics.var.toVector<double>();
    for (const double v : reference::batchNormSums(dy, saved).gxh.toVector<double>()) all.push_back(v);
    results.push_back(all);
  }
  setThreads(before);
  setWarningHandler(handler);
  CHECK(results[0] == results[1]);
  CHECK(results[0] == results[2]);
}
