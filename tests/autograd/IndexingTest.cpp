// Edges of the ops that choose elements, order them, draw among them and multiply by letters.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <doctest/doctest.h>
#include <ember/autograd/ops/Ops.h>
#include <ember/core/Error.h>
#include <ember/core/Random.h>

#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

using Values = std::vector<double>;
using Integers = std::vector<i64>;

namespace {

const double notANumber = std::numeric_limits<double>::quiet_NaN(), infinite = std::numeric_limits<double>::infinity();

Tensor matrix(i64 rows, i64 columns) {
  return Tensor::arange(0, static_cast<double>(rows * columns), 1, DType::F64).reshape({rows, columns});
}

}  // namespace

TEST_CASE("positions out of range are refused with place and value, negative ones too") {
  const Tensor x = matrix(3, 4);
  CHECK(headlineOf<ValueError>([&] {
          gather(x, 1, Tensor::of<i64>({0, 4}, {1, 2}));
        }) == "[gather] ValueError: index 4 at [0, 1] is outside size 4 of axis 1");
  CHECK(headlineOf<ValueError>([&] {
          indexSelect(x, 0, Tensor::of<i64>({0, -1}));
        }) == "[indexSelect] ValueError: index -1 at [1, 0] is outside size 3 of axis 0");
  CHECK(headlineOf<ValueError>([&] {
          oneHot(Tensor::of<i64>({0, 7, 9}), 5);
        }) == "[oneHot] ValueError: index 7 at [1, 0] is outside size 5 of axis 1");
  CHECK(headlineOf<ValueError>([&] {
          scatter(x, 0, Tensor::of<i64>({3}, {1, 1}), 1);
        }) == "[scatter] ValueError: index 3 at [0, 0] is outside size 3 of axis 0");
  CHECK(headlineOf<DtypeError>([&] {
          gather(x, 0, Tensor::zeros({1, 1}));
        }) == "[gather] DtypeError: the index is f32, expected i64");
  CHECK(headlineOf<DtypeError>([&] { maskedFill(x, x, 0); }) ==
        "[maskedFill] DtypeError: the mask is f64, expected bool");
  CHECK(headlineOf<ShapeError>([&] { maskedFill(Tensor::zeros({4}), x > 1, 0); }) ==
        "[maskedFill] ShapeError: the mask [3, 4] does not broadcast to x [4]");
  CHECK(headlineOf<ValueError>([&] { oneHot(Tensor::of<i64>({0}), 0); }) == "[oneHot] ValueError: 0 classes");
  CHECK(headlineOf<ValueError>([&] { maskedFill(Tensor::of<u8>({1}), Tensor::ones({1}, DType::Bool), 300); }) != "");
}

TEST_CASE("of several sources for one place the last stands and alone gets the gradient") {
  Tensor x = matrix(1, 3), source = Tensor::of<double>({10, 20, 30}, {1, 3});
  x.setRequiresGrad();
  source.setRequiresGrad();
  const Tensor y = scatter(x, 1, Tensor::of<i64>({0, 0, 2}, {1, 3}), source);
  CHECK(y.toVector<double>() == Values{20, 1, 30});
  y.backward({.gradient = Tensor::of<double>({5, 6, 7}, {1, 3})});
  CHECK(x.grad().toVector<double>() == Values{0, 6, 0});
  CHECK(source.grad().toVector<double>() == Values{0, 5, 7});
}

TEST_CASE("indexSelect takes an index of any rank, an empty one too") {
  const Tensor x = matrix(3, 2);
  CHECK(toString(indexSelect(x, 0, Tensor::zeros({2, 2}, DType::I64)).shape()) == "[2, 2, 2]");
  CHECK(toString(indexSelect(x, 1, Tensor::zeros({0}, DType::I64)).shape()) == "[3, 0]");
  CHECK(toString(indexSelect(x, 0, Tensor::zeros({}, DType::I64)).shape()) == "[2]");
  CHECK(maskedSelect(x, x > 100).numel() == 0);
  CHECK(maskedSelect(x, x % 2 == 0).toVector<double>() == Values{0, 2, 4});
  CHECK(headlineOf<StateError>([] { nonZero(Tensor::shapeOnly({2})); }) ==
        "[nonZero] StateError: the tensor [2] has a shape but no values");
}

TEST_CASE("sorting works on every type, and topk refuses what is not there") {
  CHECK(sort(Tensor::of<u8>({200, 3, 255})).values.toVector<i64>() == Integers{3, 200, 255});
  CHECK(sort(Tensor::of<bool>({true, false, true})).indices.toVector<i64>() == Integers{1, 0, 2});
  CHECK(topk(Tensor::of({1, notANumber, 3}), 2).indices.toVector<i64>() == Integers{1, 2});
  CHECK(topk(Tensor::of({1, 5, 3}), 0).values.numel() == 0);
  CHECK(headlineOf<ValueError>([] {
          topk(Tensor::of({1, 5, 3}), 4);
        }) == "[topk] ValueError: 4 elements of the 3 on axis 0");
  CHECK(headlineOf<ShapeError>([] { sort(Tensor::scalar(2)); }) == "[sort] ShapeError: axis -1 is outside rank 0");
}

TEST_CASE("norms of nothing, of infinities, and p that is no number") {
  CHECK(norm(Tensor::empty({2, 0}), 2, {1}).toVector<double>() == Values{0, 0});
  CHECK(norm(Tensor::of({infinite, 1})).item() == infinite);
  CHECK(norm(Tensor::of({infinite, 1, 0}), 0).item() == 2);
  CHECK(headlineOf<ValueError>([] { norm(Tensor::of({1}), notANumber); }) == "[norm] ValueError: p is NaN");
  CHECK(headlineOf<DtypeError>([] { norm(Tensor::of<i64>({1})); }) ==
        "[norm] DtypeError: x is i64, expected f32 or f64");
}

TEST_CASE("einsum says what is wrong with an equation") {
  const Tensor a = matrix(2, 3), b = matrix(4, 2);
  CHECK(headlineOf<ValueError>([&] { einsum("ij,jk->ik", {a}); }) ==
        "[einsum] ValueError: \"ij,jk->ik\" has 2 operands, 1 are given");
  CHECK(headlineOf<ValueError>([&] { einsum("i1->i", {a}); }) == "[einsum] ValueError: cannot read \"1\" in \"i1->i\"");
  CHECK(headlineOf<ValueError>([&] { einsum("ij->i->j", {a}); }) ==
        "[einsum] ValueError: cannot read \"->j\" in \"ij->i->j\"");
  CHECK(headlineOf<ValueError>([&] { einsum("...i...->i", {a}); }) ==
        "[einsum] ValueError: cannot read \"...\" in \"...i...->i\"");
  CHECK(headlineOf<ValueError>([&] { einsum("ij->ik", {a}); }) ==
        "[einsum] ValueError: the output of \"ij->ik\" has \"k\", which no operand has");
  CHECK(headlineOf<ValueError>([&] { einsum("ij->ii", {a}); }) ==
        "[einsum] ValueError: the output of \"ij->ii\" has \"i\" twice");
  CHECK(headlineOf<ShapeError>([&] { einsum("ijk->i", {a}); }) ==
        "[einsum] ShapeError: operand 0 has rank 2, the equation names 3 axes of it");
  CHECK(headlineOf<ShapeError>([&] {
          einsum("ij,jk", {a, b});
        }) == "[einsum] ShapeError: \"j\" has size 3 in operand 0 and 4 in operand 1");
  CHECK(headlineOf<ShapeError>([&] { einsum("ii", {a}); }) ==
        "[einsum] ShapeError: operand 0 has no diagonal \"i\": sizes 2 and 3");
  CHECK(headlineOf<DtypeError>([&] {
          einsum("ij,jk", {a, b.to(DType::F32)});
        }) == "[einsum] DtypeError: operand 0 is f64 and another is f32");
  CHECK(einsum("ij,jk->ik", {Tensor::zeros({2, 0}), Tensor::zeros({0, 3})}).toVector<double>() == Values(6, 0));
  CHECK(einsum(",->", {Tensor::scalar(2), Tensor::scalar(3)}).item() == 6);
}

TEST_CASE("multinomial and bernoulli draw as often as the odds say") {
  seed(2);
  const Tensor weights = Tensor::of({1, 0, 3});
  const Integers many = multinomial(weights, 2000, true).toVector<i64>();
  CHECK(std::count(many.begin(), many.end(), 1) == 0);
  CHECK(static_cast<double>(std::count(many.begin(), many.end(), 2)) ==
        doctest::Approx(1500).epsilon(0.05));  // 4 errors of 19
  int twoFirst = 0;
  for (int i = 0; i < 400; ++i) {
    const Integers both = multinomial(weights, 2).toVector<i64>();
    CHECK(both[0] + both[1] == 2);  // 0 and 2 in some order
    twoFirst += both[0] == 2;
  }
  CHECK(twoFirst == doctest::Approx(300).epsilon(0.12));  // four standard errors of 8.7
  CHECK(toString(multinomial(Tensor::ones({3, 4}), 2).shape()) == "[3, 2]");
  CHECK(mean(bernoulli(Tensor::full({4000}, 0.2))).item() == doctest::Approx(0.2).epsilon(0.13));  // of 0.0063
  CHECK(headlineOf<ValueError>([&] { multinomial(weights, 3); }) ==
        "[multinomial] ValueError: 3 draws from 2 positive weights in row 0");
  CHECK(headlineOf<ValueError>([&] {
          multinomial(Tensor::zeros({2, 3}), 1, true);
        }) == "[multinomial] ValueError: 1 draws from 0 positive weights in row 0");
  CHECK_THROWS_AS(multinomial(Tensor::of({1, -1}), 1), ValueError);
  CHECK_THROWS_AS(multinomial(Tensor::of({1, notANumber}), 1), ValueError);
  CHECK_THROWS_AS(bernoulli(Tensor::of({1.5})), ValueError);
}
