#include <ember/autograd/ops/Ops.h>
#include <ember/autograd/ops/MatMul.h>

#include <doctest/doctest.h>
#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/autograd/ops/Shape.h>

#include "support/Draw.h"
#include "support/Golden.h"
#include "support/Headline.h"

// Values and gradients against PyTorch and differences: GoldenTest and OpTableTest. Kernels: tests/core.

using namespace ember;
using namespace ember::test;

TEST_CASE("a linear layer is a product with the transposed weights and a bias, for any number of axes before") {
  const Tensor w = draw("w", {4, 3}), b = draw("b", {4});
  for (const Shape& shape : {Shape{3}, Shape{2, 3}, Shape{2, 5, 3}, Shape{2, 1, 2, 3}}) {
    const Tensor x = draw("x", shape);
    CHECK_CLOSE(linear(x, w, b), matmul(x, transpose(w, 0, 1)) + b, toleranceF64, "with bias");
    CHECK_CLOSE(linear(x, w), matmul(x, transpose(w, 0, 1)), toleranceF64, "without bias");
  }
}

TEST_CASE("the gradient of one matrix for a whole batch is that of as many products") {
  const Tensor a = draw("a", {3, 2, 4}).setRequiresGrad(), b = draw("b", {4, 5}).setRequiresGrad();
  const Tensor dy = draw("dy", {3, 2, 5});
  matmul(a, b).backward({.gradient = dy});
  const Tensor da = a.grad(), db = b.grad();
  Tensor expected = Tensor::zeros({4, 5}, DType::F64);
  for (int i = 0; i < 3; ++i) expected = expected + matmul(transpose(a.detach().select(0, i), 0, 1), dy.select(0, i));
  CHECK_CLOSE(db, expected, toleranceF64, "b");
  CHECK_CLOSE(da, matmul(dy, transpose(b.detach(), 0, 1)), toleranceF64, "a");
}

TEST_CASE("a gradient that nobody wants is not computed, and its operand is not kept") {
  const Tensor w = draw("w", {4, 3});
  const Tensor x = draw("x", {2, 3}).setRequiresGrad();
  Tensor input = x * 2;
  const std::weak_ptr<core::Storage> memory = input.array().storage();
  const Tensor y = linear(input, w);
  input = {};
  CHECK(memory.expired());
  autograd::Node& node = *y.impl()->node;
  const Tensors g{Tensor::ones(y.shape(), DType::F64)};
  const Tensors results = node.backward(autograd::BackwardContext(node, g));
  CHECK(results[0].defined());
  CHECK_FALSE(results[1].defined());
  CHECK_FALSE(results[2].defined());
}

TEST_CASE("an empty batch has an empty result and gradients of zero (T14)") {
  const Tensor x = Tensor::zeros({0, 3}).setRequiresGrad(), w = Tensor::ones({2, 3}).setRequiresGrad(),
               b = Tensor::ones({2}).setRequiresGrad();
  const Tensor y = linear(x, w, b);
  CHECK((y.shape() == Shape{0, 2}));
  sum(y).backward();
  CHECK((x.grad().shape() == Shape{0, 3}));
  CHECK(w.grad().toVector<double>() == std::vector<double>(6, 0.0));
  CHECK(b.grad().toVector<double>() == std::vector<double>(2, 0.0));
}

TEST_CASE("shape-only runs check shapes and count multiply-adds") {
  i64& count = autograd::multiplyAdds();
  count = 0;
  CHECK((linear(Tensor::shapeOnly({5, 7, 3}), Tensor::zeros({2, 3}), Tensor::zeros({2})).shape() == Shape{5, 7, 2}));
  CHECK(count == 5 * 7 * 2 * 3);
  CHECK((matmul(Tensor::shapeOnly({4, 1, 2, 3}), Tensor::zeros({6, 3, 5})).shape() == Shape{4, 6, 2, 5}));
  CHECK(count == 5 * 7 * 2 * 3 + 4 * 6 * 2 * 5 * 3);
  CHECK_THROWS_AS(linear(Tensor::shapeOnly({5, 4}), Tensor::zeros({2, 3})), ShapeError);
}

TEST_CASE("what does not fit is an error with numbers") {
  const auto zeros = [](const Shape& shape, DType dtype = DType::F32) { return Tensor::zeros(shape, dtype); };
  CHECK(headlineOf([&] {
          matmul(zeros({2, 3}), zeros({4, 5}));
        }) == "[matmul] ShapeError: shapes cannot be multiplied (2x3 and 4x5)");
  CHECK_THROWS_AS(matmul(zeros({2, 2, 3}), zeros({3, 3, 5})), ShapeError);
  CHECK(headlineOf([&] { matmul(zeros({}), zeros({4, 5})); }) == "[matmul] ShapeError: a scalar has no matrix product");
  CHECK(headlineOf([&] {
          matmul(zeros({2, 3}), zeros({3, 5}, DType::F64));
        }) == "[matmul] DtypeError: a is f32 and b is f64");
  CHECK(headlineOf([&] {
          linear(zeros({8, 3136}), zeros({10, 512}));
        }) == "[linear] ShapeError: input has 3136 features, weights expect 512");
  CHECK(headlineOf([&] {
          linear(zeros({8, 3}), zeros({10, 3}), zeros({9}));
        }) == "[linear] ShapeError: bias is [9], 10 outputs need [10]");
  CHECK(headlineOf([&] {
          linear(zeros({8, 3}), zeros({10}));
        }) == "[linear] ShapeError: weights have rank 1, expected [out, in]");
  CHECK(headlineOf([&] {
          linear(zeros({}), zeros({10, 3}));
        }) == "[linear] ShapeError: input is a scalar, expected [..., in]");
  CHECK(messageOf([&] {
          linear(zeros({8, 64, 7, 7}), zeros({10, 3136}));
        }).find("flatten the input") != std::string::npos);
}

TEST_CASE("products of views whose axes step into each other are those of copies") {
  const Tensor x = Tensor::uniform({3, 5, 5}), w = Tensor::uniform({3, 5, 2}), v = Tensor::uniform({3, 9});
  const Tensor rows = slice(x, 1, 0, 5, 2), columns = slice(x, 2, 0, 5, 2), thin = unsqueeze(slice(v, 1, 0, 9, 2), 1);
  const Tolerance tolerance{1e-6, 1e-6};  // a few roundings of sums of five
  CHECK_CLOSE(matmul(rows, w), matmul(rows.clone(), w), tolerance, "every second row");
  CHECK_CLOSE(matmul(columns, slice(w, 1, 0, 3)), matmul(columns.clone(), slice(w, 1, 0, 3)), tolerance, "columns");
  CHECK_CLOSE(matmul(x, transpose(rows, 1, 2)), matmul(x, transpose(rows, 1, 2).clone()), tolerance, "on the right");
  CHECK_CLOSE(matmul(thin, w), matmul(thin.clone(), w), tolerance, "one row each");
  const Tensor diagonals = diagonal(x, 0, 1, 2);
  CHECK_CLOSE(matmul(unsqueeze(diagonals, 1), w), matmul(unsqueeze(diagonals.clone(), 1), w), tolerance, "diagonals");
}
