// Identities between the norms, hard numbers, and wrong arguments; values and derivatives are OpTableTest's.
#include <cmath>
#include <functional>

#include <doctest/doctest.h>
#include <ember/autograd/ops/Ops.h>
#include <ember/core/Error.h>
#include <ember/core/Threads.h>

#include "support/Draw.h"
#include "support/Golden.h"
#include "support/Headline.h"
#include "support/Near.h"

using namespace ember;
using namespace ember::test;

namespace {

/// Without axis 0.
Shape sampleOf(Shape shape) {
  shape.erase(0);
  return shape;
}

const std::vector<Shape> shapes = {{2, 4, 3}, {1, 4, 5, 7}, {3, 4, 1, 33}, {2, 4, 2, 3, 2}};

}  // namespace

TEST_CASE("layer norm gives mean 0 and variance 1, far from 0 as well, in any memory order") {
  for (const Shape& shape : shapes) {
    for (const double centre : {0.0, 1e4}) {
      const Tensor x = draw("property", shape) + centre;
      const Shape inner = sampleOf(shape);
      std::vector<int> axes;
      for (int axis = 1; axis < x.rank(); ++axis) axes.push_back(axis);
      for (const Tensor& order : {x, Tensor(x.array().contiguous(MemoryOrder::ChannelsLast))}) {
        const Tensor y = layerNorm(order, inner, {}, {}, 0);
        CHECK(largest(mean(y, axes)) < 1e-10);  // 1e4 has an ulp of 2e-12
        CHECK(largest(var(y, axes, false, 0) - 1) < 1e-10);
      }
    }
  }
  // f32 with a deviation of 1e-5 of the mean: statistics in f32 would lose it.
  const Tensor x = (draw("narrow", {4, 1000}, -0.1, 0.1) + 1e4).to(DType::F32);
  const Tensor expected = layerNorm(x.to(DType::F64), {1000});
  CHECK_CLOSE(layerNorm(x, {1000}), expected, (Tolerance{1e-6, 1e-6}), "far from 0");
}

TEST_CASE("group norm of one group is layer norm of a sample, of as many groups as channels instance norm") {
  for (const Shape& shape : shapes) {
    const Tensor x = draw("groups", shape);
    const Shape inner = sampleOf(shape);
    CHECK_CLOSE(groupNorm(x, 1), layerNorm(x, inner), toleranceF64, "one group");
    CHECK_CLOSE(groupNorm(x, 4), instanceNorm(x), toleranceF64, "a group a channel");
  }
}

TEST_CASE("rms norm and normalize do not see the scale, and layer norm neither scale nor shift") {
  const Tensor x = draw("scale", {3, 7});
  CHECK_CLOSE(rmsNorm(x * 37, {7}, {}, 0), rmsNorm(x, {7}, {}, 0), toleranceF64, "rms norm");
  CHECK_CLOSE(normalize(x * 37), normalize(x), toleranceF64, "normalize");
  CHECK_CLOSE(layerNorm(x * 37 + 5, {7}, {}, {}, 0), layerNorm(x, {7}, {}, {}, 0), (Tolerance{1e-9, 1e-9}),
              "layer norm");
  CHECK_CLOSE(sum(square(normalize(x)), {1}), Tensor::ones({3}, DType::F64), toleranceF64, "length");
  CHECK_CLOSE(mean(square(rmsNorm(x, {7}, {}, 0)), {1}), Tensor::ones({3}, DType::F64), toleranceF64, "mean square");
}

TEST_CASE("norms of constants are 0, without NaN, and so are their gradients; normalize of 0 is 0") {
  Tensor x = Tensor::full({2, 4}, 3, DType::F64);
  x.setRequiresGrad();
  for (const double epsilon : {0.0, 1e-5}) {
    x.zeroGrad();
    const Tensor y = layerNorm(x, {4}, {}, {}, epsilon);
    CHECK(largest(y) == 0);
    y.backward({.gradient = draw("dy", {2, 4})});
    CHECK(allFinite(x.grad()));
  }
  Tensor zero = Tensor::zeros({2, 4});
  zero.setRequiresGrad();
  const Tensor y = normalize(zero);
  CHECK(largest(y) == 0);
  y.backward({.gradient = Tensor::ones({2, 4})});
  CHECK(allFinite(zero.grad()));
}

TEST_CASE("a layer norm and its gradient have the same bits for any number of threads") {
  const int before = threads();
  std::vector<Tensor> results;
  for (const int count : {1, 2, 3}) {
    setThreads(count);
    Tensor x = draw("threads", {61, 1031}).to(DType::F32);
    x.setRequiresGrad();
    const Tensor y = layerNorm(x, {1031});
    y.backward({.gradient = draw("dy", {61, 1031}).to(DType::F32)});
    results.push_back(y);
    results.push_back(x.grad());
  }
  setThreads(before);
  for (std::size_t i = 2; i < results.size(); ++i) CHECK(sameBits(results[i], results[i % 2]));
}

TEST_CASE("wrong arguments are refused under the name of the norm") {
  const Tensor x = Tensor::zeros({2, 6, 3});
  CHECK(headlineOf([&] { layerNorm(x, {6}); }) == "[layerNorm] ShapeError: x is [2, 6, 3], expected to end in [6]");
  CHECK(headlineOf([&] { layerNorm(x, {}); }).starts_with("[layerNorm] ShapeError: "));
  CHECK(headlineOf([&] { layerNorm(x, {1, 2, 6, 3}); }).starts_with("[layerNorm] ShapeError: "));
  CHECK(headlineOf([&] { layerNorm(x, {3}, Tensor::ones({6})); }) ==
        "[layerNorm] ShapeError: weight is [6], expected [3]");
  CHECK(headlineOf([&] { layerNorm(x, {3}, {}, {}, -1); }) == "[layerNorm] ValueError: epsilon is -1, must be 0 or more");
  CHECK(headlineOf([&] { layerNorm(x, {3}, {}, {}, std::nan("")); }) == "[layerNorm] ValueError: epsilon is nan");
  CHECK(headlineOf([&] { layerNorm(x, {3}, Tensor::ones({3}, DType::F64)); }) ==
        "[layerNorm] DtypeError: x is f32 and weight is f64");
  CHECK(headlineOf([&] { rmsNorm(x, {2}); }).starts_with("[rmsNorm] ShapeError: "));
  CHECK(headlineOf([&] { groupNorm(x, 4); }) ==
        "[groupNorm] ShapeError: 4 groups do not divide the channels of x [2, 6, 3]");
  CHECK(headlineOf([&] { groupNorm(x, 0); }).starts_with("[groupNorm] ShapeError: 0 groups"));
  CHECK(headlineOf([&] { groupNorm(x, 2, Tensor::ones({3})); }) == "[groupNorm] ShapeError: weight is [3], expected [6]");
  CHECK(headlineOf([&] { groupNorm(Tensor::zeros({1, 4}), 4); }).starts_with("[groupNorm] ValueError: 1 value a group"));
  CHECK(headlineOf([&] { groupNorm(Tensor::zeros({4}), 4); }).starts_with("[groupNorm] ShapeError: "));
  CHECK(headlineOf([&] {
          instanceNorm(Tensor::zeros({2, 4, 1}));
        }) == "[instanceNorm] ValueError: 1 value a channel in x [2, 4, 1], whose variance is 0");
  CHECK(headlineOf([&] { localResponseNorm(x, 0); }) == "[localResponseNorm] ValueError: size is 0, must be 1 or more");
  CHECK(headlineOf([&] { localResponseNorm(Tensor::zeros({2, 3}), 2); }).starts_with("[localResponseNorm] ShapeError: "));
  CHECK(headlineOf([&] { normalize(x, 3); }).starts_with("[normalize] ShapeError: "));
  CHECK(headlineOf([&] { normalize(Tensor::zeros({2, 2}, DType::I64)); }).starts_with("[normalize] DtypeError: "));
}

TEST_CASE("an index out of range is refused with its position, and other indices, tables and paddings as well") {
  const Tensor table = Tensor::ones({5, 3});
  const auto at = [&](const std::vector<i64>& values, const Shape& shape) {
    return headlineOf([&] { embedding(Tensor::of<i64>(values, shape), table); });
  };
  CHECK(at({0, 1, 2, 3, 4, 5}, {2, 3}) == "[embedding] ValueError: index 5 at [1, 2], the table has 5 rows");
  CHECK(at({-1}, {1}) == "[embedding] ValueError: index -1 at [0], the table has 5 rows");
  CHECK(headlineOf([&] { embedding(Tensor::zeros({2}), table); }) ==
        "[embedding] DtypeError: indices are f32, expected i64");
  const Tensor index = Tensor::zeros({2}, DType::I64);
  CHECK(headlineOf([&] { embedding(index, Tensor::zeros({5})); }).starts_with("[embedding] ShapeError: weight is [5]"));
  CHECK(headlineOf([&] { embedding(index, table, 5); }) == "[embedding] ValueError: padding is row 5 of 5");
  CHECK(headlineOf([&] { embedding(index, table, -6); }) == "[embedding] ValueError: padding is row -6 of 5");
  CHECK(toString(embedding(Tensor::of<i64>({4}, {}), table).shape()) == "[3]");
}

TEST_CASE(
    "the gradient of a row is the sum over its places, in the same bits for any number of threads; padding's is 0") {
  const int before = threads();
  const Tensor index = integers("index", {40, 25}, 7), dy = draw("dy", {40, 25, 64}).to(DType::F32);
  std::vector<Tensor> results;
  for (const int count : {1, 2, 4}) {
    setThreads(count);
    Tensor table = draw("table", {7, 64}).to(DType::F32);
    table.setRequiresGrad();
    embedding(index, table, 2).backward({.gradient = dy});
    results.push_back(table.grad());
  }
  setThreads(before);
  CHECK(sameBits(results[0], results[1]));
  CHECK(sameBits(results[0], results[2]));
  CHECK(largest(results[0].select(0, 2)) == 0);
  const Tensor flat = reshape(dy, {1000, 64}).to(DType::F64);
  const Tensor isThree = equal(reshape(index, {1000, 1}), Tensor::full({}, 3, DType::I64)).to(DType::F64);
  CHECK_CLOSE(results[0].select(0, 3), sum(flat * isThree, {0}), (Tolerance{1e-4, 1e-4}), "row 3");
}

TEST_CASE("a grouped linear map of one group is a linear map, and wrong sizes are refused") {
  const Tensor x = draw("x", {3, 4}), w = draw("w", {1, 2, 4}), b = draw("b", {2});
  CHECK_CLOSE(groupedLinear(x, w, b), linear(x, w.select(0, 0), b), toleranceF64, "one group");
  const Tensor two = Tensor::zeros({2, 3, 2}, DType::F64);
  CHECK(headlineOf([&] { groupedLinear(x, w.select(0, 0)); }).starts_with("[groupedLinear] ShapeError: weight is [2, 4]"));
  CHECK(headlineOf([&] {
          groupedLinear(draw("x", {3, 5}), two);
        }) == "[groupedLinear] ShapeError: x is [3, 5], expected a last axis of 4");
  CHECK(headlineOf([&] { groupedLinear(x, two, b); }) == "[groupedLinear] ShapeError: bias is [2], expected [6]");
}
