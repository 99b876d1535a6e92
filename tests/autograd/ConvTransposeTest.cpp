#include <ember/autograd/ops/ConvTranspose.h>

#include <doctest/doctest.h>
#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Conv.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/core/kernels/Conv.h>

#include "support/Draw.h"
#include "support/Golden.h"
#include "support/Headline.h"

// Values and gradients against PyTorch and differences: GoldenResizeTest and OpTableTest; the adjoint of the
// convolution: ConvPropertiesTest.

using namespace ember;
using namespace ember::test;

TEST_CASE("every algorithm gives the same transposed convolution, at the sizes of a generator's layers") {
  const Tensor x = draw("x", {2, 16, 6, 5}).to(DType::F32), w = draw("w", {16, 8, 3, 3}).to(DType::F32);
  const Tensor wide = draw("wide", {16, 3, 4, 4}).to(DType::F32);
  const auto both = [&] {
    return Tensors{convTranspose2d(x, w, {}, {.padding = 1}),
                   convTranspose2d(x, wide, {}, {.stride = 2, .padding = 1})};
  };
  setConvAlgorithm(ConvAlgorithm::Reference);
  const Tensors expected = both();
  for (const ConvAlgorithm algorithm : {ConvAlgorithm::Auto, ConvAlgorithm::Direct, ConvAlgorithm::Winograd}) {
    setConvAlgorithm(algorithm);
    const Tensors actual = both();
    CHECK_CLOSE(actual[0], expected[0], toleranceF32, "3x3");
    CHECK_CLOSE(actual[1], expected[1], toleranceF32, "4x4, stride 2");
  }
  setConvAlgorithm(ConvAlgorithm::Auto);
  CHECK((expected[1].shape() == Shape{2, 3, 12, 10}));
}

TEST_CASE("padding that differs before and behind gives every algorithm the same convolution") {
  const Tensor x = draw("x", {3, 16, 9, 8}).to(DType::F32), w = draw("w", {16, 16, 3, 3}).to(DType::F32);
  for (const Padding& padding :
       {Padding::sides({1, 0}, {0, 1}), Padding::sides(0, 1), Padding::sides({1, 2}, {1, 0}), Padding(Padding::Same)}) {
    std::vector<Tensors> all;
    for (const ConvAlgorithm algorithm : {ConvAlgorithm::Reference, ConvAlgorithm::Direct, ConvAlgorithm::Winograd}) {
      setConvAlgorithm(algorithm);
      Tensor leaf = x.clone().setRequiresGrad(), filters = w.clone().setRequiresGrad();
      const Tensor y = conv2d(leaf, filters, {}, {.padding = padding});
      y.backward({.gradient = draw("dy", y.shape()).to(DType::F32)});
      all.push_back({y, leaf.grad(), filters.grad()});
    }
    setConvAlgorithm(ConvAlgorithm::Auto);
    for (std::size_t i = 1; i < all.size(); ++i) {
      // Winograd's products of transformed tiles: 1e-6 of the largest of some hundred terms of size 4.
      for (std::size_t part = 0; part < 3; ++part)
        CHECK_CLOSE(all[i][part], all[0][part], (Tolerance{2e-4, 2e-3}), "part " << part << " of algorithm " << i);
    }
  }
}

TEST_CASE("an empty batch has an empty result and gradients of zero; shape-only runs count multiply-adds") {
  const Tensor x = Tensor::zeros({0, 2, 3, 3}).setRequiresGrad(), w = Tensor::ones({2, 3, 2, 2}).setRequiresGrad(),
               b = Tensor::ones({3}).setRequiresGrad();
  const Tensor y = convTranspose2d(x, w, b, {.stride = 2});
  CHECK((y.shape() == Shape{0, 3, 6, 6}));
  sum(y).backward();
  CHECK(amax(w.grad()).item() == 0);
  CHECK(b.grad().toVector<double>() == std::vector<double>{0, 0, 0});
  i64& count = autograd::multiplyAdds();
  count = 0;
  const Tensor shape = convTranspose2d(Tensor::shapeOnly({2, 4, 3, 3}), Tensor::zeros({4, 2, 2, 2}), {}, {.groups = 2});
  CHECK((shape.shape() == Shape{2, 4, 4, 4}));
  CHECK(count == 2 * 4 * 3 * 3 * 2 * 2 * 2);
}

TEST_CASE("what does not fit a transposed convolution is an error with numbers") {
  const auto headline = [](const Shape& x, const Shape& w, const ConvTransposeOptions& options = {},
                           const Tensor& b = {}) {
    return headlineOf([&] { convTransposeND(2, Tensor::shapeOnly(x), Tensor::shapeOnly(w), b, options); });
  };
  CHECK(headline({1, 3, 4, 4}, {4, 2, 3, 3}) == "[convTranspose2d] ShapeError: input has 3 channels, filters expect 4");
  CHECK(headline({1, 3, 4, 4}, {3, 2, 3, 3}, {.groups = 2}) ==
        "[convTranspose2d] ValueError: groups = 2 does not divide the 3 input channels");
  CHECK(headline({1, 3, 4}, {3, 2, 3, 3}) == "[convTranspose2d] ShapeError: input has rank 3, expected 4");
  CHECK(headline({1, 3, 4, 4}, {3, 2, 3}) == "[convTranspose2d] ShapeError: filters have rank 3, expected 4");
  CHECK(headline({1, 3, 4, 4}, {3, 2, 3, 3}, {.stride = 0}) ==
        "[convTranspose2d] ValueError: stride is 0, must be at least 1");
  CHECK(headline({1, 3, 4, 4}, {3, 2, 3, 3}, {.dilation = 0}) ==
        "[convTranspose2d] ValueError: dilation is 0, must be at least 1");
  CHECK(headline({1, 3, 4, 4}, {3, 2, 3, 3}, {.padding = -1}) ==
        "[convTranspose2d] ValueError: padding is -1, must be at least 0");
  CHECK(headline({1, 3, 4, 4}, {3, 2, 3, 3}, {.stride = 2, .outputPadding = 2}) ==
        "[convTranspose2d] ValueError: outputPadding is 2, must be below the stride 2 or the dilation 1");
  CHECK(headline({1, 3, 1, 4}, {3, 2, 3, 3}, {.padding = 2}) ==
        "[convTranspose2d] ShapeError: axis 2 of the result would have 0 elements");
  CHECK(headline({1, 3, 4, 4}, {3, 2, 3, 3}, {.groups = 0}) ==
        "[convTranspose2d] ValueError: groups is 0, must be at least 1");
  CHECK(headline({1, 3, 4, 4}, {3, 2, 0, 3}) == "[convTranspose2d] ShapeError: kernel size is 0, must be at least 1");
  CHECK(headline({1, 3, 4, 4}, {3, 2, 3, 3}, {.padding = Padding::Same}) ==
        "[convTranspose2d] ValueError: padding is Same, but several inputs of a convolution have one size");
  CHECK(headline({1, 3, 4, 4}, {3, 2, 3, 3}, {}, Tensor::zeros({3})) ==
        "[convTranspose2d] ShapeError: bias is [3], 2 filters need [2]");
  CHECK(headline({1, 3, 4, 4}, {3, 2, 3, 3}, {.stride = i64{1} << 62}).starts_with("[size] ShapeError: "));
  CHECK(headlineOf<ValueError>([] { convTransposeND(4, Tensor::zeros({1}), Tensor::zeros({1})); }) ==
        "[convTransposeND] ValueError: spatial is 4, must be 1, 2 or 3");
}
