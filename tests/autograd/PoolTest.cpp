#include <ember/autograd/ops/Pool.h>

#include <doctest/doctest.h>
#include <ember/autograd/GradCheck.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/autograd/ops/Shape.h>

#include "support/Draw.h"
#include "support/Golden.h"
#include "support/Headline.h"

// Values and gradients against PyTorch and differences: GoldenTest and OpTableTest, for every option. Kernels:
// tests/core.

using namespace ember;
using namespace ember::test;

TEST_CASE("the stride of a pool is its kernel unless given") {
  const Tensor x = distinct("x", {1, 2, 6, 6});
  CHECK(sameBits(maxPool2d(x, {.kernel = 3}), maxPool2d(x, {.kernel = {3, 3}, .stride = 3})));
  CHECK(sameBits(avgPool2d(x), avgPool2d(x, {.kernel = 2, .stride = {2, 2}})));
  CHECK((maxPool2d(x, {.kernel = 3, .stride = 1}).shape() == Shape{1, 2, 4, 4}));
}

TEST_CASE("1-D and 3-D pools are 2-D pools of trivial axes") {
  const Tensor x = distinct("x", {2, 3, 8});
  const PoolOptions line{.kernel = 3, .stride = 2, .padding = 1},
      flat{.kernel = {1, 3}, .stride = {1, 2}, .padding = {0, 1}};
  CHECK(sameBits(maxPool1d(x, line), squeeze(maxPool2d(unsqueeze(x, 2), flat), 2)));
  CHECK_CLOSE(avgPool1d(x, line), squeeze(avgPool2d(unsqueeze(x, 2), flat), 2), toleranceF64, "1-D");
  const Tensor v = distinct("v", {1, 2, 1, 4, 6});
  CHECK(sameBits(maxPool3d(v, {.kernel = {1, 2, 3}}), unsqueeze(maxPool2d(squeeze(v, 2), {.kernel = {2, 3}}), 2)));
}

TEST_CASE("third derivatives through a maximum pool agree with differences of second ones") {
  const auto slope = [](const Tensor& x) {
    const Tensor y = maxPool2d(x, {.kernel = 3, .stride = 2, .padding = 1});
    return gradients({sum(y * y * y)}, {x}, {.createGraph = true})[0];
  };
  CHECK(gradgradcheck(slope, distinct("x", {1, 1, 4, 4})) <= 1);
}

TEST_CASE("overlapping windows add their gradients at a common winner") {
  const Tensor x = Tensor::of<double>({1, 2, 9, 4, 5}, {1, 1, 5}).setRequiresGrad();
  maxPool1d(x, {.kernel = 3, .stride = 1}).backward({.gradient = Tensor::of<double>({1, 10, 100}, {1, 1, 3})});
  CHECK(x.grad().toVector<double>() == std::vector<double>{0, 0, 111, 0, 0});
}

TEST_CASE("global average pooling keeps [N, C], or all axes on request") {
  const Tensor x = Tensor::of<double>({1, 2, 3, 6, 0, 4, 4, 8}, {1, 2, 2, 2});
  CHECK((globalAvgPool(x).shape() == Shape{1, 2}));
  CHECK((globalAvgPool(x, true).shape() == Shape{1, 2, 1, 1}));
  CHECK(globalAvgPool(x).toVector<double>() == std::vector<double>{3, 4});
  CHECK(headlineOf<ShapeError>([&] {
          globalAvgPool(Tensor::zeros({2, 3}));
        }) == "[globalAvgPool] ShapeError: input has rank 2, expected at least 3");
}

TEST_CASE("an empty batch is pooled to an empty one") {
  const Tensor x = Tensor::zeros({0, 2, 4, 4}).setRequiresGrad();
  for (const Tensor& y : {maxPool2d(x), avgPool2d(x)}) {
    CHECK((y.shape() == Shape{0, 2, 2, 2}));
    sum(y).backward();
    CHECK((x.grad().shape() == x.shape()));
  }
}

TEST_CASE("options and ranks that do not fit are errors that name the argument") {
  const auto headline = [](const Shape& x, const PoolOptions& options) {
    return headlineOf([&] { maxPoolND(x.rank() - 2, Tensor::shapeOnly(x), options); });
  };
  CHECK(headline({1, 1, 6, 6}, {.kernel = 0}) == "[maxPool2d] ValueError: kernel size is 0, must be at least 1");
  CHECK(headline({1, 1, 6, 6}, {.kernel = 2, .stride = 0}) ==
        "[maxPool2d] ValueError: stride is 0, must be at least 1");
  CHECK(headline({1, 1, 6, 6}, {.kernel = 2, .padding = 2}) ==
        "[maxPool2d] ValueError: padding 2 is more than half of kernel size 2");
  CHECK(headline({1, 1, 6, 6}, {.kernel = 2, .padding = -1}) ==
        "[maxPool2d] ValueError: padding is -1, must be at least 0");
  CHECK(headline({1, 1, 2, 6}, {.kernel = 3}) ==
        "[maxPool2d] ShapeError: kernel 3x3 is larger than the padded input 2x6");
  CHECK(headline({1, 1, 6}, {.kernel = {2, 2}}) == "[maxPool1d] ValueError: kernel has 2 sizes for 1 spatial axes");
  CHECK(headlineOf<ShapeError>([] {
          avgPool2d(Tensor::zeros({2, 6, 6}));
        }) == "[avgPool2d] ShapeError: input has rank 3, expected 4");
  CHECK(headlineOf<DtypeError>([] {
          maxPool2d(Tensor::zeros({1, 1, 6, 6}, DType::I64));
        }) == "[maxPool2d] DtypeError: x is i64, expected f32 or f64");
  CHECK(headlineOf<ValueError>([] {
          avgPoolND(0, Tensor::zeros({1, 1}));
        }) == "[pool] ValueError: spatial is 0, must be 1, 2 or 3");
}
