// Edges of the functions that NumPy has: other types, infinities, empty axes, errors. Values stand in the golden files.
#include <cmath>
#include <limits>
#include <vector>

#include <doctest/doctest.h>
#include <ember/autograd/ops/Ops.h>
#include <ember/core/Error.h>

#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

using Values = std::vector<double>;
using Integers = std::vector<i64>;

namespace {

constexpr i64 least = std::numeric_limits<i64>::min(), most = std::numeric_limits<i64>::max();

}  // namespace

TEST_CASE("integers are rounded already, have signs and remainders, and are clamped") {
  const Tensor x = Tensor::of<i64>({-7, 0, 7});
  for (auto* op : {static_cast<Tensor (*)(const Tensor&)>(floor), static_cast<Tensor (*)(const Tensor&)>(round)}) {
    CHECK(op(x).toVector<i64>() == Integers{-7, 0, 7});
  }
  CHECK(sign(x).toVector<i64>() == Integers{-1, 0, 1});
  CHECK((x % 4).toVector<i64>() == Integers{1, 0, 3});
  CHECK((10 % Tensor::of<i64>({3, -3})).toVector<i64>() == Integers{1, -2});
  CHECK(fmod(x, Tensor::of<i64>({4})).toVector<i64>() == Integers{-3, 0, 3});
  CHECK(remainder(Tensor::of<i64>({least}), Tensor::of<i64>({-1})).item() == 0);
  CHECK(fmod(Tensor::of<u8>({200}), Tensor::of<u8>({7})).item() == 4);
  CHECK(clamp(x, -2, 3).toVector<i64>() == Integers{-2, 0, 3});
  CHECK(clamp(x, -2, std::numeric_limits<double>::infinity()).toVector<i64>() == Integers{-2, 0, 7});
  CHECK(headlineOf<ValueError>([&] { (void)(x % 0); }) == "[remainder] ValueError: integer division by zero");
  CHECK(std::isnan((Tensor::of({1}) % 0).item()));
  CHECK(headlineOf<DtypeError>([&] { tan(x); }) == "[tan] DtypeError: x is i64, expected f32 or f64");
}

TEST_CASE("comparisons read as they are written, with numbers on either side") {
  const Tensor x = Tensor::of({1, 2, 3});
  CHECK((x == 2).toVector<double>() == Values{0, 1, 0});
  CHECK((2 != x).toVector<double>() == Values{1, 0, 1});
  CHECK((2 < x).toVector<double>() == Values{0, 0, 1});
  CHECK((2 >= x).toVector<double>() == Values{1, 1, 0});
  CHECK((x > 1 && x < 3).toVector<double>() == Values{0, 1, 0});
  CHECK((x <= 1 || !(x != 3)).toVector<double>() == Values{1, 0, 1});
  CHECK(all(x == x).item() == 1);
  CHECK(where(x > 1, x, 0).toVector<double>() == Values{0, 2, 3});
  CHECK(where(x > 1, -1.5, x).toVector<double>() == Values{1, -1.5, -1.5});
}

TEST_CASE("x += y gives the handle a new value, with its gradient, and leaves other handles alone") {
  const Tensor leaf = Tensor(core::NDArray::full({2}, 3, DType::F64), true);
  Tensor x = leaf;
  x += 1;
  x *= leaf;
  x -= 2;
  x /= leaf;
  x += x;
  CHECK(leaf.toVector<double>() == Values{3, 3});
  CHECK(x.toVector<double>()[0] == doctest::Approx(2 * (3 + 1 - 2.0 / 3)).epsilon(1e-15));
  sum(x).backward();
  CHECK(leaf.grad().toVector<double>()[0] == doctest::Approx(2 * (1 + 2.0 / 9)).epsilon(1e-15));
}

TEST_CASE("any and all of nothing, and logic over empty axes") {
  const Tensor none = Tensor::empty({2, 0});
  CHECK(any(none, {1}).toVector<double>() == Values{0, 0});
  CHECK(all(none, {1}).toVector<double>() == Values{1, 1});
  CHECK(prod(none, {1}).toVector<double>() == Values{1, 1});
  CHECK(cumsum(none, 1).numel() == 0);
  CHECK(cumprod(none, 1, {.exclusive = true}).numel() == 0);
  CHECK(headlineOf<ValueError>([&] { logsumexp(none, {1}); }) == "[logsumexp] ValueError: a maximum over 0 elements");
  CHECK(headlineOf<ValueError>([&] { argmin(none, 1); }) == "[argmin] ValueError: a minimum over 0 elements");
}

TEST_CASE("argmax and argmin choose the last of equals when asked") {
  const Tensor x = Tensor::of({3, 1, 3, 1});
  CHECK(argmax(x, 0, false, true).item() == 2);
  CHECK(argmin(x).item() == 1);
  CHECK(argmin(x, 0, false, true).item() == 3);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(argmin(Tensor::of({3, nan, 0, nan}), 0, false, true).item() == 3);
  CHECK(argmin(Tensor::of<u8>({3, 0, 255})).item() == 1);
}

TEST_CASE("running sums count what is exclusive and backwards, and accumulate beyond f32") {
  const Tensor x = Tensor::of<i64>({1, 2, 3});
  CHECK(cumsum(x, 0, {.exclusive = true}).toVector<i64>() == Integers{0, 1, 3});
  CHECK(cumsum(x, 0, {.reverse = true}).toVector<i64>() == Integers{6, 5, 3});
  CHECK(cumsum(x, 0, {.exclusive = true, .reverse = true}).toVector<i64>() == Integers{5, 3, 0});
  CHECK(cumprod(x, 0, {.exclusive = true, .reverse = true}).toVector<i64>() == Integers{6, 3, 1});
  CHECK(cumsum(Tensor::full({300}, 1, DType::Bool), 0).select(0, -1).item() == 300);
  // 2^24 + 1 is no f32; in f64 the ones are not lost.
  CHECK(cumsum(Tensor::of({16777216, 1, 1}), 0).toVector<double>() == Values{16777216, 16777216, 16777218});
}

TEST_CASE("pieces, repetitions and diagonals refuse what does not fit") {
  const Tensor x = Tensor::zeros({2, 5});
  CHECK(headlineOf<ShapeError>([&] {
          split(x, std::vector<i64>{2, 2}, 1);
        }) == "[split] ShapeError: the sizes add up to 4, axis 1 has 5 elements");
  CHECK(headlineOf<ValueError>([&] { split(x, 0, 1); }) == "[split] ValueError: the size of a piece is 0");
  CHECK(headlineOf<ValueError>([&] { chunk(x, 0); }) == "[chunk] ValueError: the number of pieces is 0");
  CHECK(chunk(x, most, 1).size() == 5);
  CHECK(headlineOf<ShapeError>([&] { flip(x, {1, -1}); }) == "[flip] ShapeError: axis 1 is given twice");
  CHECK(headlineOf<ValueError>([&] { roll(x, {1, 2}); }) == "[roll] ValueError: 2 shifts for 0 axes");
  CHECK(headlineOf<ShapeError>([&] { repeat(x, {2}); }) == "[repeat] ShapeError: 1 counts for rank 2");
  CHECK(headlineOf<ValueError>([&] { repeat(x, {2, -1}); }) == "[repeat] ValueError: a count is -1");
  CHECK_THROWS_AS(repeat(x, {most, most}), ShapeError);
  CHECK_THROWS_AS(repeatInterleave(x, -1, 0), ValueError);
  CHECK(headlineOf<ShapeError>([&] { diagonal(x, 0, 1, -1); }) == "[diagonal] ShapeError: both axes are 1");
  CHECK(diagonal(x, most).numel() == 0);
  CHECK(diagonal(x, least).numel() == 0);
  CHECK(sum(triu(Tensor::ones({2, 3}), least)).item() == 6);
  CHECK(sum(triu(Tensor::ones({2, 3}), most)).item() == 0);
  CHECK_THROWS_AS(trace(Tensor::zeros({3})), ShapeError);
  CHECK_THROWS_AS(outer(x, x), ShapeError);
  CHECK_THROWS_AS(meshgrid({x}), ShapeError);
  CHECK(roll(Tensor::of({1, 2, 3}), {most}, {0}).toVector<double>() == Values{3, 1, 2});
  CHECK(roll(Tensor::of({1, 2, 3}), {least}, {0}).numel() == 3);
}

TEST_CASE("everything that moves elements takes any rank and type") {
  Shape eight = Shape::filled(8, 1);
  eight[7] = 2;
  const Tensor x = Tensor::of<i64>({4, 9}, eight);
  CHECK(repeat(x, std::vector<i64>(8, 2)).numel() == 512);
  CHECK(repeatInterleave(x, 2, 7).toVector<i64>() == Integers{4, 4, 9, 9});
  CHECK(flip(x.to(DType::Bool)).rank() == 8);
  CHECK(flip(Tensor::scalar(3)).item() == 3);
}

TEST_CASE("allClose is relative to the second and knows infinities and NaN") {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(allClose(Tensor::of({1, inf}), Tensor::of({1.000001, inf})));
  CHECK_FALSE(allClose(Tensor::of({1, inf}), Tensor::of({1, -inf})));
  CHECK_FALSE(allClose(Tensor::of({nan}), Tensor::of({nan})));
  CHECK_FALSE(allClose(Tensor::of({1.0}), Tensor::of({1.1})));
  CHECK(allClose(Tensor::of({1.0}), Tensor::of({1.1}), 0.1));
}
