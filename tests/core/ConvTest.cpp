#include <ember/core/kernels/Conv.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ember/core/Error.h>
#include <ember/core/Random.h>
#include <ember/core/kernels/onednn/ImplNames.h>
#include <ember/core/kernels/onednn/PrimitiveCache.h>

#include "core/Loops.h"
#include "core/SteadyMemory.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::core;
using namespace ember::test;

namespace {

/// Values of `draw(i)` in logical order.
template <class F>
NDArray made(const Shape& shape, DType dtype, MemoryOrder order, F&& draw) {
  std::vector<double> values;
  for (i64 i = 0; i < numel(shape); ++i) values.push_back(draw(static_cast<u64>(i)));
  return NDArray::from<double>(values, shape).to(dtype).contiguous(order);
}

/// Integers in [-3, 3]: every sum of products in these tests is an integer below 2^24, exact in f32 in any order.
NDArray integers(const Shape& shape, u64 stream, DType dtype = DType::F32,
                 MemoryOrder order = MemoryOrder::ChannelsLast) {
  return made(shape, dtype, order, [&](u64 i) { return static_cast<double>(random::below({1, stream, 0}, i, 7)) - 3; });
}
NDArray normals(const Shape& shape, u64 stream, DType dtype = DType::F64) {
  return made(shape, dtype, MemoryOrder::ChannelsLast, [&](u64 i) { return random::normal({2, stream, 0}, i); });
}

struct UseAlgorithm {
  explicit UseAlgorithm(ConvAlgorithm algorithm) { setConvAlgorithm(algorithm); }
  ~UseAlgorithm() { setConvAlgorithm(ConvAlgorithm::Auto); }
};

/// One convolution with all its gradients.
struct Problem {
  Shape x, w;
  ConvGeometry geometry;
  Shape y() const { return convShape(x, w, geometry, "test"); }
};

Problem problem(i64 n, i64 c, i64 k, const std::vector<i64>& in, const std::vector<i64>& kernel, i64 stride, i64 before,
                i64 after, i64 dilation, i64 groups) {
  Problem p{{n, c}, {k, c / groups}, {}};
  for (const i64 size : in) p.x.push(size);
  for (const i64 size : kernel) p.w.push(size);
  p.geometry = {static_cast<int>(in.size()), {stride, stride, stride},       {before, before, before},
                {after, after, after},       {dilation, dilation, dilation}, groups};
  return p;
}

struct Results {
  std::vector<float> y, dx, dw;
};
Results results(const Problem& p, ConvAlgorithm algorithm) {
  const UseAlgorithm use(algorithm);
  const NDArray x = integers(p.x, 1), w = integers(p.w, 2, DType::F32, MemoryOrder::RowMajor),
                bias = integers({p.w[0]}, 3);
  const NDArray dy = integers(p.y(), 4);
  return {conv(x, w, bias, p.geometry).toVector<float>(), convBackwardData(dy, w, p.x, p.geometry).toVector<float>(),
          convBackwardWeights(dy, x, p.w, p.geometry).toVector<float>()};
}

double relativeRms(const NDArray& value, const NDArray& truth) {
  const auto v = value.toVector<double>(), t = truth.toVector<double>();
  double error = 0, size = 0;
  for (std::size_t i = 0; i < v.size(); ++i) {
    error += (v[i] - t[i]) * (v[i] - t[i]);
    size += t[i] * t[i];
  }
  return std::sqrt(error / size);
}

ConvGeometry padded(int spatial, i64 pad) {
  return {spatial, {1, 1, 1}, {pad, pad, pad}, {pad, pad, pad}, {1, 1, 1}, 1};
}

}  // namespace

TEST_CASE("the reference convolution is the formula") {
  const Problem p = problem(2, 4, 6, {7, 6}, {3, 2}, 2, 1, 2, 2, 2);
  const NDArray x = normals(p.x, 1), w = normals(p.w, 2).contiguous(), bias = normals({6}, 3);
  const NDArray y = conv(x, w, bias, p.geometry);
  const auto xs = x.toVector<double>(), ws = w.toVector<double>(), bs = bias.toVector<double>(),
             ys = y.toVector<double>();
  std::size_t next = 0;
  for (i64 n = 0; n < 2; ++n) {
    for (i64 k = 0; k < 6; ++k) {
      for (i64 i = 0; i < y.size(2); ++i) {
        for (i64 j = 0; j < y.size(3); ++j) {
          double sum = bs[static_cast<std::size_t>(k)];
          for (i64 c = 0; c < 2; ++c) {
            for (i64 r = 0; r < 3; ++r) {
              for (i64 s = 0; s < 2; ++s) {
                const i64 row = i * 2 + r * 2 - 1, column = j * 2 + s * 2 - 1, channel = k / 3 * 2 + c;
                if (row < 0 || row >= 7 || column < 0 || column >= 6) continue;
                sum += ws[static_cast<std::size_t>(((k * 2 + c) * 3 + r) * 2 + s)] *
                       xs[static_cast<std::size_t>(((n * 4 + channel) * 7 + row) * 6 + column)];
              }
            }
          }
          CHECK(ys[next++] == doctest::Approx(sum).epsilon(1e-14));  // 24 terms in f64
        }
      }
    }
  }
  CHECK(next == ys.size());
}

TEST_CASE("direct kernels and reference agree bit for bit on small integers, in all three directions") {
  int cases = 0;
  const auto check = [&](const Problem& p) {
    CAPTURE(toString(p.x));
    CAPTURE(toString(p.w));
    CAPTURE(p.geometry.stride[0]);
    CAPTURE(p.geometry.dilation[0]);
    CAPTURE(p.geometry.groups);
    const Results direct = results(p, ConvAlgorithm::Direct), reference = results(p, ConvAlgorithm::Reference);
    CHECK(direct.y == reference.y);
    CHECK(direct.dx == reference.dx);
    CHECK(direct.dw == reference.dw);
    ++cases;
  };
  const std::vector<std::vector<i64>> channels{{1, 5, 1}, {3, 8, 1}, {5, 7, 1},   {16, 32, 1},
                                               {4, 6, 2}, {6, 6, 6}, {32, 32, 2}, {16, 16, 16}};
  for (const auto& c : channels) {
    for (const i64 stride : {1, 2, 3}) {
      for (const i64 dilation : {1, 2}) {
        check(problem(2, c[0], c[1], {13}, {3}, stride, 1, 1, dilation, c[2]));
        check(problem(2, c[0], c[1], {9, 10}, {3, 3}, stride, 1, 1, dilation, c[2]));
        check(problem(2, c[0], c[1], {8, 9}, {3, 2}, stride, 2, 0, dilation, c[2]));  // asymmetric padding
        check(problem(1, c[0], c[1], {5, 6, 7}, {2, 3, 3}, stride, 1, 1, dilation, c[2]));
      }
      check(problem(3, c[0], c[1], {6, 7}, {1, 1}, stride, 0, 0, 1, c[2]));
      check(problem(2, c[0], c[1], {17, 15}, {11, 11}, stride, 2, 2, 1, c[2]));
      check(problem(2, c[0], c[1], {200}, {64}, stride, 0, 3, 1, c[2]));
    }
  }
  check(problem(1, 3, 8, {8, 8}, {3, 3}, 1, 7, 7, 1, 1));  // padding larger than the kernel
  CHECK(cases == 8 * (24 + 9) + 1);
}

TEST_CASE("Winograd stays within 2e-6 relative rms of f64") {
  // F(4x4, 3x3) in f32 measures 4e-7 to 1e-6 on these sizes; an error of indexing would be of order 1.
  for (const auto& [n, c, k, size, pad] : std::vector<std::array<i64, 5>>{
           {2, 32, 32, 12, 1}, {3, 64, 32, 7, 1}, {2, 16, 64, 14, 1}, {1, 40, 48, 13, 0}, {2, 128, 128, 9, 1}}) {
    const Problem p = problem(n, c, k, {size, size + 1}, {3, 3}, 1, pad, pad, 1, 1);
    CAPTURE(toString(p.x));
    const NDArray x = normals(p.x, 1), w = normals(p.w, 2).contiguous(), dy = normals(p.y(), 3);
    const NDArray x32 = x.to(DType::F32), w32 = w.to(DType::F32), dy32 = dy.to(DType::F32);
    const NDArray none;
    const UseAlgorithm use(ConvAlgorithm::Winograd);
    CHECK(relativeRms(conv(x32, w32, none, p.geometry), conv(x, w, none, p.geometry)) < 2e-6);
    CHECK(relativeRms(convBackwardData(dy32, w32, p.x, p.geometry), convBackwardData(dy, w, p.x, p.geometry)) < 2e-6);
    CHECK(relativeRms(convBackwardWeights(dy32, x32, p.w, p.geometry), convBackwardWeights(dy, x, p.w, p.geometry)) <
          2e-6);
  }
}

TEST_CASE("Winograd of a large batch equals the direct kernels") {
  const Problem p = problem(41, 16, 64, {32, 32}, {3, 3}, 1, 1, 1, 1, 1);  // 2624 tiles
  const auto cheap = [](const Shape& shape, u64 step) {
    return made(shape, DType::F32, MemoryOrder::ChannelsLast,
                [&](u64 i) { return static_cast<double>(i * step % 1009) / 504.5 - 1; });
  };
  const NDArray x = cheap(p.x, 389), w = normals(p.w, 2, DType::F32).contiguous(), dy = cheap(p.y(), 577);
  const NDArray bias = normals({64}, 4, DType::F32);
  setConvAlgorithm(ConvAlgorithm::Direct);
  const NDArray y = conv(x, w, bias, p.geometry), dx = convBackwardData(dy, w, p.x, p.geometry);
  const NDArray dw = convBackwardWeights(dy, x, p.w, p.geometry);
  setConvAlgorithm(ConvAlgorithm::Auto);
  // 2e-6 for Winograd, plus the rounding of 42,000-term sums in f32 on both sides for dw.
  CHECK(relativeRms(conv(x, w, bias, p.geometry), y) < 2e-6);
  CHECK(relativeRms(convBackwardData(dy, w, p.x, p.geometry), dx) < 2e-6);
  CHECK(relativeRms(convBackwardWeights(dy, x, p.w, p.geometry), dw) < 1e-5);
}

TEST_CASE("backward data and backward weights are the adjoints of the convolution") {
  for (const DType dtype : {DType::F64, DType::F32}) {
    const double tolerance = dtype == DType::F64 ? 1e-12 : 1e-4;  // sums of up to 10^4 terms with cancellation
    for (const Problem& p :
         {problem(2, 6, 4, {11}, {3}, 2, 1, 0, 2, 2), problem(2, 3, 5, {9, 8}, {3, 3}, 2, 1, 2, 1, 1),
          problem(2, 4, 4, {5, 6, 4}, {3, 2, 2}, 1, 1, 1, 1, 4), problem(2, 32, 32, {9, 9}, {3, 3}, 1, 1, 1, 1, 1)}) {
      const NDArray x = normals(p.x, 1, dtype), w = normals(p.w, 2, dtype), dy = normals(p.y(), 3, dtype);
      const double forward = dot(conv(x, w, {}, p.geometry), dy);
      CHECK(dot(x, convBackwardData(dy, w, p.x, p.geometry)) == doctest::Approx(forward).epsilon(tolerance));
      CHECK(dot(w, convBackwardWeights(dy, x, p.w, p.geometry)) == doctest::Approx(forward).epsilon(tolerance));
    }
  }
}

TEST_CASE("the bias gradient sums everything but channels") {
  for (const DType dtype : {DType::F32, DType::F64}) {
    for (const Shape& shape : {Shape{3, 5, 7}, Shape{64, 33, 11, 3}, Shape{0, 4, 2, 2}, Shape{2, 3, 4, 2, 2}}) {
      const NDArray dy = integers(shape, 1, dtype);
      std::vector<double> sums(static_cast<std::size_t>(shape[1]));
      const auto values = dy.toVector<double>();
      const auto inner = static_cast<std::size_t>(shape[0] == 0 ? 1 : numel(shape) / shape[0] / shape[1]);
      for (std::size_t i = 0; i < values.size(); ++i) sums[i / inner % sums.size()] += values[i];
      CHECK(convBackwardBias(dy).toVector<double>() == sums);
      CHECK(convBackwardBias(dy.contiguous()).toVector<double>() == sums);
    }
  }
}

TEST_CASE("memory order and strides of the operands don't change a bit of the result, which is channels last") {
  const Problem p = problem(2, 6, 8, {8, 9}, {3, 3}, 1, 1, 1, 1, 1);
  for (const DType dtype : {DType::F32, DType::F64}) {
    const NDArray x = normals(p.x, 1, dtype), w = normals(p.w, 2, dtype).contiguous(), bias = normals({8}, 3, dtype);
    const NDArray dy = normals(p.y(), 4, dtype);
    const NDArray y = conv(x, w, bias, p.geometry);
    CHECK(y.isDense(MemoryOrder::ChannelsLast));
    const NDArray strided = normals({2, 6, 8, 18}, 5, dtype).slice(3, 0, 18, 2);
    const NDArray swapped = w.transpose(0, 1).copy().contiguous().transpose(0, 1);
    CHECK_FALSE(swapped.isDense());
    CHECK(conv(x.contiguous(), swapped, bias, p.geometry).toVector<double>() == y.toVector<double>());
    CHECK(conv(strided, w, bias, p.geometry).toVector<double>() ==
          conv(strided.contiguous(), w, bias, p.geometry).toVector<double>());
    CHECK(convBackwardData(dy.contiguous(), swapped, p.x, p.geometry).toVector<double>() ==
          convBackwardData(dy, w, p.x, p.geometry).toVector<double>());
    const NDArray dw = convBackwardWeights(dy, x, p.w, p.geometry);
    CHECK(dw.isDense(MemoryOrder::RowMajor));
    CHECK(convBackwardWeights(dy.contiguous(), x.contiguous(), p.w, p.geometry).toVector<double>() ==
          dw.toVector<double>());
  }
}

TEST_CASE("an empty batch gives an empty result and zero gradients") {
  const Problem p = problem(0, 3, 8, {6, 6}, {3, 3}, 1, 1, 1, 1, 1);
  for (const DType dtype : {DType::F32, DType::F64}) {
    const NDArray x = NDArray::empty(p.x, dtype), w = NDArray::full(p.w, 1, dtype), dy = NDArray::empty(p.y(), dtype);
    CHECK(toString(conv(x, w, {}, p.geometry).shape()) == "[0, 8, 6, 6]");
    CHECK(toString(convBackwardData(dy, w, p.x, p.geometry).shape()) == "[0, 3, 6, 6]");
    CHECK(convBackwardWeights(dy, x, p.w, p.geometry).toVector<double>() == std::vector<double>(216, 0.0));
    CHECK(convBackwardBias(dy).toVector<double>() == std::vector<double>(8, 0.0));
  }
}

TEST_CASE("packed weights follow a write to the weights") {
  const Problem p = problem(2, 16, 16, {6, 6}, {3, 3}, 1, 1, 1, 1, 1);
  const NDArray x = integers(p.x, 1), w = NDArray::full(p.w, 1), dy = integers(p.y(), 2);
  const auto once = conv(x, w, {}, p.geometry).toVector<double>();
  const auto back = convBackwardData(dy, w, p.x, p.geometry).toVector<double>();
  for (i64 i = 0; i < w.numel(); ++i) w.data<float>()[i] = 2;
  w.storage()->written("test");
  const auto twice = conv(x, w, {}, p.geometry).toVector<double>();
  const auto backTwice = convBackwardData(dy, w, p.x, p.geometry).toVector<double>();
  for (std::size_t i = 0; i < once.size(); ++i) REQUIRE(twice[i] == 2 * once[i]);
  for (std::size_t i = 0; i < back.size(); ++i) REQUIRE(backTwice[i] == 2 * back[i]);
}

TEST_CASE("weights that share a storage don't share packed weights") {
  const NDArray both = integers({2, 16, 16, 3, 3}, 1, DType::F32, MemoryOrder::RowMajor),
                x = integers({1, 16, 5, 5}, 2);
  for (const i64 half : {0, 1}) {
    const NDArray w = both.select(0, half);
    CHECK(conv(x, w, {}, padded(2, 1)).toVector<float>() == conv(x, w.copy(), {}, padded(2, 1)).toVector<float>());
  }
}

TEST_CASE("data that is aligned to its elements only is read and gives the same bits") {
  const Problem p = problem(1, 16, 16, {9, 8}, {3, 3}, 1, 1, 1, 1, 1);
  const NDArray shifted =
      integers({1, 16 * 9 * 8 + 1}, 1).slice(1, 1, 16 * 9 * 8 + 1).reshape({1, 9, 8, 16}).permute({0, 3, 1, 2});
  CHECK(shifted.isDense(MemoryOrder::ChannelsLast));
  CHECK(reinterpret_cast<std::uintptr_t>(shifted.raw()) % 64 != 0);
  const NDArray w = integers(p.w, 2, DType::F32, MemoryOrder::RowMajor);
  CHECK(conv(shifted, w, {}, p.geometry).toVector<float>() ==
        conv(shifted.copy(), w, {}, p.geometry).toVector<float>());
}

TEST_CASE("repeated convolutions take no new memory") {
  const Problem p = problem(8, 32, 32, {16, 16}, {3, 3}, 1, 1, 1, 1, 1);  // Winograd, which takes scratch
  const NDArray x = integers(p.x, 1), w = integers(p.w, 2, DType::F32, MemoryOrder::RowMajor), dy = integers(p.y(), 3);
  const auto step = [&] {
    conv(x, w, {}, p.geometry);
    convBackwardData(dy, w, p.x, p.geometry);
    convBackwardWeights(dy, x, p.w, p.geometry);
  };
  checkSteadyMemory(step);
}

TEST_CASE("no convolution of ordinary shape runs on oneDNN's reference kernels") {
  onednn::clearCache();
  for (const Problem& p :
       {problem(2, 1, 32, {28, 28}, {5, 5}, 1, 2, 2, 1, 1), problem(2, 3, 16, {32, 32}, {3, 3}, 1, 1, 1, 1, 1),
        problem(2, 32, 64, {28, 28}, {3, 3}, 1, 1, 1, 1, 1), problem(2, 128, 128, {7, 7}, {3, 3}, 1, 1, 1, 1, 1),
        problem(2, 16, 32, {32, 32}, {3, 3}, 2, 1, 1, 1, 1), problem(2, 16, 32, {32, 32}, {1, 1}, 2, 0, 0, 1, 1),
        problem(2, 12, 64, {500}, {7}, 1, 3, 3, 1, 1), problem(2, 64, 64, {250}, {7}, 2, 0, 0, 1, 1),
        problem(2, 4, 16, {16, 24, 24}, {3, 3, 3}, 1, 1, 1, 1, 1),
        problem(2, 16, 32, {8, 12, 12}, {3, 3, 3}, 2, 1, 1, 1, 1), problem(2, 32, 32, {14, 14}, {3, 3}, 1, 1, 1, 1, 32),
        problem(2, 32, 32, {14, 14}, {3, 3}, 1, 2, 2, 2, 2)}) {
    results(p, ConvAlgorithm::Auto);
  }
  bool avx512 = false;
  const auto names = onednn::usedImplementations();
  CHECK(names.size() >= 36);
  for (const std::string& name : names) avx512 = avx512 || name.find("avx512_core") != std::string::npos;
  for (const std::string& name : names) {
    CAPTURE(name);
    CHECK(name.find("ref") == std::string::npos);
    // Before AVX-512 oneDNN takes gemm for a few of these, which is sound there.
    if (avx512 && name.find("convolution") == 0) CHECK(name.find("gemm") == std::string::npos);
  }
}

TEST_CASE("wrong shapes and options are refused, with numbers") {
  const auto shape = [](const Shape& x, const Shape& w, const ConvGeometry& g) {
    return headlineOf([&] { convShape(x, w, g, "conv2d"); });
  };
  ConvGeometry g;
  CHECK(shape({1, 3, 8, 8}, {4, 5, 3, 3}, g) == "[conv2d] ShapeError: input has 3 channels, filters expect 5");
  CHECK(shape({1, 3, 8}, {4, 3, 3, 3}, g) == "[conv2d] ShapeError: input has rank 3, expected [N, C, H, W]");
  CHECK(shape({1, 3, 8, 8}, {4, 3, 3}, g) == "[conv2d] ShapeError: filters have rank 3, expected 4");
  CHECK(shape({1, 3, 2, 8}, {4, 3, 3, 3}, g) == "[conv2d] ShapeError: kernel 3x3 is larger than the padded input 2x8");
  CHECK(shape({1, 3, 8, 8}, {4, 3, 0, 3}, g) == "[conv2d] ShapeError: kernel size is 0, must be at least 1");
  g.dilation = {4, 4, 1};
  CHECK(shape({1, 3, 8, 8}, {4, 3, 3, 3}, g) == "[conv2d] ShapeError: kernel 9x9 is larger than the padded input 8x8");
  g = {};
  g.groups = 2;
  CHECK(shape({1, 3, 8, 8}, {4, 3, 3, 3}, g) == "[conv2d] ValueError: groups = 2 does not divide the 3 input channels");
  CHECK(shape({1, 4, 8, 8}, {5, 2, 3, 3}, g) == "[conv2d] ValueError: groups = 2 does not divide the 5 filters");
  CHECK(shape({1, 4, 8, 8}, {4, 4, 3, 3}, g) == "[conv2d] ShapeError: input has 4 channels, filters expect 8");
  g.groups = 0;
  CHECK(shape({1, 4, 8, 8}, {4, 4, 3, 3}, g) == "[conv2d] ValueError: groups is 0, must be at least 1");
  g = {};
  g.stride[1] = 0;
  CHECK(shape({1, 3, 8, 8}, {4, 3, 3, 3}, g) == "[conv2d] ValueError: stride is 0, must be at least 1");
  g = {};
  g.dilation[0] = 0;
  CHECK(shape({1, 3, 8, 8}, {4, 3, 3, 3}, g) == "[conv2d] ValueError: dilation is 0, must be at least 1");
  g = {};
  g.padBefore[0] = -1;
  CHECK(shape({1, 3, 8, 8}, {4, 3, 3, 3}, g) == "[conv2d] ValueError: padding is -1, must be at least 0");

  const NDArray x = NDArray::zeros({1, 3, 8, 8}), w = NDArray::zeros({4, 3, 3, 3});
  CHECK(headlineOf([&] { conv(x, w.to(DType::F64), {}, {}); }) == "[conv2d] DtypeError: x is f32, w is f64");
  CHECK(headlineOf([&] { conv(x.to(DType::I32), w.to(DType::I32), {}, {}); }) ==
        "[conv2d] DtypeError: cannot compute in i32");
  CHECK(headlineOf([&] { conv(x, w, NDArray::zeros({5}), {}); }) ==
        "[conv2d] ShapeError: bias has shape [5], expected [4]");
  CHECK(headlineOf([&] {
          convBackwardData(NDArray::zeros({1, 4, 5, 6}), w, {1, 3, 8, 8}, {});
        }) == "[conv2d] ShapeError: gradient has shape [1, 4, 5, 6], the output has [1, 4, 6, 6]");
  try {
    convShape({64, 3, 28, 28}, {32, 1, 5, 5}, {}, "conv2d");
  } catch (const Error& error) {
    CHECK(std::string(error.what()).find("filters  w [32, 1, 5, 5]") != std::string::npos);
  }
}
