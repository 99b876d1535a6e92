// Interpolation, shuffles of pixels, pools into bins, unpooling and the newer options of pools and padding: what values
// and gradients (GoldenResizeTest, OpTableTest) and properties (ConvPropertiesTest) do not say.
#include <limits>

#include <doctest/doctest.h>
#include <ember/autograd/ops/Ops.h>

#include "support/Draw.h"
#include "support/Golden.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

TEST_CASE("NaN wins a bin, and the first of equal values takes the gradient") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Tensor x = Tensor::of<double>({1, nan, 3, 3, 2}, {1, 1, 5}).setRequiresGrad();
  const PoolWithIndices both = adaptiveMaxPoolNDWithIndices(1, x, 2);  // bins [0, 3) and [2, 5)
  CHECK(both.indices.toVector<i64>() == std::vector<i64>{1, 2});
  sum(slice(both.y, 2, 1, 2)).backward();
  CHECK(x.grad().toVector<double>() == std::vector<double>{0, 0, 1, 0, 0});
  CHECK_FALSE(both.indices.requiresGrad());
}

TEST_CASE("of two elements for one place the last stays, and alone takes a gradient") {
  const Tensor x = Tensor::of<double>({5, 7, 9}, {1, 1, 3}).setRequiresGrad();
  const Tensor y = maxUnpool1d(x, Tensor::of<i64>({2, 0, 2}, {1, 1, 3}), 4);
  CHECK(y.toVector<double>() == std::vector<double>{7, 0, 9, 0});
  sum(y).backward();
  CHECK(x.grad().toVector<double>() == std::vector<double>{0, 1, 1});
}

TEST_CASE("indices, sizes and scales out of range are errors that say so") {
  const Tensor x = Tensor::zeros({1, 1, 2, 2});
  const auto unpool = [&](std::vector<i64> index, const Sizes& size) {
    return headlineOf([&] { maxUnpool2d(x, Tensor::of<i64>(index, {1, 1, 2, 2}), size); });
  };
  CHECK(unpool({0, 1, 2, 9}, 3) == "[maxUnpool2d] ValueError: index 9 is outside a plane of 9");
  CHECK(unpool({0, 1, -1, 2}, 3) == "[maxUnpool2d] ValueError: index -1 is outside a plane of 9");
  CHECK(unpool({0, 1, 2, 3}, 0) == "[maxUnpool2d] ValueError: size is 0");
  CHECK(headlineOf([&] { maxUnpool2d(x, x, 3); }) == "[maxUnpool2d] DtypeError: indices are f32, expected i64");
  CHECK(headlineOf([&] {
          maxUnpool2d(x, Tensor::zeros({1, 1, 4}, DType::I64), 3);
        }) == "[maxUnpool2d] ShapeError: indices are [1, 1, 4], the input [1, 1, 2, 2]");
  CHECK(headlineOf([&] { maxUnpool1d(x, x, 3); }) == "[maxUnpool1d] ShapeError: input has rank 4, expected 3");

  CHECK(headlineOf([&] { adaptiveAvgPool2d(x, 0); }) == "[adaptiveAvgPool2d] ValueError: size is 0");
  CHECK(headlineOf([&] { adaptiveMaxPool1d(x, 1); }) == "[adaptiveMaxPool1d] ShapeError: input has rank 4, expected 3");
  CHECK(headlineOf([&] {
          adaptiveMaxPool2d(Tensor::zeros({1, 1, 0, 2}), 1);
        }) == "[adaptiveMaxPool2d] ShapeError: input [1, 1, 0, 2] has an empty axis");
  CHECK(headlineOf([&] {
          globalMaxPool(Tensor::zeros({2, 3}));
        }) == "[globalMaxPool] ShapeError: input has rank 2, expected 3 to 5");
  CHECK(headlineOf([&] {
          globalMaxPool(Tensor::zeros({2, 3, 0}));
        }) == "[globalMaxPool] ShapeError: input [2, 3, 0] has nothing to take the maximum of");

  const auto resize = [&](const InterpolateOptions& options) { return headlineOf([&] { interpolate(x, options); }); };
  CHECK(resize({}) == "[interpolate] ValueError: neither size nor scale is given");
  CHECK(resize({.size = 2, .scale = {2}}) == "[interpolate] ValueError: size and scale are given");
  CHECK(resize({.size = {2, 0}}) == "[interpolate] ValueError: size is 0");
  CHECK(resize({.scale = {1, 2, 3}}) == "[interpolate] ValueError: scale has 3 numbers for 2 spatial axes");
  CHECK(resize({.scale = {-1}}) == "[interpolate] ValueError: scale is -1.000000");
  CHECK(resize({.scale = {0.4}}) ==
        "[interpolate] ShapeError: scale 0.400000 makes nothing of axis 2, which has 2 elements");
  CHECK(resize({.scale = {1e300}}).starts_with("[interpolate] ShapeError: scale "));
  CHECK(
      resize({.scale = {std::numeric_limits<double>::quiet_NaN()}}).starts_with("[interpolate] ValueError: scale is "));
  CHECK(resize({.size = i64{1} << 40}).starts_with("[shape] ShapeError: "));
  CHECK(resize({.size = 2, .alignCorners = true}) == "[interpolate] ValueError: alignCorners says nothing for nearest");
  CHECK(headlineOf([] {
          interpolate(Tensor::zeros({2, 2}), {.size = 2});
        }) == "[interpolate] ShapeError: input has rank 2, expected 3 to 5");
  CHECK(headlineOf([] { interpolation("area"); }) == "[interpolate] ValueError: no interpolation is called \"area\"");
  CHECK(headlineOf([&] { pixelShuffle(x, 2); }) ==
        "[pixelShuffle] ShapeError: number of channels 1 is no multiple of 4");
  CHECK(headlineOf([&] { pixelUnshuffle(x, 3); }) == "[pixelUnshuffle] ShapeError: height 2 is no multiple of 3");
  CHECK(headlineOf([&] { pixelShuffle(x, 0); }) == "[pixelShuffle] ValueError: factor is 0");
  CHECK(headlineOf([&] { pixelShuffle(x, i64{1} << 40); }).starts_with("[size] ShapeError: "));
}

TEST_CASE("options that a pool has not are refused") {
  const Tensor x = Tensor::zeros({1, 1, 6, 6});
  const auto mean = [&](const PoolOptions& options) { return headlineOf([&] { avgPool2d(x, options); }); };
  CHECK(mean({.dilation = 2}) == "[avgPool2d] ValueError: dilation is 2, but a mean has none");
  CHECK(mean({.divisorOverride = -2}) == "[avgPool2d] ValueError: divisorOverride is -2");
  CHECK(headlineOf([&] { maxPool2d(x, {.divisorOverride = 3}); }) ==
        "[maxPool2d] ValueError: divisorOverride is 3, but a maximum has none");
  CHECK(headlineOf([&] { lpPool2d(x, 0); }) == "[lpPool2d] ValueError: p is 0.000000");
  CHECK(headlineOf([&] { lpPool2d(x, 2, {.divisorOverride = 3}); }) ==
        "[lpPool2d] ValueError: divisorOverride is set, but a sum has none");
  CHECK(headlineOf([&] { maxPool2d(x, {.kernel = 3, .padding = Padding::sides(0, 2)}); }) ==
        "[maxPool2d] ValueError: padding 2 is more than half of kernel size 3");
  CHECK((maxPool2d(Tensor::shapeOnly({2, 3, 7, 8}), {.kernel = 3, .stride = 2, .padding = Padding::Same}).shape() ==
         Shape{2, 3, 4, 4}));
  const PoolWithIndices shapes = maxPool2dWithIndices(Tensor::shapeOnly({2, 3, 6, 6}));
  CHECK(shapes.indices.isShapeOnly());
  CHECK(shapes.indices.dtype() == DType::I64);
}

TEST_CASE("Same gives ceil(size / stride) results, and more behind than before where the number is odd") {
  for (const i64 size : {1, 2, 5, 8, 9}) {
    for (const i64 kernel : {1, 2, 3, 4, 7}) {
      for (const i64 stride : {1, 2, 3, 5}) {
        const Tensor x = draw("x", {1, 1, size}), w = draw("w", {1, 1, kernel});
        const Tensor y = conv1d(x, w, {}, {.stride = stride, .padding = Padding::Same});
        CHECK(y.size(2) == (size + stride - 1) / stride);
      }
    }
  }
  // An even kernel of one 1 in front sees the element itself: nothing was put before.
  const Tensor x = draw("x", {1, 1, 4});
  CHECK(sameBits(conv1d(x, Tensor::of<double>({1, 0}, {1, 1, 2}), {}, {.padding = Padding::Same}), x));
  CHECK(headlineOf([&] { conv1d(x, x, {}, {.stride = 0, .padding = Padding::Same}); }) ==
        "[conv1d] ValueError: stride is 0, must be at least 1");
  CHECK(headlineOf([&] { conv1d(x, x, {}, {.padding = 4, .paddingMode = PadMode::Reflect}); }) ==
        "[pad] ShapeError: reflect padding of 4 on axis 2, which has 4 elements");
}

TEST_CASE("nearest inputs are exact where rounding would move them over an edge") {
  // 49·(1/49) is below 1 in floating point.
  std::vector<double> values;
  for (int i = 0; i < 49; ++i) values.push_back(i);
  const Tensor x = Tensor::of<double>(values, {1, 1, 49});
  for (const i64 size : {7, 98, 147, 343}) {
    const auto y = interpolate(x, {.size = size}).toVector<double>();
    for (i64 p = 0; p < size; ++p) CHECK(y[static_cast<std::size_t>(p)] == static_cast<double>(p * 49 / size));
  }
}
