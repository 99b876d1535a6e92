// core/kernels/{Reduce,ArgMax}.cpp against plain loops in f64.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include <ember/core/Error.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/Elementwise.h>
#include <ember/core/kernels/Reduce.h>

#include "core/Loops.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::core;
using namespace ember::test;

namespace {

// Sums run in f64 and are rounded once, a product rounds at each factor in f64.
constexpr double toleranceF32 = 1e-7, toleranceF64 = 1e-13;

struct Case {
  Shape shape;
  std::vector<int> axes;
};
const std::vector<Case> cases = {{{}, {}},
                                 {{1}, {0}},
                                 {{7}, {}},
                                 {{3, 5}, {}},
                                 {{3, 5}, {0}},
                                 {{3, 5}, {-1}},
                                 {{2, 3, 4, 5}, {}},
                                 {{2, 3, 4, 5}, {1}},
                                 {{2, 3, 4, 5}, {3}},
                                 {{2, 3, 4, 5}, {2, 3}},
                                 {{2, 3, 4, 5}, {0, 2, 3}},
                                 {{2, 3, 4, 5}, {0, 3}},
                                 {{2, 3, 4, 5}, {1, 2}},
                                 {{2, 3, 4, 5}, {3, 0, 1, 2}},
                                 {{4, 1, 3}, {1}},
                                 {{5, 300}, {0}},
                                 {{3, 40000}, {1}},
                                 {{40000, 3}, {0}},
                                 {{70000}, {}},
                                 {{9, 17, 513}, {0, 1}},
                                 {{9, 17, 513}, {1}},
                                 {{2, 5, 70, 900}, {0, 2, 3}}};

/// The reduction in the order of the elements; the accumulator starts with the first one.
std::vector<double> oracle(const NDArray& x, const std::vector<int>& axes,
                           const std::function<double(double, double)>& join) {
  Shape kept = reduceShape(x.shape(), axes, true, "test");
  std::vector<double> result(static_cast<std::size_t>(numel(kept)));
  std::vector<bool> begun(result.size(), false);
  const std::vector<double> values = x.toVector<double>();
  for (i64 i = 0; i < x.numel(); ++i) {
    const std::size_t to = broadcastPosition(x.shape(), kept, i);
    const double v = values[static_cast<std::size_t>(i)];
    result[to] = begun[to] ? join(result[to], v) : v;
    begun[to] = true;
  }
  return result;
}

double add(double a, double b) { return a + b; }

}  // namespace

TEST_CASE("reductions over any axes agree with plain loops in every layout") {
  for (const Case& c : cases) {
    const std::string shape = toString(c.shape);
    CAPTURE(shape);
    for (const DType dtype : {DType::F32, DType::F64}) {
      const NDArray x = numbers(c.shape, 1, -1, 1, dtype);
      const double tolerance = dtype == DType::F32 ? toleranceF32 : toleranceF64;
      const std::vector<double> sums = oracle(x, c.axes, add);
      std::vector<double> means = sums;
      for (double& v : means) v /= static_cast<double>(x.numel()) / static_cast<double>(sums.size());
      const auto max = oracle(x, c.axes, [](double a, double b) { return std::max(a, b); });
      const auto min = oracle(x, c.axes, [](double a, double b) { return std::min(a, b); });
      for (const NDArray& layout : layouts(x)) {
        for (const bool keepDims : {false, true}) {
          const auto run = [&](Reduction kind) { return reduce(kind, layout, c.axes, keepDims, "test"); };
          CHECK(toString(run(Reduction::Sum).shape()) == toString(reduceShape(c.shape, c.axes, keepDims, "test")));
          CHECK(worst(run(Reduction::Sum).toVector<double>(), sums) <= tolerance * 10);
          CHECK(worst(run(Reduction::Mean).toVector<double>(), means) <= tolerance);
          CHECK(worst(run(Reduction::Max).toVector<double>(), max) == 0);
          CHECK(worst(run(Reduction::Min).toVector<double>(), min) == 0);
        }
      }
    }
  }
}

TEST_CASE("products agree with plain loops") {
  for (const Case& c : cases) {
    // Factors near 1 keep long products finite; 70000 roundings in f64 add up to 1e-11.
    const NDArray x = numbers(c.shape, 2, 0.999, 1.001, DType::F64);
    const auto expected = oracle(x, c.axes, [](double a, double b) { return a * b; });
    for (const NDArray& layout : layouts(x)) {
      CHECK(worst(reduce(Reduction::Prod, layout, c.axes, false, "prod").toVector<double>(), expected) <= 1e-11);
    }
  }
}

TEST_CASE("integers are summed exactly, and small types and bools into i64") {
  for (const DType dtype : {DType::I64, DType::I32, DType::I8, DType::U8, DType::Bool}) {
    for (const Case& c : cases) {
      const NDArray x = numbers(c.shape, 3, 0, 100, dtype);
      const NDArray sum = reduce(Reduction::Sum, x, c.axes, false, "sum");
      CHECK(sum.dtype() == DType::I64);
      CHECK(worst(sum.toVector<double>(), oracle(x, c.axes, add)) == 0);
      const NDArray max = reduce(Reduction::Max, x, c.axes, false, "max");
      CHECK(max.dtype() == dtype);
      CHECK(worst(max.toVector<double>(), oracle(x, c.axes, [](double a, double b) { return std::max(a, b); })) == 0);
    }
  }
}

TEST_CASE("a sum of many f32 does not lose the small ones") {
  NDArray x = NDArray::full({1 << 20}, 1e-3);
  NDArray first = x.slice(0, 0, 1);
  fill(first, 1e6, nullptr);
  // f32 accumulation would stay at 1e6: an ulp there is 0.06.
  const double expected = 1e6 + ((1 << 20) - 1) * static_cast<double>(1e-3f);
  CHECK(reduce(Reduction::Sum, x, {}, false, "sum").item() == static_cast<float>(expected));
}

TEST_CASE("NaN wins every maximum and minimum, wherever it stands") {
  for (const i64 place : {0, 1, 17, 63, 64, 999}) {
    NDArray x = numbers({1000}, 4);
    NDArray one = x.slice(0, place, place + 1);
    fill(one, std::numeric_limits<double>::quiet_NaN(), nullptr);
    for (const Reduction kind : {Reduction::Max, Reduction::Min}) {
      CHECK(std::isnan(reduce(kind, x, {}, false, "test").item()));
      const NDArray columns = reduce(kind, x.reshape({10, 100}), {0}, false, "test");
      CHECK(std::isnan(columns.select(0, place % 100).item()));
    }
    CHECK(argmax(x, 0, false).item() == static_cast<double>(place));
  }
  const NDArray infinite = NDArray::full({3}, -std::numeric_limits<double>::infinity());
  CHECK(reduce(Reduction::Max, infinite, {}, false, "max").item() == -std::numeric_limits<double>::infinity());
}

TEST_CASE("sums and products of nothing are 0 and 1; means and extremes of nothing are errors") {
  const NDArray x = NDArray::zeros({2, 0, 3});
  CHECK(reduce(Reduction::Sum, x, {1}, false, "sum").toVector<double>() == std::vector<double>(6, 0));
  CHECK(reduce(Reduction::Prod, x, {1}, false, "prod").toVector<double>() == std::vector<double>(6, 1));
  CHECK(headlineOf<ValueError>([&] { reduce(Reduction::Mean, x, {1}, false, "mean"); }) ==
        "[mean] ValueError: a mean over 0 elements");
  CHECK(headlineOf<ValueError>([&] { reduce(Reduction::Max, x, {}, false, "amax"); }) ==
        "[amax] ValueError: a maximum over 0 elements");
  CHECK(toString(reduce(Reduction::Mean, x, {0}, false, "mean").shape()) == "[0, 3]");
  CHECK(toString(reduce(Reduction::Max, x, {2}, true, "amax").shape()) == "[2, 0, 1]");
}

TEST_CASE("axes outside the rank or given twice, and means of integers, are errors") {
  const NDArray x = NDArray::zeros({2, 3});
  CHECK(headlineOf<ShapeError>([&] { reduce(Reduction::Sum, x, {2}, false, "sum"); }) ==
        "[sum] ShapeError: axis 2 is outside rank 2");
  CHECK(headlineOf<ShapeError>([&] {
          reduce(Reduction::Sum, x, {1, -1}, false, "sum");
        }) == "[sum] ShapeError: axis -1 is given twice");
  CHECK(headlineOf<DtypeError>([&] { reduce(Reduction::Mean, x.to(DType::I32), {}, false, "mean"); }) ==
        "[mean] DtypeError: a mean of i32");
}

TEST_CASE("reductions that keep their axes keep channels last") {
  const NDArray x = numbers({2, 3, 4, 5}, 1).contiguous(MemoryOrder::ChannelsLast);
  CHECK(reduce(Reduction::Sum, x, {0}, true, "sum").order() == MemoryOrder::ChannelsLast);
  CHECK(reduce(Reduction::Sum, x, {0}, false, "sum").isDense());
}

TEST_CASE("sums have the same bits on one thread and on two threads") {
  const NDArray x = numbers({37, 11, 61, 13}, 5);
  const int before = threads();
  for (const NDArray& layout : layouts(x)) {
    for (const std::vector<int>& axes : {std::vector<int>{}, {0, 2, 3}, {3}, {0}}) {
      setThreads(1);
      const std::vector<float> one = reduce(Reduction::Sum, layout, axes, false, "sum").toVector<float>();
      setThreads(2);
      CHECK(reduce(Reduction::Sum, layout, axes, false, "sum").toVector<float>() == one);
    }
  }
  setThreads(before);
}

TEST_CASE("argmax finds the first maximum along any axis in every layout") {
  for (const Shape& shape : {Shape{6}, Shape{4, 7}, Shape{2, 5, 3, 70}, Shape{300, 200}}) {
    // Few different values make ties.
    const NDArray x = numbers(shape, 6, 0, 5, DType::I32).to(DType::F32);
    const std::vector<double> values = x.toVector<double>();
    for (int axis = 0; axis < shape.rank(); ++axis) {
      Shape kept = shape;
      kept[axis] = 1;
      i64 step = 1;
      for (int i = axis + 1; i < shape.rank(); ++i) step *= shape[i];
      std::vector<double> best(static_cast<std::size_t>(numel(kept)), -1), expected(best.size());
      for (i64 i = 0; i < x.numel(); ++i) {
        const std::size_t to = broadcastPosition(shape, kept, i);
        if (values[static_cast<std::size_t>(i)] > best[to]) {
          best[to] = values[static_cast<std::size_t>(i)];
          expected[to] = static_cast<double>(i / step % shape[axis]);
        }
      }
      for (const NDArray& layout : layouts(x)) {
        CHECK(argmax(layout, axis, true).toVector<double>() == expected);
        CHECK(argmax(layout, axis - shape.rank(), false).toVector<double>() == expected);
      }
    }
  }
  CHECK(headlineOf<ValueError>([] {
          argmax(NDArray::zeros({2, 0}), 1, false);
        }) == "[argmax] ValueError: a maximum over 0 elements");
  CHECK(argmax(NDArray::zeros({0, 2}), 1, false).numel() == 0);
}

TEST_CASE("sumTo is the adjoint of expand") {
  const std::vector<std::pair<Shape, Shape>> pairs = {
      {{2, 3, 4, 5}, {1, 3, 1, 1}}, {{2, 3, 4, 5}, {3, 1, 1}}, {{2, 3}, {}},       {{2, 3}, {1, 1}},
      {{4, 2, 3}, {2, 3}},          {{2, 3}, {2, 3}},          {{3, 4, 5}, {4, 1}}};
  for (const auto& [whole, part] : pairs) {
    const NDArray x = numbers(whole, 7, -1, 1, DType::F64), small = numbers(part, 8, -1, 1, DType::F64);
    for (const NDArray& layout : layouts(x)) {
      const NDArray sums = sumTo(layout, part);
      CHECK(toString(sums.shape()) == toString(part));
      const auto dot = [](const NDArray& a, const NDArray& b) {
        return reduce(Reduction::Sum, binary(Binary::Mul, a, b, "mul"), {}, false, "sum").item();
      };
      CHECK(dot(sums, small) == doctest::Approx(dot(layout, small.expand(whole))).epsilon(1e-12));
    }
  }
  CHECK(headlineOf<ShapeError>([] { sumTo(NDArray::zeros({2, 3}), {2}); }).find("ShapeError") != std::string::npos);
}

TEST_CASE("squaredNorm sums squares in f64 over any layout") {
  for (const Shape& shape : {Shape{}, Shape{5}, Shape{3, 70, 9, 40}, Shape{0, 2}}) {
    const NDArray x = numbers(shape, 9);
    double expected = 0;
    for (const double v : x.toVector<double>()) expected += v * v;
    for (const NDArray& layout : layouts(x)) CHECK(squaredNorm(layout) == doctest::Approx(expected).epsilon(1e-12));
  }
  CHECK(squaredNorm(NDArray::full({4}, 1e30)) == doctest::Approx(4e60).epsilon(1e-6));  // beyond f32
}
