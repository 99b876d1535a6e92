#include <algorithm>
#include <limits>
#include <set>
#include <vector>

#include <doctest/doctest.h>
#include <ember/autograd/ops/Logic.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/core/Error.h>
#include <ember/core/Random.h>

#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

using Values = std::vector<double>;

TEST_CASE("linspace has both ends exactly") {
  CHECK(Tensor::linspace(0, 1, 5, DType::F64).toVector<double>() == Values{0, 0.25, 0.5, 0.75, 1});
  CHECK(Tensor::linspace(3, -3, 3).toVector<double>() == Values{3, 0, -3});
  CHECK(Tensor::linspace(2, 9, 1).toVector<double>() == Values{2});
  CHECK(Tensor::linspace(2, 9, 0).numel() == 0);
  const Values tenths = Tensor::linspace(0.1, 0.7, 7, DType::F64).toVector<double>();
  CHECK(tenths.front() == 0.1);
  CHECK(tenths.back() == 0.7);
  CHECK(headlineOf<ValueError>([] { Tensor::linspace(0, 1, -1); }) ==
        "[linspace] ValueError: the number of elements is -1");
}

TEST_CASE("eye puts ones on any diagonal") {
  CHECK(Tensor::eye(2).toVector<double>() == Values{1, 0, 0, 1});
  CHECK(Tensor::eye(2, 3, 1).toVector<double>() == Values{0, 1, 0, 0, 0, 1});
  CHECK(Tensor::eye(3, 2, -1, DType::I64).toVector<i64>() == std::vector<i64>{0, 0, 1, 0, 0, 1});
  for (const i64 outside : {i64{3}, i64{-2}, std::numeric_limits<i64>::max(), std::numeric_limits<i64>::min()}) {
    CHECK(sum(Tensor::eye(2, 3, outside)).item() == 0);
  }
  CHECK(Tensor::eye(0).numel() == 0);
  CHECK(headlineOf<ValueError>([] { Tensor::eye(-2); }) == "[eye] ValueError: the number of rows is -2");
}

TEST_CASE("random integers, permutations and coins follow the seed") {
  const auto all = [] {
    seed(3);
    return std::vector<Tensor>{Tensor::randint({200}, -2, 3), Tensor::randperm(50), Tensor::bernoulli({1000}, 0.3)};
  };
  const std::vector<Tensor> once = all(), again = all();
  for (std::size_t i = 0; i < once.size(); ++i) CHECK(once[i].toVector<double>() == again[i].toVector<double>());
  const std::vector<i64> numbers = once[0].toVector<i64>(), order = once[1].toVector<i64>();
  CHECK(std::set<i64>(numbers.begin(), numbers.end()) == std::set<i64>{-2, -1, 0, 1, 2});
  CHECK(std::set<i64>(order.begin(), order.end()).size() == 50);
  CHECK(*std::max_element(order.begin(), order.end()) == 49);
  CHECK(mean(once[2]).item() == doctest::Approx(0.3).epsilon(0.2));  // four standard errors of 0.0145
  CHECK(all()[0].toVector<i64>() != Tensor::randint({200}, -2, 3).toVector<i64>());
  CHECK(Tensor::randint({3}, std::numeric_limits<i64>::min(), std::numeric_limits<i64>::max()).numel() == 3);
  CHECK(headlineOf<ValueError>([] { Tensor::randint({2}, 4, 4); }) ==
        "[randint] ValueError: there is no number from 4 to below 4");
  CHECK_THROWS_AS(Tensor::randint({2}, 0, 300, DType::U8), ValueError);
  CHECK_THROWS_AS(Tensor::randperm(-1), ValueError);
  CHECK_THROWS_AS(Tensor::bernoulli({2}, 1.5), ValueError);
}

TEST_CASE("draws refuse ranges that are none") {
  CHECK(headlineOf([] { Tensor::uniform({2}, 1, 0); }) == "[uniform] ValueError: low is 1 and high 0");
  CHECK(headlineOf([] { Tensor::normal({2}, 0, -1); }) ==
        "[normal] ValueError: the mean is 0 and the standard deviation -1");
}
