#include <ember/core/kernels/Pool.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ember/core/Error.h>
#include <ember/core/Random.h>

#include "core/Loops.h"
#include "core/SteadyMemory.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::core;
using namespace ember::test;

namespace {

using Values = std::vector<double>;
constexpr double notANumber = std::numeric_limits<double>::quiet_NaN();

/// Integers in [-4, 4]: many ties, and sums that are exact.
NDArray integers(const Shape& shape, u64 stream, DType dtype) {
  Values values;
  for (i64 i = 0; i < numel(shape); ++i)
    values.push_back(static_cast<double>(random::below({1, stream, 0}, static_cast<u64>(i), 9)) - 4);
  return NDArray::from<double>(values, shape).to(dtype).contiguous(MemoryOrder::ChannelsLast);
}

PoolGeometry geometry(int spatial, std::array<i64, 3> kernel, std::array<i64, 3> stride, std::array<i64, 3> pad,
                      bool include = true) {
  return {spatial, kernel, stride, pad, pad, {1, 1, 1}, false, include, 0};
}

/// The same with more behind than before, holes, and a last window that reaches beyond.
PoolGeometry uneven(PoolGeometry g, std::array<i64, 3> padAfter, std::array<i64, 3> dilation, bool ceilMode,
                    i64 divisor = 0) {
  g.padAfter = padAfter;
  g.dilation = dilation;
  g.ceilMode = ceilMode;
  g.divisor = divisor;
  return g;
}

/// The definitions, written out over logical positions: calls f(image, output position, input position) for every pair
/// of an output and an input of its window, in order of the input.
template <class F>
void eachPair(const Shape& x, const Shape& y, const PoolGeometry& g, F&& f) {
  const auto size = [](const Shape& s, int i) { return s.rank() > 2 + i ? s[2 + i] : 1; };
  const auto option = [&](const std::array<i64, 3>& v, int i, i64 other) {
    return i < g.spatial ? v[static_cast<std::size_t>(i)] : other;
  };
  const auto inside = [&](i64 out, i64 in, int i) {
    const i64 first = out * option(g.stride, i, 1) - option(g.padBefore, i, 0), step = option(g.dilation, i, 1);
    return in >= first && (in - first) % step == 0 && (in - first) / step < option(g.kernel, i, 1);
  };
  i64 output = 0;
  for (i64 image = 0; image < x[0] * x[1]; ++image) {
    for (i64 a = 0; a < size(y, 0); ++a) {
      for (i64 b = 0; b < size(y, 1); ++b) {
        for (i64 c = 0; c < size(y, 2); ++c, ++output) {
          i64 input = 0;
          for (i64 i = 0; i < size(x, 0); ++i) {
            for (i64 j = 0; j < size(x, 1); ++j) {
              for (i64 k = 0; k < size(x, 2); ++k, ++input) {
                if (inside(a, i, 0) && inside(b, j, 1) && inside(c, k, 2)) f(image, output, input);
              }
            }
          }
        }
      }
    }
  }
}

/// What the sum of each window is divided by.
Values divisors(const Shape& x, const Shape& y, const PoolGeometry& g) {
  Values result(static_cast<std::size_t>(numel(y)), static_cast<double>(g.divisor));
  if (g.divisor != 0) return result;
  if (!g.countIncludePad) {
    eachPair(x, y, g, [&](i64, i64 output, i64) { ++result[static_cast<std::size_t>(output)]; });
    return result;
  }
  for (std::size_t o = 0; o < result.size(); ++o) {
    i64 elements = 1, rest = static_cast<i64>(o);
    for (int i = g.spatial - 1; i >= 0; --i) {
      const auto axis = static_cast<std::size_t>(i);
      const i64 first = rest % y[2 + i] * g.stride[axis] - g.padBefore[axis];
      rest /= y[2 + i];
      elements *= std::min(first + g.kernel[axis], x[2 + i] + g.padAfter[axis]) - first;
    }
    result[o] = static_cast<double>(elements);
  }
  return result;
}

struct Plain {
  Values max, position, mean;
};
Plain plain(const NDArray& x, const Shape& y, const PoolGeometry& g) {
  const auto xs = x.toVector<double>();
  const auto count = static_cast<std::size_t>(numel(y)),
             inputs = static_cast<std::size_t>(x.numel() / x.size(0) / x.size(1));
  Plain p{Values(count), Values(count, -1.0), Values(count)};
  eachPair(x.shape(), y, g, [&](i64 image, i64 output, i64 input) {
    const auto o = static_cast<std::size_t>(output);
    const double value = xs[static_cast<std::size_t>(image) * inputs + static_cast<std::size_t>(input)];
    if (p.position[o] < 0 || value > p.max[o] || (std::isnan(value) && !std::isnan(p.max[o]))) {
      p.max[o] = value;
      p.position[o] = static_cast<double>(input);
    }
    p.mean[o] += value;
  });
  const Values by = divisors(x.shape(), y, g);
  for (std::size_t o = 0; o < count; ++o) p.mean[o] /= by[o];
  return p;
}

/// Where the winners stand in the flattened spatial input.
Values positions(const NDArray& winners, const Shape& x, const PoolGeometry& g) {
  const Shape& y = winners.shape();
  const auto won = winners.toVector<i64>();
  Values result;
  for (i64 o = 0; o < winners.numel(); ++o) {
    i64 tap = won[static_cast<std::size_t>(o)], output = o, position = 0, step = 1;
    for (int i = g.spatial - 1; i >= 0; --i) {
      const auto axis = static_cast<std::size_t>(i);
      const i64 first = output % y[2 + i] * g.stride[axis] - g.padBefore[axis];
      position += (first + tap % g.kernel[axis] * g.dilation[axis]) * step;
      output /= y[2 + i], tap /= g.kernel[axis], step *= x[2 + i];
    }
    result.push_back(static_cast<double>(position));
  }
  return result;
}

struct Case {
  Shape x;
  PoolGeometry geometry;
};
std::vector<Case> cases() {
  return {{{2, 3, 9}, geometry(1, {3, 1, 1}, {2, 1, 1}, {1, 0, 0})},
          {{2, 18, 8, 7}, geometry(2, {2, 2, 1}, {2, 2, 1}, {0, 0, 0})},
          {{3, 33, 7, 9}, geometry(2, {3, 2, 1}, {1, 2, 1}, {1, 1, 0})},
          {{3, 5, 7, 9}, geometry(2, {3, 2, 1}, {1, 2, 1}, {1, 1, 0}, false)},
          {{1, 40, 5, 5}, geometry(2, {3, 3, 1}, {3, 1, 1}, {1, 0, 0}, false)},
          {{2, 20, 7, 7}, geometry(2, {7, 7, 1}, {1, 1, 1}, {0, 0, 0})},
          {{2, 4, 5, 6, 7}, geometry(3, {2, 3, 2}, {2, 1, 2}, {1, 1, 0})},
          {{1, 17, 4, 6, 4}, geometry(3, {2, 2, 2}, {2, 2, 2}, {0, 0, 0})},
          {{2, 3, 9, 9}, geometry(2, {2, 2, 1}, {3, 3, 1}, {0, 0, 0})},  // gaps between windows
          {{2, 3, 6, 8}, uneven(geometry(2, {3, 3, 1}, {2, 3, 1}, {0, 1, 0}), {1, 1, 0}, {1, 1, 1}, true)},
          {{1, 18, 5, 6}, uneven(geometry(2, {2, 2, 1}, {2, 2, 1}, {1, 0, 0}, false), {0, 1, 0}, {1, 1, 1}, true)},
          {{1, 3, 4, 5, 6}, uneven(geometry(3, {2, 3, 2}, {3, 2, 2}, {0, 1, 0}), {1, 0, 1}, {1, 1, 1}, true, 5)}};
}

}  // namespace

TEST_CASE("maximum and average pooling are their definitions, in f32 and f64") {
  for (const DType dtype : {DType::F32, DType::F64}) {
    for (const Case& c : cases()) {
      const Shape& xShape = c.x;
      const PoolGeometry& g = c.geometry;
      CAPTURE(toString(xShape));
      const NDArray x = integers(xShape, 1, dtype);
      const Shape yShape = poolShape(xShape, g, "test");
      const Plain expected = plain(x, yShape, g);
      const auto [y, winners] = maxPool(x, g);
      CHECK(toString(y.shape()) == toString(yShape));
      CHECK(y.isDense(MemoryOrder::ChannelsLast));
      CHECK(y.toVector<double>() == expected.max);
      CHECK(winners.dtype() == DType::U8);
      CHECK(positions(winners, xShape, g) == expected.position);
      CHECK(maxPoolIndices(winners, xShape, g).toVector<double>() == expected.position);
      CHECK(maxPool(x, g, false).y.toVector<double>() == expected.max);
      CHECK_FALSE(maxPool(x, g, false).winners.defined());
      const auto mean = avgPool(x, g).toVector<double>();
      // Exact sums times a rounded reciprocal: two roundings.
      const double tolerance = dtype == DType::F64 ? 1e-15 : 2.4e-7;
      REQUIRE(mean.size() == expected.mean.size());
      for (std::size_t i = 0; i < mean.size(); ++i) CHECK(std::abs(mean[i] - expected.mean[i]) <= tolerance * 4);
    }
  }
}

TEST_CASE("gradients of pooling reach the inputs of each window") {
  for (const DType dtype : {DType::F32, DType::F64}) {
    for (const Case& c : cases()) {
      const Shape& xShape = c.x;
      const PoolGeometry& g = c.geometry;
      CAPTURE(toString(xShape));
      const NDArray x = integers(xShape, 1, dtype);
      const auto [y, winners] = maxPool(x, g);
      const NDArray dy = integers(y.shape(), 2, dtype);
      const auto dys = dy.toVector<double>(), at = positions(winners, xShape, g);
      const i64 inputs = x.numel() / x.size(0) / x.size(1), outputs = y.numel() / x.size(0) / x.size(1);
      Values expected(static_cast<std::size_t>(x.numel()));
      for (i64 o = 0; o < y.numel(); ++o) {
        expected[static_cast<std::size_t>(o / outputs * inputs) +
                 static_cast<std::size_t>(at[static_cast<std::size_t>(o)])] += dys[static_cast<std::size_t>(o)];
      }
      CHECK(maxPoolBackward(dy, winners, xShape, g).toVector<double>() == expected);
      CHECK(maxPoolGather(x, winners, g).toVector<double>() == y.toVector<double>());
      // <avg(x), dy> = <x, avgBackward(dy)>: sums of some thousand integers over 2 to 49.
      const double forward = dot(avgPool(x, g), dy);
      CHECK(dot(x, avgPoolBackward(dy, xShape, g)) ==
            doctest::Approx(forward).epsilon(dtype == DType::F64 ? 1e-12 : 1e-4));
    }
  }
}

TEST_CASE("windows of a maximum may have holes, more padding behind than before, and reach beyond the end") {
  const std::vector<Case> holes{
      {{2, 3, 9}, uneven(geometry(1, {3, 1, 1}, {2, 1, 1}, {2, 0, 0}), {0, 0, 0}, {2, 1, 1}, true)},
      {{1, 18, 8, 7}, uneven(geometry(2, {2, 3, 1}, {3, 2, 1}, {1, 0, 0}), {1, 3, 0}, {2, 3, 1}, false)},
      {{1, 3, 3, 3, 4}, uneven(geometry(3, {2, 1, 2}, {2, 1, 3}, {1, 0, 0}), {0, 0, 1}, {2, 5, 2}, true)}};
  for (const DType dtype : {DType::F32, DType::F64}) {
    for (const Case& c : holes) {
      const PoolGeometry& g = c.geometry;
      CAPTURE(toString(c.x));
      const NDArray x = integers(c.x, 1, dtype);
      const Shape yShape = poolShape(c.x, g, "test");
      const Plain expected = plain(x, yShape, g);
      const auto [y, winners] = maxPool(x, g);
      CHECK(y.toVector<double>() == expected.max);
      CHECK(maxPoolIndices(winners, c.x, g).toVector<double>() == expected.position);
      CHECK(maxPoolGather(x, winners, g).toVector<double>() == expected.max);
      const NDArray dy = integers(yShape, 2, dtype);
      CHECK(dot(maxPoolBackward(dy, winners, c.x, g), x) == dot(dy, y));
    }
  }
}

TEST_CASE("in ceil mode a last window begins in the input or before it, as in PyTorch") {
  const auto along = [](i64 size, i64 kernel, i64 stride, i64 pad, i64 dilation = 1) {
    const PoolGeometry g =
        uneven(geometry(1, {kernel, 1, 1}, {stride, 1, 1}, {pad, 0, 0}), {pad, 0, 0}, {dilation, 1, 1}, true);
    return poolShape({1, 1, size}, g, "test")[2];
  };
  CHECK(along(5, 2, 2, 0) == 3);
  CHECK(along(5, 2, 2, 1) == 3);   // 4 windows would be one in the padding alone
  CHECK(along(5, 1, 3, 0) == 2);   // 3 windows would be one behind the end
  CHECK(along(2, 3, 2, 0) == 1);   // a window larger than the input
  CHECK(along(7, 3, 2, 1, 2) == 3);
}

TEST_CASE("the average's gradient spreads each output evenly over its window") {
  for (const Case& c : cases()) {
    const Shape& xShape = c.x;
    const PoolGeometry& g = c.geometry;
    CAPTURE(toString(xShape));
    const Shape yShape = poolShape(xShape, g, "test");
    const NDArray dy = integers(yShape, 3, DType::F64);
    const auto dys = dy.toVector<double>();
    const Values by = divisors(xShape, yShape, g);
    const i64 inputs = numel(xShape) / xShape[0] / xShape[1];
    Values expected(static_cast<std::size_t>(numel(xShape)));
    eachPair(xShape, yShape, g, [&](i64 image, i64 output, i64 input) {
      const auto o = static_cast<std::size_t>(output);
      expected[static_cast<std::size_t>(image * inputs + input)] += dys[o] / by[o];
    });
    const auto dx = avgPoolBackward(dy, xShape, g).toVector<double>();
    REQUIRE(dx.size() == expected.size());
    for (std::size_t i = 0; i < dx.size(); ++i)
      CHECK(std::abs(dx[i] - expected[i]) < 1e-13);  // at most 49 terms of size 4
  }
}

TEST_CASE("the first NaN wins a window, and the first of equal values") {
  const NDArray x = NDArray::from<double>({1, 5, notANumber, 2, 5, 3, 9, notANumber}, {1, 1, 2, 4}).to(DType::F32);
  const auto [y, winners] = maxPool(x, geometry(2, {2, 2, 1}, {2, 2, 1}, {0, 0, 0}));
  CHECK(y.toVector<double>()[0] == 5);
  CHECK(std::isnan(y.toVector<double>()[1]));
  CHECK(winners.toVector<i64>() == std::vector<i64>{1, 0});
  const double low = -std::numeric_limits<double>::infinity();
  const auto lowest = maxPool(NDArray::full({1, 20, 2, 2}, low), geometry(2, {2, 2, 1}, {2, 2, 1}, {0, 0, 0}));
  CHECK(lowest.y.toVector<double>() == Values(20, low));
  CHECK(lowest.winners.toVector<i64>() == std::vector<i64>(20, 0));
}

TEST_CASE("windows of more than 256 elements have winners, too") {
  const PoolGeometry g = geometry(2, {20, 18, 1}, {1, 1, 1}, {0, 0, 0});
  const NDArray x = integers({2, 19, 20, 19}, 1, DType::F32);
  const Shape yShape = poolShape(x.shape(), g, "test");
  const Plain expected = plain(x, yShape, g);
  const auto [y, winners] = maxPool(x, g);
  CHECK(winners.dtype() == DType::I32);
  CHECK(y.toVector<double>() == expected.max);
  CHECK(positions(winners, x.shape(), g) == expected.position);
  CHECK(maxPoolGather(x, winners, g).toVector<double>() == expected.max);
  const NDArray dy = NDArray::full(yShape, 1);
  CHECK(dot(maxPoolBackward(dy, winners, x.shape(), g), x) == dot(y, dy));
}

TEST_CASE("row-major and strided inputs pool like channels-last ones") {
  const PoolGeometry g = geometry(2, {3, 3, 1}, {2, 2, 1}, {1, 1, 0});
  const NDArray x = integers({2, 6, 8, 9}, 1, DType::F32), wide = integers({2, 6, 8, 18}, 1, DType::F32);
  CHECK(maxPool(x.contiguous(), g).y.toVector<float>() == maxPool(x, g).y.toVector<float>());
  CHECK(avgPool(x.contiguous(), g).toVector<float>() == avgPool(x, g).toVector<float>());
  const NDArray strided = wide.slice(3, 0, 18, 2);
  CHECK(maxPool(strided, g).y.toVector<float>() == maxPool(strided.contiguous(), g).y.toVector<float>());
  const auto [y, winners] = maxPool(x, g);
  CHECK(maxPoolBackward(y.contiguous(), winners.contiguous(), x.shape(), g).toVector<float>() ==
        maxPoolBackward(y, winners, x.shape(), g).toVector<float>());
  CHECK(avgPoolBackward(y.contiguous(), x.shape(), g).toVector<float>() ==
        avgPoolBackward(y, x.shape(), g).toVector<float>());
}

TEST_CASE("a global average of many values keeps its precision") {
  // 65,536 values of 0.1f: a single running f32 sum would be off by 1e-3; row sums and a sum of rows stay near 1e-6.
  const NDArray x = NDArray::full({1, 3, 256, 256}, 0.1);
  for (const double mean : avgPool(x, geometry(2, {256, 256, 1}, {1, 1, 1}, {0, 0, 0})).toVector<double>()) {
    CHECK(std::abs(mean / static_cast<double>(0.1F) - 1) < 2e-5);
  }
}

TEST_CASE("an empty batch pools to an empty result") {
  const PoolGeometry g;
  const NDArray x = NDArray::empty({0, 3, 4, 4});
  const auto [y, winners] = maxPool(x, g);
  CHECK(toString(y.shape()) == "[0, 3, 2, 2]");
  CHECK(toString(maxPoolBackward(y, winners, x.shape(), g).shape()) == "[0, 3, 4, 4]");
  CHECK(toString(avgPool(x, g).shape()) == "[0, 3, 2, 2]");
  CHECK(toString(avgPoolBackward(y, x.shape(), g).shape()) == "[0, 3, 4, 4]");
}

TEST_CASE("repeated pooling takes no new memory") {
  const PoolGeometry g;
  const NDArray x = integers({4, 16, 16, 16}, 1, DType::F32);
  const auto step = [&] {
    const auto [y, winners] = maxPool(x, g);
    maxPoolBackward(y, winners, x.shape(), g);
    avgPoolBackward(avgPool(x, g), x.shape(), g);
  };
  checkSteadyMemory(step);
}

TEST_CASE("wrong pooling options are refused, with numbers") {
  const auto headline = [](const Shape& x, const PoolGeometry& g) {
    return headlineOf([&] { poolShape(x, g, "maxPool2d"); });
  };
  const std::array<i64, 3> two{2, 2, 2}, none{0, 0, 0};
  CHECK(headline({1, 3, 8, 8}, geometry(2, {3, 3, 3}, two, {2, 2, 2})) ==
        "[maxPool2d] ValueError: padding 2 is more than half of kernel size 3");
  CHECK(headline({1, 3, 8, 8}, geometry(2, none, two, none)) ==
        "[maxPool2d] ValueError: kernel size is 0, must be at least 1");
  CHECK(headline({1, 3, 8, 8}, geometry(2, two, {2, 0, 2}, none)) ==
        "[maxPool2d] ValueError: stride is 0, must be at least 1");
  CHECK(headline({1, 3, 8, 8}, geometry(2, two, two, {-1, 0, 0})) ==
        "[maxPool2d] ValueError: padding is -1, must be at least 0");
  CHECK(headline({1, 3, 1, 8}, geometry(2, two, two, none)) ==
        "[maxPool2d] ShapeError: kernel 2x2 is larger than the padded input 1x8");
  CHECK(headline({1, 3, 8}, geometry(2, two, two, none)) == "[maxPool2d] ShapeError: input has rank 3, expected 4");
  CHECK(headline({1, 3, 8, 8}, uneven(geometry(2, two, two, none), none, {0, 1, 1}, false)) ==
        "[maxPool2d] ValueError: dilation is 0, must be at least 1");
  CHECK(headline({1, 3, 8, 8}, uneven(geometry(2, two, two, none), {0, 3, 0}, {1, 2, 1}, false)) ==
        "[maxPool2d] ValueError: padding 3 is more than half of kernel size 3");
  CHECK(headline({1, 3, 1, 8}, uneven(geometry(2, two, two, {1, 0, 0}), {1, 0, 0}, {2, 1, 1}, false)) ==
        "[maxPool2d] ShapeError: window 0 of axis 2 has no element in the input, which has 1");
  CHECK(headline({1, 3, 8, 8}, uneven(geometry(2, two, two, none), none, {i64{1} << 62, 4, 1}, false))
            .starts_with("[maxPool2d] ShapeError: kernel "));
  CHECK(headline({1, 3, 8, 8}, uneven(geometry(2, {4, 4, 4}, two, none), none, {i64{1} << 62, 4, 1}, false))
            .starts_with("[size] ShapeError: "));
  CHECK(headlineOf([] {
          maxPool(NDArray::zeros({1, 1, 4, 4}, DType::I32), {});
        }) == "[maxPool2d] DtypeError: cannot pool i32");
  CHECK(headlineOf([] {
          avgPoolBackward(NDArray::zeros({1, 1, 3, 3}), {1, 1, 4, 4}, {});
        }) == "[avgPool2d] ShapeError: gradient has shape [1, 1, 3, 3], the output has [1, 1, 2, 2]");
}
