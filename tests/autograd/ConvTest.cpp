#include <ember/autograd/ops/Conv.h>

#include <doctest/doctest.h>
#include <ember/autograd/GradCheck.h>
#include <ember/autograd/Op.h>
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

namespace {

double dot(const Tensor& a, const Tensor& b) { return sum(a * b).item(); }

}  // namespace

TEST_CASE("numbers for all axes and numbers for each are the same") {
  const Tensor x = draw("x", {1, 2, 7, 7}), w = draw("w", {2, 2, 3, 3});
  const Tensor one = conv2d(x, w, {}, {.stride = 2, .padding = 1, .dilation = 2});
  CHECK(sameBits(one, conv2d(x, w, {}, {.stride = {2, 2}, .padding = {1, 1}, .dilation = {2, 2}})));
  CHECK(sameBits(one, convND(2, x, w, {}, {.stride = 2, .padding = {1, 1}, .dilation = 2})));
}

TEST_CASE("a 1-D convolution is a 2-D one of height 1, which is a 3-D one of depth 1") {
  const Tensor x = draw("x", {2, 4, 9}), w = draw("w", {6, 2, 3}), b = draw("b", {6});
  const Tensor y = conv1d(x, w, b, {.stride = 2, .padding = 1, .groups = 2});
  const Tensor flat = conv2d(unsqueeze(x, 2), unsqueeze(w, 2), b, {.stride = {1, 2}, .padding = {0, 1}, .groups = 2});
  CHECK_CLOSE(squeeze(flat, 2), y, toleranceF64, "2-D");
  const Tensor deep = conv3d(unsqueeze(unsqueeze(x, 2), 2), unsqueeze(unsqueeze(w, 2), 2), b,
                             {.stride = {1, 1, 2}, .padding = {0, 0, 1}, .groups = 2});
  CHECK_CLOSE(squeeze(squeeze(deep, 2), 2), y, toleranceF64, "3-D");
}

TEST_CASE("convBackwardData and convBackwardWeights are the adjoints of the convolution") {
  for (const i64 groups : {1, 2}) {
    const Tensor x = draw("x", {2, 4, 6, 7}), w = draw("w", {2, 4 / groups, 3, 2});
    const ConvOptions options{.stride = {2, 1}, .padding = {1, 2}, .dilation = {1, 2}, .groups = groups};
    const auto g = autograd::convGeometry(2, options, x.shape(), w.shape(), "test");
    const Tensor y = autograd::conv(x, w, {}, g), dy = draw("dy", y.shape());
    const double expected = dot(y, dy);
    CHECK(dot(x, autograd::convBackwardData(dy, w, x.shape(), g)) == doctest::Approx(expected).epsilon(1e-12));
    CHECK(dot(w, autograd::convBackwardWeights(dy, x, w.shape(), g)) == doctest::Approx(expected).epsilon(1e-12));
  }
}

TEST_CASE("third derivatives of a convolution agree with differences of second ones") {
  // f = sum(conv(x, w)^3): its gradient in x, differentiated twice more.
  const auto slope = [](const Tensors& in) {
    const Tensor y = conv2d(in[0], in[1], {}, {.stride = 2, .padding = 1});
    return gradients({sum(y * y * y)}, {in[0]}, {.createGraph = true})[0];
  };
  CHECK(gradgradcheck(slope, {draw("x", {1, 1, 3, 3}, -1, 1), draw("w", {1, 1, 3, 3}, -1, 1)}) <= 1);
}

TEST_CASE("a gradient that nobody wants is not computed") {
  const Tensor x = draw("x", {1, 1, 4, 4}), w = draw("w", {1, 1, 3, 3}).setRequiresGrad();
  const Tensor y = conv2d(x, w);
  autograd::Node& node = *y.impl()->node;
  const Tensors g{Tensor::ones(y.shape(), DType::F64)};
  const Tensors results = node.backward(autograd::BackwardContext(node, g));
  REQUIRE(results.size() == 3);
  CHECK_FALSE(results[0].defined());
  CHECK(results[1].defined());
  CHECK_FALSE(results[2].defined());
}

TEST_CASE("only what a gradient needs is kept: frozen filters do not hold the input") {
  const Tensor x = draw("x", {1, 1, 4, 4}).setRequiresGrad(), w = draw("w", {1, 1, 3, 3});
  Tensor input = x * 2;
  const std::weak_ptr<core::Storage> memory = input.array().storage();
  const Tensor y = conv2d(input, w);
  input = {};
  CHECK(memory.expired());
  sum(y).backward();
  CHECK(x.grad().defined());
}

TEST_CASE("filters that were overwritten between forward and backward are an error that names the writer") {
  const Tensor x = draw("x", {1, 1, 4, 4}).setRequiresGrad();
  Tensor w = draw("w", {1, 1, 3, 3});
  const Tensor y = sum(conv2d(x, w));
  w.fill_(1);
  CHECK(headlineOf<StateError>([&] { y.backward(); }) ==
        "[conv2d] StateError: an operand that its gradient needs was overwritten by fill_");
}

TEST_CASE("an empty batch has an empty result and gradients of zero (T14)") {
  const Tensor x = Tensor::zeros({0, 2, 5, 5}).setRequiresGrad(), w = Tensor::ones({3, 2, 3, 3}).setRequiresGrad(),
               b = Tensor::ones({3}).setRequiresGrad();
  const Tensor y = conv2d(x, w, b);
  CHECK((y.shape() == Shape{0, 3, 3, 3}));
  sum(y).backward();
  CHECK((x.grad().shape() == x.shape()));
  CHECK(amax(w.grad()).item() == 0);
  CHECK(amin(w.grad()).item() == 0);
  CHECK(b.grad().toVector<double>() == std::vector<double>{0, 0, 0});
}

TEST_CASE("shape-only runs check shapes and count multiply-adds") {
  i64& count = autograd::multiplyAdds();
  count = 0;
  const Tensor y = conv2d(Tensor::shapeOnly({2, 4, 8, 8}), Tensor::zeros({6, 2, 3, 3}), Tensor::zeros({6}),
                          {.stride = 2, .padding = 1, .groups = 2});
  CHECK((y.shape() == Shape{2, 6, 4, 4}));
  CHECK(y.isShapeOnly());
  CHECK(count == 2 * 6 * 4 * 4 * 2 * 3 * 3);
  conv1d(Tensor::zeros({1, 1, 4}), Tensor::zeros({1, 1, 2}));  // real data do not count
  CHECK(count == 2 * 6 * 4 * 4 * 2 * 3 * 3);
  CHECK_THROWS_AS(conv2d(Tensor::shapeOnly({2, 3, 8, 8}), Tensor::zeros({6, 2, 3, 3})), ShapeError);
}

TEST_CASE("what does not fit is an error with numbers") {
  const auto headline = [](const Shape& x, const Shape& w, const ConvOptions& options = {}) {
    return headlineOf([&] { convND(w.rank() - 2, Tensor::zeros(x), Tensor::zeros(w), {}, options); });
  };
  CHECK(headline({1, 3, 8, 8}, {4, 5, 3, 3}) == "[conv2d] ShapeError: input has 3 channels, filters expect 5");
  CHECK(headline({1, 3, 8, 8}, {4, 3, 3, 3}, {.groups = 2}) ==
        "[conv2d] ValueError: groups = 2 does not divide the 3 input channels");
  CHECK(headline({1, 4, 8, 8}, {3, 2, 3, 3}, {.groups = 2}) ==
        "[conv2d] ValueError: groups = 2 does not divide the 3 filters");
  CHECK(headline({1, 3, 8, 8}, {4, 3, 3, 3}, {.groups = 0}) == "[conv2d] ValueError: groups is 0, must be at least 1");
  CHECK(headline({1, 3, 2, 8}, {4, 3, 3, 3}) == "[conv2d] ShapeError: kernel 3x3 is larger than the padded input 2x8");
  CHECK(headline({1, 3, 8}, {4, 3, 3}, {.stride = 0}) == "[conv1d] ValueError: stride is 0, must be at least 1");
  CHECK(headline({1, 3, 8}, {4, 3, 3}, {.padding = -1}) == "[conv1d] ValueError: padding is -1, must be at least 0");
  CHECK(headline({1, 3, 8}, {4, 3, 3}, {.dilation = 0}) == "[conv1d] ValueError: dilation is 0, must be at least 1");
  CHECK(headline({3, 8, 8}, {4, 3, 3, 3}) == "[conv2d] ShapeError: input has rank 3, expected [N, C, H, W]");
  CHECK(headline({1, 3, 8, 8}, {4, 3, 3, 3, 3}) == "[conv3d] ShapeError: input has rank 4, expected [N, C, D, H, W]");
  CHECK(headline({1, 3, 8, 8}, {4, 3, 3, 3}, {.stride = {1, 2, 3}}) ==
        "[conv2d] ValueError: stride has 3 sizes for 2 spatial axes");
  CHECK(headline({1, 3, 8, 8}, {4, 3, 0, 3}) == "[conv2d] ShapeError: kernel size is 0, must be at least 1");
}

TEST_CASE("types and biases that do not fit are errors, with and without data") {
  const Tensor x = Tensor::zeros({1, 1, 4, 4}), w = Tensor::zeros({2, 1, 3, 3});
  CHECK(headlineOf<DtypeError>([&] { conv2d(x, w.to(DType::F64)); }) == "[conv2d] DtypeError: x is f32 and w is f64");
  CHECK(headlineOf<DtypeError>([&] { conv2d(x, w, Tensor::zeros({2}, DType::F64)); }) ==
        "[conv2d] DtypeError: x is f32 and b is f64");
  CHECK(headlineOf<DtypeError>([&] { conv2d(x.to(DType::I32), w.to(DType::I32)); }) ==
        "[conv2d] DtypeError: x is i32, expected f32 or f64");
  CHECK(headlineOf<ShapeError>([&] {
          conv2d(Tensor::shapeOnly({1, 1, 4, 4}), w, Tensor::zeros({3}));
        }) == "[conv2d] ShapeError: bias is [3], 2 filters need [2]");
  CHECK(headlineOf<StateError>([&] { conv2d(x, Tensor()); }) ==
        "[conv2d] StateError: operand 1 is an undefined tensor");
  CHECK(headlineOf<ValueError>([&] { convND(4, x, w); }) == "[convND] ValueError: spatial is 4, must be 1, 2 or 3");
}
