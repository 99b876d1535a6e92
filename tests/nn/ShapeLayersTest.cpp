#include <doctest/doctest.h>

#include <ember/ember.h>

#include "support/Draw.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

namespace {

std::string shapeAfter(nn::Module&& module, const Shape& x) { return toString(module(Tensor::zeros(x)).shape()); }

}  // namespace

TEST_CASE("Unflatten undoes Flatten, and takes an empty batch") {
  const Tensor x = draw("x", {2, 3, 4, 5});
  nn::Sequential both(nn::Flatten(), nn::Unflatten(1, {3, 4, 5}));
  CHECK(sameBits(both(x), x));
  CHECK(shapeAfter(nn::Unflatten(1, {3, -1}), {0, 12}) == "[0, 3, 4]");
  CHECK(shapeAfter(nn::Unflatten(-1, {2, 2}), {5, 4}) == "[5, 2, 2]");
}

TEST_CASE("Reshape keeps the batch, empty or not") {
  CHECK(shapeAfter(nn::Reshape({-1}), {2, 3, 4}) == "[2, 12]");
  CHECK(shapeAfter(nn::Reshape({2, -1, 3}), {0, 3, 4}) == "[0, 2, 2, 3]");
  CHECK(shapeAfter(nn::Reshape({1, 1}), {7}) == "[7, 1, 1]");
}

TEST_CASE("sizes that do not fit say both products") {
  CHECK(headlineOf<ShapeError>([] { shapeAfter(nn::Reshape({5, 2}), {3, 12}); }) ==
        "[Reshape] ShapeError: 12 elements do not fit the sizes [5, 2], which hold 10");
  CHECK(headlineOf<ShapeError>([] { shapeAfter(nn::Unflatten(1, {5, -1}), {3, 12}); }) ==
        "[Unflatten] ShapeError: 12 elements do not fit the sizes [5, -1], which hold a multiple of 5");
  CHECK(headlineOf<ShapeError>([] { nn::Reshape({1})(Tensor::scalar(2)); }) ==
        "[Reshape] ShapeError: x is a number, without an axis of samples");
}

TEST_CASE("sizes that no axis can have are refused at construction") {
  CHECK(headlineOf<ValueError>([] { nn::Reshape({-1, -1}); }) == "[Reshape] ValueError: more than one size is -1");
  CHECK(headlineOf<ValueError>([] { nn::Reshape({2, 0}); }) == "[Reshape] ValueError: a size is 0");
  CHECK(headlineOf<ValueError>([] { nn::Unflatten(1, {-3}); }) == "[Unflatten] ValueError: a size is -3");
  CHECK(headlineOf<ValueError>([] { nn::Unflatten(1, {}); }) == "[Unflatten] ValueError: no sizes were given");
  CHECK(headlineOf<ValueError>([] { nn::Slice(1, 0, 2, 0); }) == "[Slice] ValueError: step is 0");
  CHECK(headlineOf<ValueError>([] { nn::Tile({2, 0}); }) == "[Tile] ValueError: times is [2, 0]");
  CHECK(headlineOf<ValueError>([] { nn::Tile({}); }) == "[Tile] ValueError: times is []");
  CHECK(headlineOf<ShapeError>([] { shapeAfter(nn::Reshape({i64{1} << 40, i64{1} << 40}), {2, 3}); })
            .starts_with("["));  // the product overflows
}

TEST_CASE("Slice prints as it is written in NumPy, and takes what lies outside as the end") {
  CHECK(nn::Slice(1, 2).toString() == "Slice(axis 1, 2:)\n");
  CHECK(nn::Slice(2, 0, -1, 2).toString() == "Slice(axis 2, 0:-1:2)\n");
  CHECK(shapeAfter(nn::Slice(1, 2, 99), {1, 5}) == "[1, 3]");
  CHECK(shapeAfter(nn::Slice(1, 4, 2), {1, 5}) == "[1, 0]");
}

TEST_CASE("Tile repeats the last axes, and says where there are too few") {
  CHECK(shapeAfter(nn::Tile({2, 3}), {1, 2, 4, 5}) == "[1, 2, 8, 15]");
  CHECK(headlineOf<ShapeError>([] { shapeAfter(nn::Tile({2, 3}), {4}); }) ==
        "[Tile] ShapeError: 2 numbers for the 1 axes of x [4]");
}

TEST_CASE("Cast converts, to integers as well") {
  const Tensor y = nn::Cast(DType::I64)(Tensor::of({1.7, -2.2}));
  CHECK(name(y.dtype()) == "i64");
  CHECK(y.toVector<i64>() == std::vector<i64>{1, -2});
  CHECK_THROWS_AS(nn::Cast::fromArgs({{"dtype", "f16"}}), ValueError);
}

TEST_CASE("padding is at least 0, fits the rank, and prints") {
  CHECK(shapeAfter(nn::Pad2D({.before = {1, 0}, .after = 2}), {1, 1, 3, 3}) == "[1, 1, 6, 5]");
  CHECK(headlineOf<ValueError>([] { nn::Pad1D({.before = -1}); }) == "[Pad1D] ValueError: before is -1");
  CHECK(headlineOf<ShapeError>([] { shapeAfter(nn::Pad2D(), {1, 3, 3}); }) ==
        "[Pad2D] ShapeError: x [1, 3, 3] has rank 3, expected 4");
  CHECK(headlineOf<ValueError>([] { nn::Pad1D({.mode = PadMode::Reflect, .value = 2}); }) ==
        "[Pad1D] ValueError: a value with the mode reflect");
  CHECK(nn::Pad1D({.before = 2, .mode = PadMode::Circular}).toString() == "Pad1D(2, circular)\n");
  CHECK(nn::Pad2D({.before = {1, 0}, .after = 2, .value = -1}).toString() == "Pad2D(1x0 and 2 of -1.0)\n");
}
