// core/kernels/Indexing.cpp against plain loops.
#include <doctest/doctest.h>

#include <limits>

#include <ember/core/Error.h>
#include <ember/core/kernels/Indexing.h>

#include "core/Loops.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::core;
using namespace ember::test;

TEST_CASE("concat puts the parts one behind the other on any axis, in every mix of layouts") {
  for (int axis = 0; axis < 4; ++axis) {
    Shape shapeA{2, 3, 4, 5}, shapeB = shapeA;
    shapeB[axis] = 2;
    const NDArray a = numbers(shapeA, 1), b = numbers(shapeB, 2);
    for (const NDArray& left : layouts(a)) {
      for (const NDArray& right : layouts(b)) {
        const NDArray y = concat({left, right}, axis - 4);
        CHECK(y.size(axis) == shapeA[axis] + 2);
        CHECK(y.slice(axis, 0, shapeA[axis]).toVector<double>() == a.toVector<double>());
        CHECK(y.slice(axis, shapeA[axis], y.size(axis)).toVector<double>() == b.toVector<double>());
      }
    }
  }
  const NDArray channels = numbers({2, 3, 4, 5}, 1).contiguous(MemoryOrder::ChannelsLast);
  CHECK(concat({channels, channels}, 1).order() == MemoryOrder::ChannelsLast);
  CHECK(toString(concat({NDArray::zeros({0, 3}), NDArray::zeros({2, 3})}, 0).shape()) == "[2, 3]");
}

TEST_CASE("concat refuses nothing at all, other shapes and other types") {
  const NDArray a = NDArray::zeros({2, 3}), b = NDArray::zeros({3, 3});
  CHECK(headlineOf<ValueError>([] { concat({}, 0); }) == "[concat] ValueError: nothing to join");
  CHECK(headlineOf<ShapeError>([&] {
          concat({a, b}, 1);
        }) == "[concat] ShapeError: part 1 is [3, 3], part 0 [2, 3]: they differ beside axis 1");
  CHECK(headlineOf<DtypeError>([&] {
          concat({a, b.to(DType::F64)}, 0);
        }) == "[concat] DtypeError: part 1 is f64, part 0 f32");
}

TEST_CASE("pad surrounds the array with a value and keeps its order") {
  const NDArray x = numbers({2, 3, 4}, 3);
  for (const NDArray& layout : layouts(x)) {
    const NDArray y = pad(layout, {0, 1, 2}, {1, 0, 3}, -7);
    CHECK(toString(y.shape()) == "[3, 4, 9]");
    CHECK(y.slice(0, 0, 2).slice(1, 1, 4).slice(2, 2, 6).toVector<double>() == x.toVector<double>());
    double outside = 0;
    for (const double v : y.toVector<double>()) outside += v == -7;
    CHECK(outside == 3 * 4 * 9 - 2 * 3 * 4);
  }
  CHECK(
      pad(NDArray::zeros({1, 2, 3, 3}, DType::F32, MemoryOrder::ChannelsLast), {0, 0, 1, 1}, {0, 0, 1, 1}, 0).order() ==
      MemoryOrder::ChannelsLast);
  CHECK(headlineOf<ValueError>([&] {
          pad(x, {0, -1, 0}, {0, 0, 0}, 0);
        }) == "[pad] ValueError: negative padding on axis 1");
  CHECK(headlineOf<ShapeError>([&] {
          pad(x, {0}, {0, 0, 0}, 0);
        }) == "[pad] ShapeError: 1 sizes before and 3 after for rank 3");
}

TEST_CASE("a slice takes any step and stop, however large") {
  constexpr i64 most = std::numeric_limits<i64>::max(), least = std::numeric_limits<i64>::min();
  const NDArray x = NDArray::from<double>({0, 1, 2, 3, 4, 5}, {6});
  CHECK(x.slice(0, 1, 6, most).toVector<double>() == std::vector<double>{1});
  CHECK(x.slice(0, 1, most, most).toVector<double>() == std::vector<double>{1});
  CHECK(x.slice(0, least, most, most - 1).toVector<double>() == std::vector<double>{0});
  CHECK(x.slice(0, 1, most, 4).toVector<double>() == std::vector<double>{1, 5});
  CHECK(x.slice(0, 6, most, most).numel() == 0);
  const NDArray part = numbers({3, 8, 2}, 4).slice(1, 5, most, most);
  CHECK(toString(part.shape()) == "[3, 1, 2]");
  CHECK(unslice(part, {3, 8, 2}, 1, 5, most).slice(1, 5, 6).toVector<double>() == part.toVector<double>());
}

TEST_CASE("unslice is the adjoint of slice") {
  const Shape whole{3, 8, 2};
  const NDArray y = numbers(whole, 4, -1, 1, DType::F64);
  const NDArray part = y.slice(1, 1, 8, 3), x = numbers(part.shape(), 5, -1, 1, DType::F64);
  const NDArray back = unslice(x, whole, 1, 1, 3);
  CHECK(toString(back.shape()) == toString(whole));
  CHECK(back.slice(1, 1, 8, 3).toVector<double>() == x.toVector<double>());
  CHECK(dot(back, y) == doctest::Approx(dot(x, part)).epsilon(1e-12));
  CHECK(unslice(NDArray::zeros({3, 0, 2}), whole, 1, 4, 1).toVector<double>() == std::vector<double>(48, 0));
}

TEST_CASE("takeRows picks rows in the given order, also twice") {
  const NDArray x = numbers({4, 3, 2, 2}, 6);
  for (const NDArray& layout : layouts(x)) {
    const NDArray y = takeRows(layout, {2, 0, 2});
    CHECK(y.select(0, 0).toVector<double>() == x.select(0, 2).toVector<double>());
    CHECK(y.select(0, 1).toVector<double>() == x.select(0, 0).toVector<double>());
    CHECK(y.select(0, 2).toVector<double>() == x.select(0, 2).toVector<double>());
  }
  CHECK(takeRows(x, {}).numel() == 0);
  CHECK(headlineOf<ValueError>([&] {
          takeRows(x, {0, 4});
        }) == "[takeRows] ValueError: index 1 is 4, outside the 4 rows");
  CHECK(headlineOf<ValueError>([&] { takeRows(x, {-1}); }) ==
        "[takeRows] ValueError: index 0 is -1, outside the 4 rows");
}
