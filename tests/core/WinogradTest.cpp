#include <ember/core/kernels/winograd/Winograd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ember/core/Random.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/reference/Conv.h>

using namespace ember;
using namespace ember::core;

namespace {

namespace wino = ember::core::winograd;

struct Case {
  i64 n, c, h, w, k, top, left, bottom, right;

  ConvGeometry geometry() const { return {2, {1, 1, 1}, {top, left, 0}, {bottom, right, 0}, {1, 1, 1}, 1}; }
  i64 outHeight() const { return h + top + bottom - 2; }
  i64 outWidth() const { return w + left + right - 2; }
  wino::Geometry forward() const { return {n, h, w, c, outHeight(), outWidth(), k, top, left}; }
  wino::Geometry adjoint() const { return {n, outHeight(), outWidth(), k, h, w, c, 2 - top, 2 - left}; }
  std::string name() const {
    return toString(Shape{n, c, h, w}) + " -> " + std::to_string(k) + ", padding " +
           toString(Shape{top, left, bottom, right});
  }
};

/// Tails of tiles, channels of every vector's width and panel, one tile and many, each side padded or not.
const std::vector<Case> cases{
    {2, 16, 8, 8, 16, 1, 1, 1, 1},   {50, 1, 3, 3, 3, 0, 0, 0, 0},      {2, 5, 7, 9, 3, 1, 0, 0, 1},
    {3, 33, 13, 6, 50, 0, 0, 0, 0},  {2, 37, 1, 1, 20, 1, 1, 1, 1},     {1, 20, 2, 70, 17, 0, 1, 1, 0},
    {1, 64, 14, 14, 64, 1, 1, 1, 1}, {1, 130, 21, 22, 140, 0, 1, 1, 0}, {5, 128, 7, 7, 128, 1, 1, 1, 1},
    {1, 512, 4, 4, 24, 1, 1, 1, 1},  {2, 24, 28, 29, 260, 1, 0, 1, 1},  {9, 7, 12, 11, 31, 1, 1, 0, 0}};

NDArray normals(const Shape& shape, u64 stream) {
  std::vector<float> values;
  for (i64 i = 0; i < numel(shape); ++i) {
    values.push_back(static_cast<float>(random::normal({3, stream, 0}, static_cast<u64>(i))));
  }
  return NDArray::from<float>(values, shape);
}

struct Operands {
  NDArray x, w, dy;
  explicit Operands(const Case& c)
      : x(normals({c.n, c.c, c.h, c.w}, 1).contiguous(MemoryOrder::ChannelsLast)),
        w(normals({c.k, c.c, 3, 3}, 2)),
        dy(normals({c.n, c.k, c.outHeight(), c.outWidth()}, 3).contiguous(MemoryOrder::ChannelsLast)) {}
};

struct Results {
  NDArray y, dx, dw;
};

Results results(const Case& c, const Operands& in, simd::Level level, const wino::After& after = {}) {
  const auto like = [](const NDArray& a, MemoryOrder order) {
    return NDArray::full(a.shape(), 1e30, DType::F32).contiguous(order);
  };
  const Results out{like(in.dy, MemoryOrder::ChannelsLast), like(in.x, MemoryOrder::ChannelsLast),
                    like(in.w, MemoryOrder::RowMajor)};
  const auto forward = wino::packFilters(in.w.data<float>(), c.k, c.c, wino::Filters::Forward, level);
  const auto rotated = wino::packFilters(in.w.data<float>(), c.k, c.c, wino::Filters::Rotated, level);
  wino::convolve(c.forward(), in.x.data<float>(), *forward, after, out.y.data<float>(), level);
  wino::convolve(c.adjoint(), in.dy.data<float>(), *rotated, {}, out.dx.data<float>(), level);
  wino::backwardWeights(c.forward(), in.x.data<float>(), in.dy.data<float>(), out.dw.data<float>(), level);
  return out;
}

/// Of this CPU.
std::vector<simd::Level> levels() {
  std::vector<simd::Level> all{simd::Level::Baseline, simd::Level::Avx2, simd::Level::Avx512};
  all.resize(static_cast<std::size_t>(simd::level()) + 1);
  return all;
}

double relativeRms(const NDArray& value, const NDArray& truth) {
  const auto v = value.toVector<double>(), t = truth.toVector<double>();
  REQUIRE(v.size() == t.size());
  double error = 0, size = 0;
  for (std::size_t i = 0; i < v.size(); ++i) {
    error += (v[i] - t[i]) * (v[i] - t[i]);
    size += t[i] * t[i];
  }
  return std::sqrt(error / size);
}

}  // namespace

TEST_CASE(
    "all directions, instruction sets and tails agree with the formula in f64 to twice what oneDNN's Winograd errs") {
  // oneDNN's F(4x4, 3x3) measures 4e-7 to 1e-6 relative rms; an error of indexing would be of order 1.
  constexpr double bound = 2e-6;
  for (const Case& c : cases) {
    const Operands in(c);
    const NDArray x = in.x.to(DType::F64), w = in.w.to(DType::F64), dy = in.dy.to(DType::F64);
    const NDArray y = reference::conv(x, w, {}, dy.shape(), c.geometry());
    const NDArray dx = reference::convBackwardData(dy, w, x.shape(), c.geometry());
    const NDArray dw = reference::convBackwardWeights(dy, x, w.shape(), c.geometry());
    for (const simd::Level level : levels()) {
      CAPTURE(c.name());
      CAPTURE(static_cast<int>(level));
      const Results out = results(c, in, level);
      CHECK(relativeRms(out.y, y) < bound);
      CHECK(relativeRms(out.dx, dx) < bound);
      CHECK(relativeRms(out.dw, dw) < bound);
    }
  }
}

TEST_CASE("sums over many tiles lose no accuracy, also of values that don't average out") {
  const Case c{32, 16, 32, 32, 16, 1, 1, 1, 1};  // 2048 tiles, 32,768 terms an element
  const Operands in(c);
  for (i64 i = 0; i < in.x.numel(); ++i) in.x.data<float>()[i] = std::max(0.0f, in.x.data<float>()[i]);
  for (i64 i = 0; i < in.dy.numel(); ++i) in.dy.data<float>()[i] += 0.5f;
  const NDArray dw =
      reference::convBackwardWeights(in.dy.to(DType::F64), in.x.to(DType::F64), in.w.shape(), c.geometry());
  for (const simd::Level level : levels()) CHECK(relativeRms(results(c, in, level).dw, dw) < 2e-6);
}

TEST_CASE("the number of threads doesn't change a bit") {
  const int before = threads();
  std::vector<Case> all = cases;
  all.push_back({32, 16, 32, 32, 16, 1, 1, 1, 1});  // enough tiles for sums in parts
  for (const Case& c : all) {
    const Operands in(c);
    setThreads(1);
    const Results one = results(c, in, simd::level());
    for (const int count : {2, 3, 7}) {
      setThreads(count);
      CAPTURE(c.name());
      const Results many = results(c, in, simd::level());
      CHECK(many.y.toVector<float>() == one.y.toVector<float>());
      CHECK(many.dx.toVector<float>() == one.dx.toVector<float>());
      CHECK(many.dw.toVector<float>() == one.dw.toVector<float>());
    }
  }
  setThreads(before);
}

TEST_CASE("bias, residual and relu join before the result is written; NaN stays NaN") {
  const Case c{2, 18, 9, 10, 37, 1, 1, 1, 1};
  const Operands in(c);
  const NDArray bias = normals({c.k}, 4), residual = in.dy.copy();
  for (const simd::Level level : levels()) {
    const auto plain = results(c, in, level).y.toVector<float>();
    const auto b = bias.toVector<float>(), r = residual.toVector<float>();
    const std::size_t pixels = static_cast<std::size_t>(c.outHeight() * c.outWidth());
    const auto expected = [&](bool biased, bool added, bool relu) {
      std::vector<float> values = plain;
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (biased) values[i] += b[i / pixels % b.size()];
        if (added) values[i] += r[i];
        if (relu) values[i] = std::max(values[i], 0.0f);
      }
      return values;
    };
    for (const int mask : {1, 2, 3, 4, 5, 6, 7}) {
      CAPTURE(mask);
      const wino::After after{mask & 1 ? bias.data<float>() : nullptr, mask & 2 ? residual.data<float>() : nullptr,
                              (mask & 4) != 0};
      CHECK(results(c, in, level, after).y.toVector<float>() == expected(mask & 1, mask & 2, mask & 4));
    }
    Operands spoiled(c);
    spoiled.x.data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
    CHECK(std::isnan(results(c, spoiled, level, {nullptr, nullptr, true}).y.data<float>()[0]));
  }
}

TEST_CASE("the residual may be the memory of the result") {
  const Case c{1, 16, 11, 9, 20, 1, 1, 1, 1};
  const Operands in(c);
  const auto packed = wino::packFilters(in.w.data<float>(), c.k, c.c, wino::Filters::Forward, simd::level());
  const NDArray y = in.dy.copy();
  wino::convolve(c.forward(), in.x.data<float>(), *packed, {nullptr, y.data<float>(), true}, y.data<float>(),
                 simd::level());
  CHECK(y.toVector<float>() == results(c, in, simd::level(), {nullptr, in.dy.data<float>(), true}).y.toVector<float>());
}

TEST_CASE("nothing is read or written beyond the arrays") {
  for (const Case& c : cases) {
    const Operands in(c);
    const auto framed = [](const NDArray& a) {
      std::vector<float> memory(static_cast<std::size_t>(a.numel()) + 128, std::numeric_limits<float>::quiet_NaN());
      std::copy_n(a.data<float>(), a.numel(), memory.begin() + 64);
      return memory;
    };
    const auto x = framed(in.x), w = framed(in.w), dy = framed(in.dy);
    for (const simd::Level level : levels()) {
      CAPTURE(c.name());
      auto y = framed(in.dy), dx = framed(in.x), dw = framed(in.w);
      const auto forward = wino::packFilters(w.data() + 64, c.k, c.c, wino::Filters::Forward, level);
      const auto rotated = wino::packFilters(w.data() + 64, c.k, c.c, wino::Filters::Rotated, level);
      wino::convolve(c.forward(), x.data() + 64, *forward, {}, y.data() + 64, level);
      wino::convolve(c.adjoint(), dy.data() + 64, *rotated, {}, dx.data() + 64, level);
      wino::backwardWeights(c.forward(), x.data() + 64, dy.data() + 64, dw.data() + 64, level);
      for (const auto& memory : {y, dx, dw}) {
        CHECK(std::none_of(memory.begin() + 64, memory.end() - 64, [](float v) { return std::isnan(v); }));
        CHECK(std::all_of(memory.begin(), memory.begin() + 64, [](float v) { return std::isnan(v); }));
        CHECK(std::all_of(memory.end() - 64, memory.end(), [](float v) { return std::isnan(v); }));
      }
    }
  }
}
