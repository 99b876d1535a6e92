// core/kernels/Gather.cpp and Sort.cpp against plain loops.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include <doctest/doctest.h>
#include <ember/core/Error.h>
#include <ember/core/kernels/Gather.h>
#include <ember/core/kernels/Sort.h>

#include "core/Loops.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::core;
using namespace ember::test;

TEST_CASE("gather picks along an axis and scatterAdd is its adjoint, repeated indices adding up") {
  const NDArray x = numbers({2, 3, 4}, 7, -1, 1, DType::F64);
  const NDArray index = NDArray::from<i64>({2, 0, 1, 1, 2, 2, 0, 1, 0, 0, 0, 0, 1, 2, 1, 2}, {2, 2, 4});
  const NDArray y = gather(x, 1, index);
  const std::vector<double> from = x.toVector<double>(), got = y.toVector<double>();
  const std::vector<i64> at = index.toVector<i64>();
  for (std::size_t n = 0; n < 2; ++n) {
    for (std::size_t j = 0; j < 2; ++j) {
      for (std::size_t k = 0; k < 4; ++k) {
        const std::size_t i = (n * 2 + j) * 4 + k;
        CHECK(got[i] == from[(n * 3 + static_cast<std::size_t>(at[i])) * 4 + k]);
      }
    }
  }
  const NDArray dy = numbers({2, 2, 4}, 8, -1, 1, DType::F64);
  for (const NDArray& layout : layouts(dy)) {
    const NDArray dx = scatterAdd(layout, 1, index, x.shape());
    CHECK(dot(dx, x) == doctest::Approx(dot(dy, y)).epsilon(1e-12));
  }
  for (const NDArray& layout : layouts(x)) CHECK(gather(layout, 1, index).toVector<double>() == got);
}

TEST_CASE("gather refuses indices out of range, of another type or another shape") {
  const NDArray x = NDArray::zeros({2, 3}), index = NDArray::from<i64>({0, 3}, {2, 1});
  CHECK(headlineOf<ValueError>([&] { gather(x, 1, index); }) ==
        "[gather] ValueError: index 3 at [1, 0] is outside size 3 of axis 1");
  CHECK(headlineOf<DtypeError>([&] { gather(x, 1, index.to(DType::I32)); }) ==
        "[gather] DtypeError: the index is i32, expected i64");
  CHECK(headlineOf<ShapeError>([&] {
          gather(x, 1, NDArray::zeros({3, 1}, DType::I64));
        }) == "[gather] ShapeError: the index [3, 1] does not fit into [2, 3] beside axis 1");
}

TEST_CASE("an index may be smaller than the array beside its axis, of any type and memory order") {
  const NDArray x = numbers({3, 4}, 9);
  const NDArray index = NDArray::from<i64>({2, 0, 1, 2}, {2, 2}).transpose(0, 1);
  for (const NDArray& layout : layouts(x)) {
    for (const DType dtype : {DType::F32, DType::BF16, DType::I64, DType::Bool, DType::I8}) {
      const NDArray y = gather(layout.to(dtype), 0, index);
      const std::vector<double> from = x.to(dtype).toVector<double>();
      CHECK(y.toVector<double>() == std::vector<double>{from[8], from[5], from[0], from[9]});
    }
  }
}

TEST_CASE("scatter lets the last of several sources win, in row-major order") {
  const NDArray x = NDArray::zeros({2, 3});
  const NDArray index = NDArray::from<i64>({1, 1, 0, 2, 0, 2}, {2, 3});
  const NDArray source = NDArray::from<float>({1, 2, 3, 4, 5, 6}, {2, 3});
  CHECK(scatter(x, 1, index, source).toVector<double>() == std::vector<double>{3, 2, 0, 5, 0, 6});
  CHECK(x.toVector<double>() == std::vector<double>(6, 0));
  CHECK(scatterAdd(source.to(DType::U8), 1, index, {2, 3}).toVector<i64>() == std::vector<i64>{3, 3, 0, 5, 0, 10});
  CHECK(scatter(x, 1, NDArray::zeros({2, 0}, DType::I64), NDArray::zeros({2, 0})).toVector<double>() ==
        x.toVector<double>());
}

TEST_CASE("what an expanded index repeats is found wrong once, with its place") {
  const NDArray index = NDArray::from<i64>({0, 1, -2}, {3, 1}).expand({3, 5});
  CHECK(headlineOf<ValueError>([&] {
          gather(NDArray::zeros({2, 5}), 0, index);
        }) == "[gather] ValueError: index -2 at [2, 0] is outside size 2 of axis 0");
}

TEST_CASE("nonZero lists positions in row-major order") {
  const NDArray x = NDArray::from<i64>({0, 3, 0, 0, -1, 7}, {2, 3});
  CHECK(nonZero(x).toVector<i64>() == std::vector<i64>{0, 1, 1, 1, 1, 2});
  CHECK(toString(nonZero(NDArray::zeros({4, 2, 0})).shape()) == "[0, 3]");
  CHECK(toString(nonZero(NDArray::scalar(1)).shape()) == "[1, 0]");
}

TEST_CASE("argsort is stable and agrees with std::stable_sort in every layout") {
  const NDArray x = numbers({3, 40, 2}, 11, -5, 5).to(DType::I32).to(DType::F32);  // many are equal
  const std::vector<double> values = x.toVector<double>();
  for (const bool descending : {false, true}) {
    std::vector<i64> expected(values.size());
    for (std::size_t outer = 0; outer < 3; ++outer) {
      for (std::size_t inner = 0; inner < 2; ++inner) {
        const auto at = [&](i64 i) { return values[(outer * 40 + static_cast<std::size_t>(i)) * 2 + inner]; };
        std::vector<i64> order(40);
        std::iota(order.begin(), order.end(), i64{0});
        std::stable_sort(order.begin(), order.end(),
                         [&](i64 a, i64 b) { return descending ? at(a) > at(b) : at(a) < at(b); });
        for (std::size_t i = 0; i < 40; ++i) expected[(outer * 40 + i) * 2 + inner] = order[i];
      }
    }
    for (const NDArray& layout : layouts(x)) {
      for (const DType dtype : {DType::F32, DType::F64, DType::BF16, DType::I8, DType::I64}) {
        CHECK(argsort(layout.to(dtype), 1, descending, 40, "sort").toVector<i64>() == expected);
      }
      const NDArray some = argsort(layout, 1, descending, 7, "topk");
      CHECK(some.toVector<i64>() == NDArray::from<i64>(expected, {3, 40, 2}).slice(1, 0, 7).toVector<i64>());
    }
  }
}

TEST_CASE("NaN is the largest, both zeros are equal, and the ends of i64 are in order") {
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  const NDArray x = NDArray::from<double>({nan, inf, -inf, 0, -0.0, -nan, -1}, {7});
  CHECK(argsort(x, 0, false, 7, "sort").toVector<i64>() == std::vector<i64>{2, 6, 3, 4, 1, 0, 5});
  CHECK(argsort(x, 0, true, 7, "sort").toVector<i64>() == std::vector<i64>{0, 5, 1, 3, 4, 6, 2});
  const NDArray ends =
      NDArray::from<i64>({0, std::numeric_limits<i64>::max(), std::numeric_limits<i64>::min(), -1}, {4});
  CHECK(argsort(ends, 0, false, 4, "sort").toVector<i64>() == std::vector<i64>{2, 3, 0, 1});
  CHECK(toString(argsort(NDArray::zeros({2, 0}), 1, false, 0, "sort").shape()) == "[2, 0]");
  CHECK(headlineOf<ValueError>([&] { argsort(ends, 0, false, 5, "topk"); }) ==
        "[topk] ValueError: 5 elements of the 4 on axis 0");
}
