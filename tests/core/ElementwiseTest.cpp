// core/kernels/{Unary,Binary,Compare,InPlace}.cpp against plain loops in f64.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <tuple>

#include <ember/core/Error.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/Elementwise.h>
#include <ember/core/kernels/VectorMath.h>

#include "core/Loops.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::core;
using namespace ember::test;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity(),
                 notANumber = std::numeric_limits<double>::quiet_NaN();
// One rounding of an f32 result is 6e-8 of its size; the functions are within 2 ulp, arguments of sin and cos are
// small.
constexpr double toleranceF32 = 3e-7;
// std's own functions on both sides; only contraction to fused multiply-adds differs.
constexpr double toleranceF64 = 4e-16;

const std::vector<std::pair<Shape, Shape>> pairsOfShapes = {{{2, 3}, {2, 3}},          {{2, 3}, {3}},
                                                            {{2, 1}, {1, 3}},          {{}, {2, 3}},
                                                            {{2, 3, 4, 5}, {}},        {{2, 3, 4, 5}, {1, 3, 1, 1}},
                                                            {{3, 1, 1}, {2, 3, 4, 5}}, {{2, 3, 4, 5}, {2, 3, 4, 5}},
                                                            {{2, 1, 4, 1}, {3, 1, 5}}, {{0, 3}, {3}},
                                                            {{2, 0, 3}, {1, 1, 1}},    {{1}, {1, 1, 1}},
                                                            {{40, 33, 30}, {33, 1}},   {{5, 1}, {1, 70000}}};

double unaryOracle(Unary kind, double x) {
  switch (kind) {
    case Unary::Neg:
      return -x;
    case Unary::Abs:
      return std::abs(x);
    case Unary::Sign:
      return std::isnan(x) ? x : (x > 0) - (x < 0);
    case Unary::Exp:
      return std::exp(x);
    case Unary::Log:
      return std::log(x);
    case Unary::Log1p:
      return std::log1p(x);
    case Unary::Expm1:
      return std::expm1(x);
    case Unary::Sqrt:
      return std::sqrt(x);
    case Unary::Rsqrt:
      return 1 / std::sqrt(x);
    case Unary::Reciprocal:
      return 1 / x;
    case Unary::Square:
      return x * x;
    case Unary::Sin:
      return std::sin(x);
    case Unary::Cos:
      return std::cos(x);
    case Unary::Tanh:
      return std::tanh(x);
    case Unary::Sigmoid:
      return 1 / (1 + std::exp(-x));
    case Unary::Erf:
      return std::erf(x);
    case Unary::Floor:
      return std::floor(x);
    case Unary::Ceil:
      return std::ceil(x);
    case Unary::Round:
      return std::nearbyint(x);
    case Unary::Relu:
      return x > 0 ? x : x * 0;
    case Unary::Gelu:
      return x * 0.5 * std::erfc(-x / std::sqrt(2.0));
    case Unary::GeluTanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
    case Unary::Silu:
      return x / (1 + std::exp(-x));
    case Unary::Softplus:
      return std::log1p(std::exp(-std::abs(x))) + std::max(x, 0.0);
  }
  return notANumber;
}

const std::vector<Unary> allUnary = {Unary::Neg,    Unary::Abs,      Unary::Sign, Unary::Exp,     Unary::Log,
                                     Unary::Log1p,  Unary::Expm1,    Unary::Sqrt, Unary::Rsqrt,   Unary::Reciprocal,
                                     Unary::Square, Unary::Sin,      Unary::Cos,  Unary::Tanh,    Unary::Sigmoid,
                                     Unary::Erf,    Unary::Floor,    Unary::Ceil, Unary::Round,   Unary::Relu,
                                     Unary::Gelu,   Unary::GeluTanh, Unary::Silu, Unary::Softplus};

bool needsPositive(Unary kind) {
  return kind == Unary::Log || kind == Unary::Log1p || kind == Unary::Sqrt || kind == Unary::Rsqrt ||
         kind == Unary::Reciprocal;
}

float valueOf(Unary kind, float x) { return static_cast<float>(unary(kind, NDArray::scalar(x), "test").item()); }

/// Error of an f32 result in units of its last place.
double ulps(float actual, double expected) {
  const float rounded = static_cast<float>(std::abs(expected));
  const double unit = static_cast<double>(std::nextafter(rounded, std::numeric_limits<float>::infinity())) - rounded;
  return std::abs(actual - expected) / unit;
}

}  // namespace

TEST_CASE("unary functions agree with plain loops in every layout and floating type") {
  for (const Unary kind : allUnary) {
    CAPTURE(static_cast<int>(kind));
    for (const Shape& shape : {Shape{}, Shape{7}, Shape{3, 5}, Shape{2, 3, 4, 5}, Shape{2, 0, 3}}) {
      for (const DType dtype : {DType::F32, DType::F64, DType::BF16}) {
        const NDArray x = numbers(shape, 1, needsPositive(kind) ? 0.1 : -3, 3, dtype);
        std::vector<double> expected = x.toVector<double>();
        for (double& v : expected) v = unaryOracle(kind, v);
        for (const NDArray& layout : layouts(x)) {
          const NDArray y = unary(kind, layout, "test");
          CHECK(y.dtype() == dtype);
          // bf16 results are rounded once, to 8 bits.
          const double tolerance = dtype == DType::F32 ? toleranceF32 : dtype == DType::F64 ? 10 * toleranceF64 : 4e-3;
          CHECK(worst(y.toVector<double>(), expected) <= tolerance);
        }
      }
    }
  }
}

TEST_CASE("exp, log, tanh, sigmoid and erf in f32 are within three units of the last place") {
  double exp = 0, log = 0, tanh = 0, sigmoid = 0, erf = 0;
  for (float x = -87.0f; x < 88.7f; x += 0.0313f) {
    exp = std::max(exp, ulps(valueOf(Unary::Exp, x), std::exp(static_cast<double>(x))));
    sigmoid = std::max(sigmoid, ulps(valueOf(Unary::Sigmoid, x), 1 / (1 + std::exp(-static_cast<double>(x)))));
  }
  for (float x = 1e-40f; x < 1e38f; x *= 1.0131f) {
    log = std::max(log, ulps(valueOf(Unary::Log, x), std::log(static_cast<double>(x))));
  }
  for (float x = 1e-6f; x < 12; x *= 1.0031f) {
    tanh = std::max(tanh, ulps(valueOf(Unary::Tanh, x), std::tanh(static_cast<double>(x))));
  }
  for (float x = -5; x < 5; x += 0.00313f) {
    erf = std::max(erf, ulps(valueOf(Unary::Erf, x), std::erf(static_cast<double>(x))));
  }
  CHECK(exp < 2);
  CHECK(erf < 3);
  CHECK(log < 2);
  CHECK(tanh < 2);
  CHECK(sigmoid < 3);  // two roundings more
}

TEST_CASE("expm1 in f32 is within four units of the last place, near 0 as well") {
  double expm1 = 0;
  for (float x = -20.0f; x < 88.7f; x += 0.00713f) {
    expm1 = std::max(expm1, ulps(valueOf(Unary::Expm1, x), std::expm1(static_cast<double>(x))));
  }
  for (float x = 1e-30f; x < 1; x *= 1.031f) {
    for (const float signedX : {x, -x}) {
      expm1 = std::max(expm1, ulps(valueOf(Unary::Expm1, signedX), std::expm1(static_cast<double>(signedX))));
    }
  }
  CHECK(expm1 < 4);
}

TEST_CASE("functions keep NaN and reach their limits") {
  for (const Unary kind : allUnary) {
    CAPTURE(static_cast<int>(kind));
    CHECK(std::isnan(valueOf(kind, std::numeric_limits<float>::quiet_NaN())));
  }
  const float inf = std::numeric_limits<float>::infinity();
  CHECK(valueOf(Unary::Exp, inf) == inf);
  CHECK(valueOf(Unary::Exp, 100) == inf);
  CHECK(valueOf(Unary::Exp, -inf) == 0);
  CHECK(valueOf(Unary::Exp, 0) == 1);
  CHECK(valueOf(Unary::Exp, -100) > 0);  // a denormal
  CHECK(valueOf(Unary::Log, 0) == -inf);
  CHECK(valueOf(Unary::Log, inf) == inf);
  CHECK(valueOf(Unary::Log, 1) == 0);
  CHECK(std::isnan(valueOf(Unary::Log, -1)));
  CHECK(valueOf(Unary::Tanh, inf) == 1);
  CHECK(valueOf(Unary::Tanh, -inf) == -1);
  CHECK(valueOf(Unary::Sigmoid, -inf) == 0);
  CHECK(valueOf(Unary::Sigmoid, inf) == 1);
  CHECK(valueOf(Unary::Sign, 0) == 0);
  CHECK(valueOf(Unary::Round, 0.5f) == 0);
  CHECK(valueOf(Unary::Round, 1.5f) == 2);
  CHECK(valueOf(Unary::Round, -2.5f) == -2);
  CHECK(valueOf(Unary::Softplus, 1000) == 1000);
  CHECK(valueOf(Unary::Softplus, -1000) == 0);
  for (const DType dtype : {DType::F32, DType::F64, DType::BF16}) {
    const NDArray ends = NDArray::from<double>({infinity, -infinity, 1e30, -1e30, 0}, {5}).to(dtype);
    const double huge = ends.toVector<double>()[2];
    CHECK(unary(Unary::Erf, ends, "test").toVector<double>() == std::vector<double>{1, -1, 1, -1, 0});
    CHECK(unary(Unary::Gelu, ends, "test").toVector<double>() == std::vector<double>{infinity, 0, huge, 0, 0});
  }
}

TEST_CASE("the branchless f32 functions have std's values at infinities, NaN, zeros, denormals and huge numbers") {
  using Function = std::pair<float (*)(float), double (*)(double)>;
  const std::vector<Function> functions = {
      {[](float x) { return vmath::exp(x); }, [](double x) { return std::exp(x); }},
      {[](float x) { return vmath::expm1(x); }, [](double x) { return std::expm1(x); }},
      {[](float x) { return vmath::log(x); }, [](double x) { return std::log(x); }},
      {[](float x) { return vmath::tanh(x); }, [](double x) { return std::tanh(x); }},
      {[](float x) { return vmath::erf(x); }, [](double x) { return std::erf(x); }},
      {[](float x) { return vmath::erfc(x); }, [](double x) { return std::erfc(x); }},
      {[](float x) { return vmath::sigmoid(x); }, [](double x) { return 1 / (1 + std::exp(-x)); }}};
  const float infinite = std::numeric_limits<float>::infinity();
  for (std::size_t i = 0; i < functions.size(); ++i) {
    for (const float size : {0.0f, 1e-45f, 1e-38f, 9.9f, 10.0f, 30.0f, 88.0f, 89.0f, 104.0f, 1e4f, 0x1p64f, 0x1p127f,
                             std::numeric_limits<float>::max(), infinite, std::numeric_limits<float>::quiet_NaN()}) {
      for (const float x : {size, -size}) {
        CAPTURE(i);
        CAPTURE(x);
        const float actual = functions[i].first(x), expected = static_cast<float>(functions[i].second(x));
        if (std::isnan(expected)) {
          CHECK(std::isnan(actual));
        } else if (std::isinf(expected)) {
          CHECK(actual == expected);
        } else {
          // 10 ulp; a result below the normal numbers may be lost (sigmoid where exp(-x) is infinite).
          CHECK(std::abs(actual - expected) <= 1.2e-6f * std::abs(expected) + std::numeric_limits<float>::min());
        }
      }
    }
  }
}

TEST_CASE("binary functions agree with plain loops for broadcast shapes in every mix of layouts") {
  const std::vector<std::pair<Binary, std::function<double(double, double)>>> cases = {
      {Binary::Add, [](double a, double b) { return a + b; }},
      {Binary::Sub, [](double a, double b) { return a - b; }},
      {Binary::Mul, [](double a, double b) { return a * b; }},
      {Binary::Div, [](double a, double b) { return a / b; }},
      {Binary::Pow, [](double a, double b) { return std::pow(a, b); }},
      {Binary::Min, [](double a, double b) { return std::min(a, b); }},
      {Binary::Max, [](double a, double b) { return std::max(a, b); }}};
  for (const auto& row : cases) {
    const Binary kind = row.first;
    CAPTURE(static_cast<int>(kind));
    for (const auto& [shapeA, shapeB] : pairsOfShapes) {
      const std::string shapes = toString(shapeA) + " " + toString(shapeB);
      CAPTURE(shapes);
      for (const DType dtype : {DType::F32, DType::F64}) {
        const NDArray a = numbers(shapeA, 1, 0.2, 2, dtype), b = numbers(shapeB, 2, 0.2, 2, dtype);
        const std::vector<double> expected = pairLoop(a, b, row.second);
        for (const NDArray& left : layouts(a)) {
          for (const NDArray& right : layouts(b)) {
            if (expected.size() > 1000 && left.isDense() == right.isDense()) continue;  // time
            const NDArray y = binary(kind, left, right, "test");
            CHECK(toString(y.shape()) == toString(broadcastShapes(shapeA, shapeB, "test")));
            CHECK(worst(y.toVector<double>(), expected) <= (dtype == DType::F32 ? toleranceF32 : toleranceF64));
          }
        }
      }
    }
  }
}

TEST_CASE("a result lies channels last as soon as one full operand does") {
  const NDArray rows = numbers({2, 3, 4, 5}, 1), channels = rows.contiguous(MemoryOrder::ChannelsLast);
  const NDArray perChannel = numbers({3, 1, 1}, 2);
  CHECK(binary(Binary::Add, rows, rows, "add").order() == MemoryOrder::RowMajor);
  CHECK(binary(Binary::Add, channels, rows, "add").order() == MemoryOrder::ChannelsLast);
  CHECK(binary(Binary::Add, rows, channels, "add").order() == MemoryOrder::ChannelsLast);
  CHECK(binary(Binary::Mul, perChannel, channels, "mul").order() == MemoryOrder::ChannelsLast);
  CHECK(unary(Unary::Relu, channels, "relu").order() == MemoryOrder::ChannelsLast);
  CHECK(unary(Unary::Relu, channels.slice(1, 0, 2), "relu").order() == MemoryOrder::ChannelsLast);
  CHECK(compare(Compare::Less, channels, perChannel, "less").order() == MemoryOrder::ChannelsLast);
}

TEST_CASE("maximum, minimum, clamp and relu pass NaN on from either side") {
  const NDArray x = NDArray::from<float>({1, NAN, NAN, -1}, {4}), y = NDArray::from<float>({NAN, 1, NAN, 2}, {4});
  for (const Binary kind : {Binary::Max, Binary::Min}) {
    const std::vector<double> values = binary(kind, x, y, "test").toVector<double>();
    CHECK(std::isnan(values[0]));
    CHECK(std::isnan(values[1]));
    CHECK(std::isnan(values[2]));
    CHECK(values[3] == (kind == Binary::Max ? 2 : -1));
  }
  CHECK(std::isnan(clamp(x, -1, 1).toVector<double>()[1]));
  CHECK(std::isnan(leakyRelu(x, 0.1).toVector<double>()[1]));
}

TEST_CASE("clamp holds numbers between its bounds, open on an infinite side") {
  const NDArray x = NDArray::from<double>({-3, -0.5, 0, 2, 9}, {5});
  CHECK(clamp(x, -1, 2.5).toVector<double>() == std::vector<double>{-1, -0.5, 0, 2, 2.5});
  CHECK(clamp(x, -infinity, 1).toVector<double>() == std::vector<double>{-3, -0.5, 0, 1, 1});
  CHECK(clamp(x.to(DType::I8), -1, 1e9).toVector<double>() == std::vector<double>{-1, 0, 0, 2, 9});
  CHECK(headlineOf<ValueError>([&] { clamp(x, notANumber, 1); }) == "[clamp] ValueError: a bound is NaN");
}

TEST_CASE("leakyRelu and the fused backwards pass a slope or nothing below zero") {
  const NDArray x = NDArray::from<float>({-2, 0, 3}, {3}), dy = NDArray::from<float>({5, 6, 7}, {3});
  CHECK(leakyRelu(x, 0.5).toVector<double>() == std::vector<double>{-1, 0, 3});
  CHECK(reluBackward(dy, unary(Unary::Relu, x, "relu")).toVector<double>() == std::vector<double>{0, 0, 7});
  CHECK(leakyReluBackward(dy, x, 0.5).toVector<double>() == std::vector<double>{2.5, 3, 7});
}

TEST_CASE("fused slopes are the derivatives of their functions in every mix of layouts") {
  const std::vector<std::tuple<Slope, Unary, bool>> rows = {
      {Slope::Sigmoid, Unary::Sigmoid, true}, {Slope::Tanh, Unary::Tanh, true},
      {Slope::Gelu, Unary::Gelu, false},      {Slope::GeluTanh, Unary::GeluTanh, false},
      {Slope::Silu, Unary::Silu, false},      {Slope::Softplus, Unary::Softplus, false}};
  for (const auto& row : rows) {
    const Unary kind = std::get<1>(row);
    CAPTURE(static_cast<int>(kind));
    for (const DType dtype : {DType::F32, DType::F64}) {
      const NDArray x = numbers({2, 3, 4, 5}, 1, -4, 4, dtype), dy = numbers({2, 3, 4, 5}, 2, -1, 1, dtype);
      const NDArray at = std::get<2>(row) ? unary(kind, x, "test") : x;
      const std::vector<double> values = x.toVector<double>(), upstream = dy.toVector<double>();
      std::vector<double> expected;
      for (std::size_t i = 0; i < values.size(); ++i) {
        constexpr double h = 1e-5;
        const double slope = (unaryOracle(kind, values[i] + h) - unaryOracle(kind, values[i] - h)) / (2 * h);
        expected.push_back(upstream[i] * slope);
      }
      for (const NDArray& left : layouts(dy)) {
        for (const NDArray& right : layouts(at)) {
          // Central differences are good to 1e-10; f32 values of y near 1 lose digits in 1 - y.
          const double tolerance = dtype == DType::F32 ? 5e-7 : 1e-9;
          CHECK(worst(timesSlope(std::get<0>(row), left, right).toVector<double>(), expected) <= tolerance);
        }
      }
    }
  }
  CHECK(headlineOf<ShapeError>([] { reluBackward(NDArray::zeros({2}), NDArray::zeros({3})); }) ==
        "[reluBackward] ShapeError: the gradient is [2], the value [3]");
}

TEST_CASE("integers wrap on overflow and divide towards zero") {
  const NDArray a = NDArray::from<i8>({127, -128, -7, 7, -128}, {5}), b = NDArray::from<i8>({1, -1, 2, -2, 1}, {5});
  CHECK(binary(Binary::Add, a, b, "add").toVector<i64>() == std::vector<i64>{-128, 127, -5, 5, -127});
  CHECK(binary(Binary::Div, a, b, "div").toVector<i64>() == std::vector<i64>{127, -128, -3, -3, -128});
  const i64 least = std::numeric_limits<i64>::min();
  const NDArray c = NDArray::from<i64>({least, 3}, {2}), minusOne = NDArray::from<i64>({-1}, {1});
  CHECK(binary(Binary::Div, c, minusOne, "div").toVector<i64>() == std::vector<i64>{least, -3});
  CHECK(unary(Unary::Neg, c, "neg").toVector<i64>() == std::vector<i64>{least, -3});
  CHECK(unary(Unary::Abs, NDArray::from<i32>({-5, 5}, {2}), "abs").toVector<i64>() == std::vector<i64>{5, 5});
  const NDArray base = NDArray::from<i32>({-2, 3, 10}, {3}), exponent = NDArray::from<i32>({3, 0, 9}, {3});
  CHECK(binary(Binary::Pow, base, exponent, "pow").toVector<i64>() == std::vector<i64>{-8, 1, 1000000000});
}

TEST_CASE("integer division by zero and negative integer powers are errors") {
  const NDArray a = NDArray::from<i32>({1, 2}, {2}), b = NDArray::from<i32>({1, 0}, {2}),
                c = NDArray::from<i32>({-1}, {1});
  CHECK(headlineOf<ValueError>([&] { binary(Binary::Div, a, b, "div"); }) ==
        "[div] ValueError: integer division by zero");
  CHECK(headlineOf<ValueError>([&] { binary(Binary::Pow, a, c, "pow"); }) ==
        "[pow] ValueError: an integer to the negative power -1");
  const NDArray f = a.to(DType::F32);
  CHECK(std::isinf(binary(Binary::Div, f, b.to(DType::F32), "div").toVector<double>()[1]));
}

TEST_CASE("shapes that do not broadcast and types that differ are named in the error") {
  const NDArray a = NDArray::zeros({2, 3}), b = NDArray::zeros({2, 4});
  CHECK(headlineOf<ShapeError>([&] { binary(Binary::Add, a, b, "add"); }) ==
        "[add] ShapeError: cannot broadcast [2, 3] with [2, 4]: sizes 3 and 4 differ at axis 1");
  CHECK(headlineOf<DtypeError>([&] { binary(Binary::Mul, a, a.to(DType::F64), "mul"); }) ==
        "[mul] DtypeError: a is f32 and b is f64");
  CHECK(headlineOf<DtypeError>([&] { compare(Compare::Less, a, a.to(DType::I64), "less"); }) ==
        "[less] DtypeError: a is f32 and b is i64");
  CHECK(headlineOf<DtypeError>([&] { unary(Unary::Exp, a.to(DType::I32), "exp"); }) ==
        "[exp] DtypeError: x is i32, expected a floating type");
  CHECK(headlineOf<DtypeError>([&] { binary(Binary::Add, a.to(DType::Bool), a.to(DType::Bool), "add"); }) ==
        "[add] DtypeError: x is bool, expected numbers");
  CHECK(headlineOf<DtypeError>([&] { where(a, a, a, "where"); }) ==
        "[where] DtypeError: the condition is f32, expected bool");
}

TEST_CASE("comparisons follow IEEE: nothing is equal to or ordered with NaN") {
  const NDArray a = NDArray::from<double>({1, 2, notANumber, notANumber}, {4});
  const NDArray b = NDArray::from<double>({1, 3, 1, notANumber}, {4});
  const auto result = [&](Compare kind) { return compare(kind, a, b, "test").toVector<i64>(); };
  CHECK(result(Compare::Equal) == std::vector<i64>{1, 0, 0, 0});
  CHECK(result(Compare::NotEqual) == std::vector<i64>{0, 1, 1, 1});
  CHECK(result(Compare::Less) == std::vector<i64>{0, 1, 0, 0});
  CHECK(result(Compare::LessEqual) == std::vector<i64>{1, 1, 0, 0});
  CHECK(result(Compare::Greater) == std::vector<i64>{0, 0, 0, 0});
  CHECK(result(Compare::GreaterEqual) == std::vector<i64>{1, 0, 0, 0});
}

TEST_CASE("comparisons of every type agree with plain loops for broadcast shapes") {
  for (const DType dtype :
       {DType::F32, DType::F64, DType::BF16, DType::I64, DType::I32, DType::I8, DType::U8, DType::Bool}) {
    for (const auto& [shapeA, shapeB] : pairsOfShapes) {
      const NDArray a = numbers(shapeA, 1, 0, 3, dtype), b = numbers(shapeB, 2, 0, 3, dtype);
      const NDArray y = compare(Compare::Less, a, b, "less");
      CHECK(y.dtype() == DType::Bool);
      CHECK(worst(y.toVector<double>(), pairLoop(a, b, [](double l, double r) { return l < r; })) == 0);
    }
  }
}

TEST_CASE("where chooses by the condition, all three broadcast, in every mix of layouts") {
  const NDArray condition = NDArray::from<i64>({1, 0, 0, 1, 1, 0}, {2, 3, 1}).to(DType::Bool);
  const NDArray a = numbers({3, 4}, 1), b = numbers({2, 1, 4}, 2);
  const std::vector<double> x = a.toVector<double>(), y = b.toVector<double>(), c = condition.toVector<double>();
  std::vector<double> expected;
  for (std::size_t i = 0; i < 2; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      for (std::size_t k = 0; k < 4; ++k) expected.push_back(c[i * 3 + j] != 0 ? x[j * 4 + k] : y[i * 4 + k]);
    }
  }
  for (const NDArray& left : layouts(a)) {
    for (const NDArray& right : layouts(b)) {
      CHECK(worst(where(condition, left, right, "where").toVector<double>(), expected) == 0);
    }
  }
}

TEST_CASE("adding and scaling in place reach every element of a view and report the writer") {
  for (const DType dtype : {DType::F32, DType::F64, DType::BF16, DType::I64, DType::I32, DType::I8, DType::U8}) {
    NDArray whole = NDArray::full({4, 6, 5}, 2, dtype);
    NDArray view = whole.slice(1, 1, 6, 2);
    const NDArray source = NDArray::full({4, 3, 5}, 3, dtype, MemoryOrder::ChannelsLast);
    const u64 before = whole.version();
    addInPlace(view, source, "adder");
    scaleInPlace(view, 2, "scaler");
    CHECK(whole.version() == before + 2);
    CHECK(whole.storage()->lastWriter().starts_with("scaler"));
    for (i64 i = 0; i < 6; ++i) {
      for (const double v : whole.select(1, i).toVector<double>()) CHECK(v == (i % 2 == 1 ? 10 : 2));
    }
  }
}

TEST_CASE("adding an overlapping view in place reads before it writes") {
  NDArray x = NDArray::from<double>({1, 2, 3, 4, 5}, {5});
  NDArray tail = x.slice(0, 1, 5);
  addInPlace(tail, x.slice(0, 0, 4), "test");
  CHECK(x.toVector<double>() == std::vector<double>{1, 3, 5, 7, 9});
}

TEST_CASE("one NaN or infinity anywhere makes an array not finite") {
  for (const DType dtype : {DType::F32, DType::F64, DType::BF16}) {
    NDArray x = NDArray::full({100000}, 1e30, dtype);
    CHECK(allFinite(x));
    for (const double bad : {notANumber, infinity, -infinity}) {
      NDArray one = x.copy();
      NDArray place = one.slice(0, 77777, 77778);
      fill(place, bad, nullptr);
      CHECK_FALSE(allFinite(one));
      CHECK_FALSE(allFinite(one.slice(0, 1, 100000, 2)));
      CHECK(allFinite(one.slice(0, 0, 100000, 2)));
    }
  }
  CHECK(allFinite(NDArray::full({3}, 5, DType::I32)));
  CHECK(allFinite(NDArray::zeros({0})));
}

TEST_CASE("results on two threads are those on one") {
  const NDArray a = numbers({64, 16, 30, 9}, 1), b = numbers({64, 16, 30, 9}, 2).contiguous(MemoryOrder::ChannelsLast);
  const int before = threads();
  std::vector<std::vector<double>> results;
  for (const int count : {1, 2}) {
    setThreads(count);
    results.push_back(binary(Binary::Mul, unary(Unary::Exp, a, "exp"), b.slice(3, 0, 9), "mul").toVector<double>());
  }
  setThreads(before);
  CHECK(results[0] == results[1]);
}
