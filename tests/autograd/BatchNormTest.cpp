#include <ember/autograd/ops/BatchNorm.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/Error.h>
#include <ember/core/Random.h>

using namespace ember;
using core::NDArray;

namespace {

using Values = std::vector<double>;

Tensor draw(const Shape& shape, u64 stream, double mean = 0, double std = 1, DType dtype = DType::F64) {
  Values values;
  for (i64 i = 0; i < numel(shape); ++i)
    values.push_back(mean + std * random::normal({11, stream, 0}, static_cast<u64>(i)));
  return Tensor(NDArray::from<double>(values, shape).to(dtype));
}

Tensor leaf(Tensor t) { return t.setRequiresGrad(); }

Values valuesOf(const Tensor& t) { return t.toVector<double>(); }

double largest(const Values& values) {
  double result = 0;
  for (const double v : values) result = std::max(result, std::abs(v));
  return result;
}

/// Largest difference relative to the largest expected value; infinite if anything is not finite.
double difference(const Tensor& actual, const Values& expected) {
  const Values values = valuesOf(actual);
  REQUIRE(values.size() == expected.size());
  double worst = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) return std::numeric_limits<double>::infinity();
    worst = std::max(worst, std::abs(values[i] - expected[i]));
  }
  return worst / std::max(1e-300, largest(expected));
}

using Function = std::function<Tensor(const Tensors&)>;

/// d(f)/d(inputs[which]) by central differences; f is a scalar of f64 inputs.
Values numericGradient(const Function& f, const Tensors& inputs, std::size_t which) {
  const double step = 1e-5;
  const Values start = valuesOf(inputs[which]);
  Values gradient;
  for (std::size_t i = 0; i < start.size(); ++i) {
    const auto at = [&](double shift) {
      Values moved = start;
      moved[i] += shift;
      Tensors changed = inputs;
      changed[which] = leaf(Tensor(NDArray::from<double>(moved, inputs[which].shape())));
      return f(changed).item();
    };
    gradient.push_back((at(step) - at(-step)) / (2 * step));
  }
  return gradient;
}

/// Central differences of step 1e-5 carry errors of 1e-10 of the value and 1e-10 of the third derivative; 1e-7 leaves
/// room.
void checkGradients(const Function& f, const Tensors& inputs) {
  const Tensors analytic = gradients({f(inputs)}, inputs);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    CAPTURE(i);
    const Values numeric = numericGradient(f, inputs, i);
    REQUIRE(analytic[i].defined());
    CHECK(largest(numeric) > 1e-3);  // else the comparison would say nothing
    CHECK(difference(analytic[i], numeric) < 1e-7);
  }
}

struct Case {
  std::string name;
  BatchNormOptions options;
};

std::vector<Case> cases() {
  std::vector<Case> list;
  const auto add = [&](const std::string& name, const BatchNormOptions& mode) {
    for (const Act act : {Act::None, Act::ReLU, Act::LeakyReLU}) {
      BatchNormOptions options = mode;
      options.act = act;
      options.slope = 0.3;
      list.push_back({name + (act == Act::None ? "" : act == Act::ReLU ? " + relu" : " + leakyRelu"), options});
    }
  };
  add("training", {});
  add("training, epsilon 0.5", {.epsilon = 0.5});
  add("eval", {.training = false});
  add("training, running statistics", {.useGlobalStats = GlobalStats::True});
  add("eval, batch statistics", {.training = false, .useGlobalStats = GlobalStats::False});
  add("eval, trainable statistics", {.training = false, .trainableStatistics = true});
  add("eval, not tracking", {.training = false, .trackRunningStats = false});
  return list;
}

/// A weighted sum of y that makes every element count differently.
Tensor weighted(const Tensor& y) { return (y * draw(y.shape(), 99, 0.3)).sum(); }

}  // namespace

TEST_CASE("the golden vector of 0 to 11 comes out to twelve digits") {
  Values x(12), dy(12);
  for (std::size_t i = 0; i < 12; ++i) {
    x[i] = static_cast<double>(i);
    dy[i] = x[i] * x[i] / 10;
  }
  const Shape shape{2, 1, 2, 3};
  const auto one = [](double value) { return Tensor::full({1}, value, DType::F64); };
  const auto near = [](double value) { return doctest::Approx(value).epsilon(1e-12); };

  for (const VarEstimator estimator : {VarEstimator::Biased, VarEstimator::Unbiased}) {
    const Tensor input = leaf(Tensor::of<double>(x, shape)), w = leaf(one(2)), b = leaf(one(1));
    Tensor rm = one(0), rv = one(1);
    auto [y, mean, invstd] = batchNorm(input, w, b, rm, rv, {.momentum = 0.9, .varEstimator = estimator});
    CHECK(mean.item() == near(5.5));
    CHECK(invstd.item() == near(0.2896826082060358));
    CHECK(valuesOf(y)[0] == near(-2.1865086902663937));
    CHECK(valuesOf(y)[11] == near(4.186508690266393));
    CHECK(rm.item() == near(0.55));
    CHECK(rv.item() == near(estimator == VarEstimator::Biased ? 2.0916666666666663 : 2.2));

    y.backward({.gradient = Tensor::of<double>(dy, shape)});
    CHECK(b.grad().item() == near(50.6));
    CHECK(w.grad().item() == near(45.567074270809435));
    const Values expected = {1.0621666220319637,   0.4828019404181042,   0.019310302086659258, -0.3283082929623713,
                             -0.56005384472898756, -0.67592635321318972, -0.67592581841497745, -0.56005224033435086,
                             -0.32830561897130989, 0.01931404567414512,  0.4828067536020148,   1.0621725048122987};
    const Values dx = valuesOf(input.grad());
    double sum = 0;
    for (std::size_t i = 0; i < 12; ++i) {
      CHECK(std::abs(dx[i] - expected[i]) < 1e-12);
      sum += dx[i];
    }
    CHECK(std::abs(sum) < 1e-12);
  }

  // PuzzleLib's first batch: the new statistic counts fully.
  Tensor rm = one(0), rv = one(1);
  batchNorm(Tensor::of<double>(x, shape), one(2), one(1), rm, rv, {.factor = 1.0});
  CHECK(rm.item() == near(5.5));
  CHECK(rv.item() == near(13));

  const Tensor input = leaf(Tensor::of<double>(x, shape)), w = leaf(one(2)), b = leaf(one(1));
  auto [y, mean, invstd] = batchNorm(input, w, b, one(0.55), one(2.2), {.training = false});
  CHECK(invstd.item() == near(0.674198330196051));
  CHECK(valuesOf(y)[0] == near(0.2583818367843438));
  CHECK(valuesOf(y)[11] == near(15.090745101097465));
  y.backward({.gradient = Tensor::of<double>(dy, shape)});
  CHECK(w.grad().item() == near(274.91785310404373));
  for (std::size_t i = 0; i < 12; ++i) CHECK(valuesOf(input.grad())[i] == near(2 * 0.674198330196051 * dy[i]));
}

TEST_CASE("gradients agree with differences for every mode, activation, rank, axis and memory order") {
  for (const Case& c : cases()) {
    for (const Shape& shape : {Shape{5, 3}, Shape{4, 2, 3}, Shape{3, 2, 2, 3}, Shape{2, 3, 1, 2, 2}}) {
      for (const int axis : {1, -1}) {
        for (const MemoryOrder order : {MemoryOrder::RowMajor, MemoryOrder::ChannelsLast}) {
          CAPTURE(c.name);
          CAPTURE(toString(shape));
          CAPTURE(axis);
          BatchNormOptions options = c.options;
          options.channelAxis = axis;
          const i64 channels = shape.at(axis);
          const Tensor rm = draw({channels}, 1), rv = draw({channels}, 2, 1.5, 0.1);
          const Function f = [&](const Tensors& in) {
            return weighted(batchNorm(in[0], in[1], in[2], rm.clone(), rv.clone(), options));
          };
          const Tensor x(draw(shape, 3).array().contiguous(order));
          checkGradients(f, {leaf(x), leaf(draw({channels}, 4, 1, 0.3)), leaf(draw({channels}, 5))});
        }
      }
    }
  }
}

TEST_CASE("the composed gradients of createGraph equal those of the fused kernel") {
  for (const Case& c : cases()) {
    for (const DType dtype : {DType::F32, DType::F64}) {
      for (const double mean : {0.5, 1e4}) {
        CAPTURE(c.name);
        CAPTURE(mean);
        const Shape shape{6, 4, 5, 5};
        const Tensor rm = draw({4}, 1, mean, 0.3, dtype), rv = draw({4}, 2, 1.5, 0.1, dtype);
        const Tensors inputs = {leaf(draw(shape, 3, mean, 1, dtype)), leaf(draw({4}, 4, 1, 0.3, dtype)),
                                leaf(draw({4}, 5, 0, 1, dtype))};
        const Tensor y = batchNorm(inputs[0], inputs[1], inputs[2], rm, rv, c.options);
        const Tensor dy = draw(shape, 6, 0, 1, dtype);
        const Tensors fused = gradients({y}, inputs, {.retainGraph = true}, {dy});
        const Tensors composed = gradients({y}, inputs, {.createGraph = true}, {dy});
        for (std::size_t i = 0; i < 3; ++i) {
          CAPTURE(i);
          // At |mean| = 1e4 std the data themselves have 3 digits in f32; both ways see the same ones, centred exactly.
          CHECK(difference(composed[i], valuesOf(fused[i])) < (dtype == DType::F64 ? 1e-11 : 2e-5));
          CHECK((i == 2 || composed[i].requiresGrad()));  // sum(dy) depends on nothing
        }
      }
    }
  }
}

TEST_CASE("second derivatives agree with differences of the first") {
  for (const Case& c : cases()) {
    CAPTURE(c.name);
    for (const Shape& shape : {Shape{5, 2}, Shape{3, 2, 2, 2}}) {
      const Tensor rm = draw({2}, 1), rv = draw({2}, 2, 1.5, 0.1);
      // A scalar of the three gradients, as a function of x, gamma, beta and dy.
      const Function penalty = [&](const Tensors& in) {
        const Tensor y = batchNorm(in[0], in[1], in[2], rm.clone(), rv.clone(), c.options);
        const Tensors g = gradients({y}, {in[0], in[1], in[2]}, {.createGraph = true}, {in[3]});
        return (g[0] * g[0]).sum() + weighted(g[1]) + (g[2] * g[2]).sum();
      };
      const Tensors inputs = {leaf(draw(shape, 3)), leaf(draw({2}, 4, 1, 0.3)), leaf(draw({2}, 5)),
                              leaf(draw(shape, 6))};
      const Tensors analytic = gradients({penalty(inputs)}, inputs);
      for (const std::size_t i : {0u, 1u, 3u}) {  // beta shifts y without bending it: it has no second derivative
        CAPTURE(i);
        REQUIRE(analytic[i].defined());
        CHECK(difference(analytic[i], numericGradient(penalty, inputs, i)) < 1e-6);
      }
    }
  }
}

TEST_CASE("any channel axis equals the transposed input") {
  const Tensor x = draw({3, 4, 5, 2}, 1);
  for (int axis = -4; axis < 4; ++axis) {
    const int place = axis < 0 ? axis + 4 : axis;
    std::vector<int> swap = {0, 1, 2, 3};
    std::swap(swap[1], swap[static_cast<std::size_t>(place)]);
    const i64 channels = x.shape()[place];
    Tensor rmA = Tensor::zeros({channels}, DType::F64), rvA = rmA.clone(), rmB = rmA.clone(), rvB = rmA.clone();
    const Tensor w = draw({channels}, 2), b = draw({channels}, 3);
    const Tensor direct = batchNorm(x, w, b, rmA, rvA, {.channelAxis = axis});
    const Tensor moved = permute(batchNorm(permute(x, swap), w, b, rmB, rvB), swap);
    CHECK(difference(direct, valuesOf(moved)) < 1e-14);
    CHECK(difference(rvA, valuesOf(rvB)) < 1e-14);
  }
  CHECK_THROWS_AS(batchNorm(x, {}, {}, {}, {}, {.channelAxis = 4}), ShapeError);
}

TEST_CASE("the decision follows the table of the five systems") {
  const auto use = [](BatchNormOptions o, bool hasRunning = true, i64 m = 8) {
    const StatisticsUse result = decideStatistics(o, hasRunning, m);
    return std::string(result.batch ? "batch" : "running") + (result.update ? "+update" : "");
  };
  CHECK(use({.training = true}) == "batch+update");
  CHECK(use({.training = false}) == "running");
  CHECK(use({.training = true, .useGlobalStats = GlobalStats::True}) == "running");
  CHECK(use({.training = false, .useGlobalStats = GlobalStats::True}) == "running");
  CHECK(use({.training = false, .useGlobalStats = GlobalStats::False}) == "batch+update");
  CHECK(use({.training = false, .trainableStatistics = true}) == "batch+update");
  CHECK(use({.training = true, .trackRunningStats = false}) == "batch");
  CHECK(use({.training = false, .trackRunningStats = false}) == "batch");
  CHECK(use({.training = true, .freeze = true}) == "running");
  CHECK(use({.training = true}, false) == "batch");
  CHECK(use({.training = false}, false) == "batch");
  CHECK(use({.training = true}, true, 0) == "running");
}

TEST_CASE("backward uses what the forward recorded, not the running statistics of the moment") {
  const Tensors inputs = {leaf(draw({4, 3, 2, 2}, 1)), leaf(draw({3}, 4))};
  Tensor rm = draw({3}, 2), rv = draw({3}, 3, 1.5, 0.1);
  const Tensor y = batchNorm(inputs[0], inputs[1], {}, rm, rv, {.training = false});
  const Tensors expected = gradients({weighted(y)}, inputs, {.retainGraph = true});
  rm.fill_(100);
  rv.fill_(1e-3);
  const Tensors again = gradients({weighted(y)}, inputs);
  for (std::size_t i = 0; i < 2; ++i) CHECK(valuesOf(again[i]) == valuesOf(expected[i]));
}

TEST_CASE("frozen and fixed parameters") {
  const Tensor x = leaf(draw({4, 3, 2, 2}, 1)), w = leaf(draw({3}, 2)), b = leaf(draw({3}, 3));
  Tensor rm = draw({3}, 4), rv = draw({3}, 5, 1.5, 0.1);
  const Values rmBefore = valuesOf(rm), rvBefore = valuesOf(rv);
  weighted(batchNorm(x, w, b, rm, rv, {.freeze = true})).backward();
  CHECK(x.grad().defined());
  CHECK_FALSE(w.grad().defined());
  CHECK_FALSE(b.grad().defined());
  CHECK(valuesOf(rm) == rmBefore);
  CHECK(valuesOf(rv) == rvBefore);

  const Tensor plain = batchNorm(x.detach(), {}, b.detach());
  const Tensor fixed = batchNorm(x, w, b, {}, {}, {.fixGamma = true});
  CHECK(valuesOf(fixed) == valuesOf(plain));
  CHECK(valuesOf(w) == Values{1, 1, 1});
  weighted(fixed).backward();
  CHECK(valuesOf(w.grad()) == Values{0, 0, 0});
  CHECK(largest(valuesOf(b.grad())) > 0);
}

TEST_CASE("the empty batch is empty and changes nothing") {
  const Tensor x = leaf(Tensor::empty({0, 3, 4, 4}, DType::F64)), w = leaf(draw({3}, 1)), b = leaf(draw({3}, 2));
  Tensor rm = draw({3}, 3), rv = draw({3}, 4, 1, 0.1);
  const Values rmBefore = valuesOf(rm), rvBefore = valuesOf(rv);
  const Tensor y = batchNorm(x, w, b, rm, rv);
  CHECK((y.shape() == x.shape()));
  y.sum().backward();
  CHECK((x.grad().shape() == x.shape()));
  CHECK(valuesOf(w.grad()) == Values{0, 0, 0});
  CHECK(valuesOf(b.grad()) == Values{0, 0, 0});
  CHECK(valuesOf(rm) == rmBefore);
  CHECK(valuesOf(rv) == rvBefore);
  CHECK(batchNorm(x, w, b).y.numel() == 0);
}

TEST_CASE("bf16 data take f32 parameters and statistics") {
  const Tensor x = draw({8, 4, 6, 6}, 1, 3, 2, DType::BF16), w = leaf(draw({4}, 2, 1, 0.1, DType::F32)),
               b = leaf(draw({4}, 3, 0, 1, DType::F32));
  auto [y, mean, invstd] = batchNorm(x, w, b);
  CHECK(y.dtype() == DType::BF16);
  CHECK(mean.dtype() == DType::F32);
  const Tensor exact = leaf(draw({8, 4, 6, 6}, 1, 3, 2, DType::BF16).to(DType::F64).clone());
  const Tensor reference = batchNorm(exact, w.detach().to(DType::F64), b.detach().to(DType::F64));
  CHECK(difference(y.to(DType::F64), valuesOf(reference)) < 4e-3);  // half a step of bf16
  CHECK_THROWS_AS(batchNorm(x, draw({4}, 2)), DtypeError);
  CHECK_THROWS_AS(batchNorm(draw({4, 4}, 1), draw({4}, 2, 0, 1, DType::F32)), DtypeError);
}

TEST_CASE("mistakes are errors in words and leave the state alone") {
  Tensor rm = draw({3}, 1), rv = draw({3}, 2, 1, 0.1);
  const Values rmBefore = valuesOf(rm), rvBefore = valuesOf(rv);
  const auto run = [&](const Tensor& x, const BatchNormOptions& o = {}) { batchNorm(x, {}, {}, rm, rv, o); };
  CHECK_THROWS_WITH_AS(run(draw({4, 5, 2, 2}, 3)),
                       doctest::Contains("[batchNorm] ShapeError: input has 5 channels, runningMean expects 3"),
                       ShapeError);
  CHECK_THROWS_WITH_AS(
      run(draw({1, 3}, 3)),
      doctest::Contains("[batchNorm] ValueError: expected more than 1 value per channel when training, got [1, 3]"),
      ValueError);
  CHECK_THROWS_WITH_AS(run(draw({1, 3}, 3)), doctest::Contains("dropLast"), ValueError);
  CHECK_NOTHROW(run(draw({1, 3}, 3), {.training = false}));
  CHECK_THROWS_AS(run(draw({3}, 3)), ShapeError);
  CHECK_THROWS_AS(run(Tensor::zeros({2, 0}, DType::F64)), ShapeError);
  CHECK_THROWS_AS(run(Tensor::zeros({2, 3}, DType::I32)), DtypeError);
  CHECK_THROWS_AS(run(draw({4, 3}, 3), {.epsilon = -1}), ValueError);
  CHECK_THROWS_AS(run(draw({4, 3}, 3), {.factor = 1.5}), ValueError);
  CHECK_THROWS_AS(run(draw({4, 3}, 3), {.factor = 0.1, .momentum = 0.9}), ValueError);
  CHECK_THROWS_AS(run(draw({4, 3}, 3), {.trainableStatistics = true, .freeze = true}), ValueError);
  CHECK_THROWS_AS(run(draw({4, 3}, 3), {.useGlobalStats = GlobalStats::False, .freeze = true}), ValueError);
  CHECK_THROWS_AS(batchNorm(draw({4, 3}, 3), {}, {}, {}, {}, {.freeze = true}), ValueError);
  CHECK_THROWS_AS(batchNorm(draw({4, 3}, 3), {}, {}, rm, {}), ValueError);
  CHECK_THROWS_AS(batchNorm(Tensor()), StateError);
  const Tensor doubled = leaf(rv.clone()) * 2;
  CHECK_THROWS_WITH_AS(batchNorm(draw({4, 3}, 3), {}, {}, rm, doubled),
                       doctest::Contains("runningVar cannot be updated"), StateError);
  CHECK_THROWS_WITH_AS(batchNorm(draw({4, 3}, 3), {}, {}, rm, leaf(rv.clone())),
                       doctest::Contains("requires a gradient"), StateError);
  CHECK(valuesOf(rm) == rmBefore);
  CHECK(valuesOf(rv) == rvBefore);
}

TEST_CASE("a shape-only input gives shapes and touches nothing") {
  Tensor rm = draw({3}, 1), rv = draw({3}, 2);
  const Values before = valuesOf(rm);
  auto [y, mean, invstd] = batchNorm(Tensor::shapeOnly({1, 3}, DType::F64), {}, {}, rm, rv);
  CHECK(y.isShapeOnly());
  CHECK((y.shape() == Shape{1, 3}));
  CHECK((mean.shape() == Shape{3}));
  CHECK(valuesOf(rm) == before);
  CHECK_THROWS_AS(batchNorm(Tensor::shapeOnly({2, 4}, DType::F64), {}, {}, rm, rv), ShapeError);
}

TEST_CASE("in place outside recording: y aliases x and later readers of x are told") {
  const NoGrad guard;
  const Tensor source = draw({4, 3, 2, 2}, 1), rm = draw({3}, 2), rv = draw({3}, 3, 1, 0.1);
  for (const Act act : {Act::None, Act::ReLU, Act::LeakyReLU}) {
    const Tensor expected = batchNorm(source, {}, {}, rm, rv, {.training = false, .act = act});
    const Tensor x = source + 0.0;
    const void* memory = x.array().raw();
    const Tensor y = batchNorm(x, {}, {}, rm, rv, {.training = false, .inplace = true, .act = act});
    CHECK(y.array().raw() == memory);
    CHECK(valuesOf(y) == valuesOf(expected));
    CHECK_THROWS_WITH_AS(y + x, doctest::Contains("was overwritten in place by batchNorm"), StateError);
  }
}

TEST_CASE("in place in training gives the gradients of out of place") {
  for (const Act act : {Act::None, Act::LeakyReLU}) {
    for (const DType dtype : {DType::F32, DType::F64}) {
      for (const MemoryOrder order : {MemoryOrder::RowMajor, MemoryOrder::ChannelsLast}) {
        const Tensors inputs = {leaf(Tensor(draw({6, 5, 4, 4}, 1, 2, 3, dtype).array().contiguous(order))),
                                leaf(draw({5}, 2, 1, 0.1, dtype)), leaf(draw({5}, 3, 0, 1, dtype))};
        const Tensor dy = draw({6, 5, 4, 4}, 4, 0, 1, dtype);
        Tensors results[2], second[2];
        for (const bool inplace : {false, true}) {
          const Tensor x = inputs[0] * 2;
          const Tensor y = batchNorm(x, inputs[1], inputs[2], {}, {}, {.inplace = inplace, .act = act, .slope = 0.2});
          CHECK((y.array().storage() == x.impl()->array.storage()) == inplace);
          results[inplace] = gradients({y}, inputs, {.retainGraph = true}, {dy});
          const Tensor g = gradients({y}, inputs, {.createGraph = true}, {dy})[0];
          second[inplace] = gradients({(g * g).sum()}, {inputs[0], inputs[1]});
        }
        for (std::size_t i = 0; i < 3; ++i)
          CHECK(difference(results[1][i], valuesOf(results[0][i])) < (dtype == DType::F64 ? 1e-12 : 1e-5));
        for (std::size_t i = 0; i < 2; ++i)
          CHECK(difference(second[1][i], valuesOf(second[0][i])) < (dtype == DType::F64 ? 1e-11 : 1e-4));
      }
    }
  }
}

TEST_CASE("in place keeps the input where a channel could not be rebuilt") {
  struct Unfit {
    double gamma, beta;
  };
  for (const Unfit unfit : {Unfit{0, 1}, Unfit{1e-6, 1}, Unfit{1e-310, 0}}) {
    Tensor w = Tensor::of({1, 1, 1}, DType::F64), b = Tensor::of({0, 0, 0}, DType::F64);
    w.array().data<double>()[1] = unfit.gamma;
    b.array().data<double>()[1] = unfit.beta;
    w.setRequiresGrad();
    b.setRequiresGrad();
    const Tensor leafX = leaf(draw({6, 3}, 1));
    Tensors results[2];
    for (const bool inplace : {false, true}) {
      const Tensor x = leafX + 0.0;
      const Tensor y = batchNorm(x, w, b, {}, {}, {.inplace = inplace});
      CHECK(y.array().storage() != x.array().storage());
      results[inplace] = gradients({weighted(y)}, {leafX, w, b});
    }
    for (std::size_t i = 0; i < 3; ++i) CHECK(valuesOf(results[0][i]) == valuesOf(results[1][i]));
  }
}

TEST_CASE("in place refuses what it must not overwrite") {
  const BatchNormOptions inplace{.inplace = true};
  const Tensor x = draw({4, 3, 2, 2}, 1);
  CHECK_THROWS_WITH_AS(batchNorm(x, {}, {}, {}, {}, inplace), doctest::Contains("it is a leaf"), StateError);
  CHECK_THROWS_WITH_AS(batchNorm(leaf(x.clone()), {}, {}, {}, {}, inplace), doctest::Contains("it is a leaf"),
                       StateError);
  Values memory(48, 1.5);
  CHECK_THROWS_WITH_AS(batchNorm(Tensor::fromBlob(memory.data(), {4, 3, 2, 2}), {}, {}, {}, {}, inplace),
                       doctest::Contains("fromBlob"), StateError);
  const Tensor whole = x + 0.0;
  CHECK_THROWS_WITH_AS(batchNorm(slice(whole, 0, 0, 2), {}, {}, {}, {}, inplace), doctest::Contains("share its memory"),
                       StateError);
  CHECK_THROWS_WITH_AS(batchNorm(expand(Tensor::ones({1, 3}, DType::F64) + 0.0, {4, 3}), {}, {}, {}, {}, inplace),
                       doctest::Contains("view"), StateError);

  const Tensor made = leaf(x.clone()) + 0.0;
  CHECK_THROWS_WITH_AS(batchNorm(made, {}, {}, {}, {}, {.inplace = true, .act = Act::ReLU}),
                       doctest::Contains("ReLU loses what it cuts"), ValueError);
  CHECK_THROWS_AS(batchNorm(made, {}, {}, {}, {}, {.inplace = true, .act = Act::LeakyReLU, .slope = 0}), ValueError);
  const Tensor w = leaf(draw({3}, 2, 1, 0.1, DType::F32));
  CHECK_THROWS_WITH_AS(batchNorm(x.to(DType::BF16), w, {}, {}, {}, inplace), doctest::Contains("bf16"), ValueError);
}

TEST_CASE("in place after two readers: the error names writer and reader") {
  const Tensor x = leaf(draw({4, 3, 2, 2}, 1));
  const Tensor c = x * 2;
  const Tensor y = batchNorm(c, {}, {}, {}, {}, {.inplace = true});
  // The pre-activation residual block written wrongly: c is gone.
  CHECK_THROWS_WITH_AS(y + c, doctest::Contains("[add] StateError: operand 1 was overwritten in place by batchNorm"),
                       StateError);

  const Tensor d = x * 2;
  const Tensor square = d * d;  // mul keeps d for its backward
  const Tensor z = batchNorm(d, {}, {}, {}, {}, {.inplace = true});
  CHECK_THROWS_WITH_AS(
      (square.sum() + z.sum()).backward(),
      doctest::Contains("[mul] StateError: an operand that its gradient needs was overwritten by batchNorm"),
      StateError);

  // And the output of batchNorm itself, overwritten by the next one in place, is what the first needs.
  const Tensor first = batchNorm(x * 2, {}, {}, {}, {}, {.inplace = true});
  CHECK_THROWS_WITH_AS(batchNorm(first, {}, {}, {}, {}, {.inplace = true}),
                       doctest::Contains("batchNorm, which made it, needs it in its own backward"), StateError);
}
