#include <cmath>
#include <functional>

#include <doctest/doctest.h>

#include <ember/ember.h>

#include "support/Draw.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

namespace {

struct Moments {
  double mean, std, least, greatest;
};

Moments momentsOf(const Tensor& t) {
  const std::vector<double> values = t.toVector<double>();
  double sum = 0, squares = 0, least = values[0], greatest = values[0];
  for (const double v : values) {
    sum += v;
    squares += v * v;
    least = std::min(least, v);
    greatest = std::max(greatest, v);
  }
  const double n = static_cast<double>(values.size()), mean = sum / n;
  return {mean, std::sqrt(squares / n - mean * mean), least, greatest};
}

const Shape filters{64, 16, 5, 5};  // 25,600 values: the mean of them errs by std/160, their std by std/226
constexpr double fanIn = 16 * 25, fanOut = 64 * 25;

/// Four standard errors, so that no seed that is not special fails.
void checkNormal(const Tensor& t, double mean, double std) {
  const Moments m = momentsOf(t);
  CHECK(std::abs(m.mean - mean) < 4 * std / 160);
  CHECK(std::abs(m.std - std) < 4 * std / 226);
  CHECK(m.greatest - mean > 3 * std);
  CHECK(mean - m.least > 3 * std);
}

void checkUniform(const Tensor& t, double low, double high) {
  const Moments m = momentsOf(t);
  const double std = (high - low) / std::sqrt(12.0);
  CHECK(std::abs(m.mean - (low + high) / 2) < 4 * std / 160);
  CHECK(std::abs(m.std - std) < 4 * std / 226);
  // f32 rounds a bound by 6e-8 of itself; 25,600 draws leave less than a thousandth at each end.
  CHECK(m.least >= low - 1e-7 * std::abs(low));
  CHECK(m.greatest <= high + 1e-7 * std::abs(high));
  CHECK(m.least < low + 1e-3 * (high - low));
  CHECK(m.greatest > high - 1e-3 * (high - low));
}

}  // namespace

TEST_CASE("initialisers draw what they promise") {
  seed(1);
  Tensor t = Tensor::empty(filters);
  nn::init::constant_(t, 0.25);
  for (const double v : t.toVector<double>()) REQUIRE(v == 0.25);
  nn::init::uniform_(t, -2, 5);
  checkUniform(t, -2, 5);
  nn::init::uniform_(t);
  checkUniform(t, 0, 1);
  nn::init::normal_(t, 3, 0.5);
  checkNormal(t, 3, 0.5);
  nn::init::normal_(t);
  checkNormal(t, 0, 1);
}

TEST_CASE("Kaiming and Xavier take their widths from the fans") {
  seed(2);
  Tensor t = Tensor::empty(filters);
  const double gain = std::sqrt(2.0), leaky = std::sqrt(2 / (1 + 0.2 * 0.2));
  nn::init::kaimingNormal_(t);
  checkNormal(t, 0, gain / std::sqrt(fanIn));
  nn::init::kaimingNormal_(t, 0.2, nn::init::Fan::Out);
  checkNormal(t, 0, leaky / std::sqrt(fanOut));
  nn::init::kaimingUniform_(t);
  checkUniform(t, -gain * std::sqrt(3 / fanIn), gain * std::sqrt(3 / fanIn));
  nn::init::kaimingUniform_(t, 0.2, nn::init::Fan::Out);
  checkUniform(t, -leaky * std::sqrt(3 / fanOut), leaky * std::sqrt(3 / fanOut));
  nn::init::xavierNormal_(t, 0.5);
  checkNormal(t, 0, 0.5 * std::sqrt(2 / (fanIn + fanOut)));
  nn::init::xavierUniform_(t);
  checkUniform(t, -std::sqrt(6 / (fanIn + fanOut)), std::sqrt(6 / (fanIn + fanOut)));
}

TEST_CASE("fans are those of [out, in, spatial...]") {
  const nn::init::Fans plain = nn::init::fansOf({10, 4}), conv = nn::init::fansOf({8, 3, 5, 7});
  CHECK(plain.in == 4);
  CHECK(plain.out == 10);
  CHECK(conv.in == 3 * 35);
  CHECK(conv.out == 8 * 35);
  CHECK(headlineOf<ShapeError>([] { nn::init::fansOf({4}); }) ==
        "[init] ShapeError: fan-in and fan-out need a weight of rank 2 or more, got [4]");
  Tensor flat = Tensor::ones({4});
  CHECK_THROWS_AS(nn::init::kaimingUniform_(flat), ShapeError);
  CHECK_THROWS_AS(nn::init::xavierNormal_(flat), ShapeError);
  CHECK(momentsOf(flat).least == 1);
}

TEST_CASE("numbers out of range are refused, and nothing is drawn for them") {
  seed(3);
  Tensor t = Tensor::ones({2, 2});
  const double nan = std::nan(""), infinite = HUGE_VAL;
  CHECK(headlineOf<ValueError>([&] { nn::init::uniform_(t, 1, 0); }) ==
        "[init] ValueError: uniform_ needs finite bounds in growing order");
  CHECK_THROWS_AS(nn::init::uniform_(t, 0, infinite), ValueError);
  CHECK_THROWS_AS(nn::init::normal_(t, nan, 1), ValueError);
  CHECK_THROWS_AS(nn::init::normal_(t, 0, -1), ValueError);
  CHECK_THROWS_AS(nn::init::kaimingNormal_(t, nan), ValueError);
  CHECK_THROWS_AS(nn::init::xavierUniform_(t, infinite), ValueError);
  CHECK(t.toVector<double>() == std::vector<double>{1, 1, 1, 1});
  nn::init::uniform_(t);
  seed(3);
  Tensor again = Tensor::empty({2, 2});
  nn::init::uniform_(again);
  CHECK(sameBits(t, again));
}

TEST_CASE("a net is a function of the seed, whatever was drawn or run before") {
  const auto make = [] { return nn::Sequential(nn::Linear(3, 4), nn::BatchNorm1D(4), nn::Linear(4, 2)); };
  seed(7);
  nn::Sequential a = make();
  seed(7);
  (void)Tensor::uniform({5});
  nn::Sequential b = make();
  seed(8);
  nn::Sequential c = make();
  nn::Sequential later = make();
  const auto weights = [](const nn::Sequential& net) { return net.namedParameters()[0].tensor; };
  CHECK(sameBits(weights(a), weights(b)));
  CHECK(!sameBits(weights(a), weights(c)));
  CHECK(!sameBits(weights(c), weights(later)));
  CHECK(sameBits(a.namedParameters()[4].tensor, b.namedParameters()[4].tensor));
}

TEST_CASE("the stream is the same for every type and every memory order") {
  seed(4);
  Tensor wide = Tensor::empty({8, 4, 3, 3}, DType::F64);
  nn::init::normal_(wide);
  seed(4);
  Tensor narrow = Tensor::empty({8, 4, 3, 3});
  nn::init::normal_(narrow);
  seed(4);
  Tensor turned(core::NDArray::empty({8, 4, 3, 3}, DType::F64, MemoryOrder::ChannelsLast));
  nn::init::normal_(turned);
  CHECK(sameBits(wide.to(DType::F32), narrow));
  CHECK(sameBits(wide, turned));
}

TEST_CASE("initialisers write parameters in place, outside any graph") {
  nn::Linear layer(2, 2);
  nn::init::xavierUniform_(layer.weight);
  CHECK(layer.weight.requiresGrad());
  CHECK(layer.weight.isLeaf());
  CHECK(sameBits(layer.namedParameters()[0].tensor, layer.weight));
}

TEST_CASE("while Skip lives nothing is drawn") {
  seed(6);
  const Tensor expected = nn::Linear(2, 2).weight;
  seed(6);
  {
    const nn::init::Skip skip;
    const nn::init::Skip twice;
    CHECK(momentsOf(nn::Linear(3, 3).weight).greatest == 0);
  }
  CHECK(sameBits(nn::Linear(2, 2).weight, expected));
}
