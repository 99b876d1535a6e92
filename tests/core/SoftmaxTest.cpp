// core/kernels/Softmax.cpp against the formula in f64.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include <ember/core/Error.h>
#include <ember/core/kernels/Reduce.h>

#include "core/Loops.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::core;
using namespace ember::test;

namespace {

std::vector<double> oracle(const NDArray& x, int axis, bool logarithm) {
  Shape kept = x.shape();
  kept[axis] = 1;
  const std::vector<double> values = x.toVector<double>();
  const auto count = static_cast<std::size_t>(numel(kept));
  std::vector<double> top(count, -std::numeric_limits<double>::infinity()), sum(count, 0), result(values.size());
  const auto group = [&](std::size_t i) { return broadcastPosition(x.shape(), kept, static_cast<i64>(i)); };
  for (std::size_t i = 0; i < values.size(); ++i) top[group(i)] = std::max(top[group(i)], values[i]);
  for (std::size_t i = 0; i < values.size(); ++i) sum[group(i)] += std::exp(values[i] - top[group(i)]);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double shifted = values[i] - top[group(i)];
    result[i] = logarithm ? shifted - std::log(sum[group(i)]) : std::exp(shifted) / sum[group(i)];
  }
  return result;
}

}  // namespace

TEST_CASE("softmax and its logarithm agree with the formula along any axis in every layout") {
  const std::vector<Shape> shapes = {{5}, {1}, {3, 10}, {40, 70}, {2, 3, 4, 5}, {2, 5, 100, 3}, {0, 4}};
  for (const Shape& shape : shapes) {
    for (const DType dtype : {DType::F32, DType::F64}) {
      // f32: 2 ulp of exp, a rounded factor; the logarithm is up to 20 in size here.
      const double tolerance = dtype == DType::F32 ? 4e-7 : 1e-15;
      const NDArray x = numbers(shape, 1, -10, 10, dtype);
      for (int axis = 0; axis < shape.rank(); ++axis) {
        for (const NDArray& layout : layouts(x)) {
          CHECK(worst(softmax(layout, axis).toVector<double>(), oracle(x, axis, false)) <= tolerance);
          CHECK(worst(logSoftmax(layout, axis - shape.rank()).toVector<double>(), oracle(x, axis, true)) <= tolerance);
        }
      }
    }
  }
}

TEST_CASE("softmax keeps channels last") {
  const NDArray x = numbers({2, 3, 4, 5}, 2).contiguous(MemoryOrder::ChannelsLast);
  CHECK(softmax(x, 1).order() == MemoryOrder::ChannelsLast);
}

TEST_CASE("large logits neither overflow nor vanish") {
  const NDArray x = NDArray::from<float>({1e30f, 0, -1e30f, 1000, 999, -1000}, {2, 3});
  const std::vector<double> p = softmax(x, 1).toVector<double>(), logs = logSoftmax(x, 1).toVector<double>();
  CHECK(p[0] == 1);
  CHECK(p[1] == 0);
  CHECK(p[3] == doctest::Approx(1 / (1 + std::exp(-1.0))).epsilon(1e-6));
  CHECK(logs[2] == doctest::Approx(-2e30).epsilon(1e-6));
  CHECK(logs[5] == doctest::Approx(-2000 - std::log1p(std::exp(-1.0))).epsilon(1e-6));
}

TEST_CASE("a row of -inf or with NaN gives NaN, a single -inf gives probability 0") {
  const float inf = std::numeric_limits<float>::infinity();
  const NDArray x = NDArray::from<float>({-inf, -inf, 0, NAN, 0, -inf}, {3, 2});
  for (const NDArray& layout : layouts(x)) {
    const std::vector<double> p = softmax(layout, 1).toVector<double>();
    for (std::size_t i = 0; i < 4; ++i) CHECK(std::isnan(p[i]));
    CHECK(p[4] == 1);
    CHECK(p[5] == 0);
  }
}

TEST_CASE("integers and axes outside the rank are refused") {
  CHECK(headlineOf<DtypeError>([] {
          softmax(NDArray::zeros({2, 3}, DType::I32), 1);
        }) == "[softmax] DtypeError: x is i32, expected a floating type");
  CHECK(headlineOf<ShapeError>([] {
          logSoftmax(NDArray::zeros({2, 3}), 2);
        }) == "[logSoftmax] ShapeError: axis 2 is outside rank 2");
}
