#include <limits>
#include <vector>

#include <doctest/doctest.h>
#include <ember/autograd/ops/Ops.h>
#include <ember/core/Error.h>

#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

using Values = std::vector<double>;

namespace {

const Tensor& numbers() {
  static const Tensor x = Tensor::arange(0, 24, 1, DType::F64).reshape({2, 3, 4});
  return x;
}
std::string shapeOf(const std::vector<Index>& at) { return toString(index(numbers(), at).shape()); }
Values of(const std::vector<Index>& at) { return index(numbers(), at).toVector<double>(); }

}  // namespace

TEST_CASE("positions drop axes, slices keep them, an ellipsis stands for the rest") {
  CHECK(of({1, 2, 3}) == Values{23});
  CHECK(of({0, -1}) == Values{8, 9, 10, 11});
  CHECK(of({ellipsis, 0}) == Values{0, 4, 8, 12, 16, 20});
  CHECK(of({0, Range{1, 3}, Range{.step = 3}}) == Values{4, 7, 8, 11});
  CHECK(shapeOf({}) == "[2, 3, 4]");
  CHECK(shapeOf({newAxis, ellipsis, newAxis, 0}) == "[1, 2, 3, 1]");
  CHECK(shapeOf({Range{}, newAxis, 1}) == "[2, 1, 4]");
  CHECK(shapeOf({ellipsis, 0, 0, 0}) == "[]");
}

TEST_CASE("steps run backwards as in Python") {
  CHECK(of({0, 0, Range{.step = -1}}) == Values{3, 2, 1, 0});
  CHECK(of({0, 0, Range{2, {}, -2}}) == Values{2, 0});
  CHECK(of({0, 0, Range{-1, 0, -2}}) == Values{3, 1});
  CHECK(of({0, 0, Range{0, 3, -1}}).empty());
  CHECK(of({0, 0, Range{100, -100, -3}}) == Values{3, 0});
  constexpr i64 least = std::numeric_limits<i64>::min(), most = std::numeric_limits<i64>::max();
  CHECK(of({0, 0, Range{least, most, most}}) == Values{0});
  CHECK(of({0, 0, Range{most, least, least}}) == Values{3});
}

TEST_CASE("tensors choose positions or, as masks, places over several axes") {
  CHECK(of({0, Tensor::of<i64>({2, 0}), 1}) == Values{9, 1});
  CHECK(shapeOf({0, Tensor::zeros({5, 2}, DType::I64)}) == "[5, 2, 4]");
  CHECK(of({numbers() > 20}) == Values{21, 22, 23});
  CHECK(shapeOf({0, ellipsis, Tensor::of<bool>({true, false, true, true})}) == "[3, 3]");
  CHECK(of({index(numbers(), {ellipsis, 0}) == 8}) == Values{8, 9, 10, 11});
}

TEST_CASE("brackets take a position or a tensor") {
  const Tensor x = numbers();
  CHECK(x[1][-1][0].item() == 20);
  CHECK(x[x == 7].toVector<double>() == Values{7});
  CHECK(toString(x[Tensor::of<i64>({1, 1, 0})].shape()) == "[3, 3, 4]");
  Tensor leaf = Tensor(core::NDArray::full({3, 2}, 2, DType::F64), true);
  (leaf[1] * leaf[1]).sum().backward();
  CHECK(leaf.grad().toVector<double>() == Values{0, 0, 4, 4, 0, 0});
  static_assert(std::is_const_v<decltype(x[0])>, "x[0] = y would assign to a view that goes at once");
}

TEST_CASE("what cannot be indexed is refused") {
  CHECK(headlineOf<ShapeError>([] { of({0, 0, 0, 0}); }) == "[index] ShapeError: 4 axes are named, x has 3");
  CHECK(headlineOf<ShapeError>([] { of({2}); }) == "[select] ShapeError: index 2 is outside size 2 of axis 0");
  CHECK(headlineOf<ValueError>([] { of({ellipsis, 0, ellipsis}); }) == "[index] ValueError: there are 2 ellipses");
  CHECK(headlineOf<ValueError>([] { of({Range{.step = 0}}); }) == "[index] ValueError: the step is 0");
  const Tensor zero = Tensor::zeros({1}, DType::I64);
  CHECK(headlineOf<ValueError>([&] { of({zero, zero}); }) == "[index] ValueError: 2 tensors choose");
  CHECK(headlineOf<ShapeError>([] { of({Tensor::ones({5}, DType::Bool)}); }) ==
        "[index] ShapeError: the mask is [5], x from axis 0 on is [2, 3, 4]");
  CHECK(headlineOf<ValueError>([] { of({Tensor::of<i64>({4})}); }) ==
        "[indexSelect] ValueError: index 4 at [0, 0, 0] is outside size 2 of axis 0");
  CHECK(headlineOf<StateError>([] { of({Tensor()}); }) == "[index] StateError: operand 1 is an undefined tensor");
}
