#include <cmath>
#include <limits>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <ember/autograd/Function.h>
#include <ember/autograd/Graph.h>
#include <ember/autograd/ops/Activation.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Comparison.h>
#include <ember/autograd/ops/MatMul.h>
#include <ember/autograd/ops/Math.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/Scope.h>

#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

namespace {

using Values = std::vector<double>;

Tensor leaf(std::initializer_list<double> values) { return Tensor::of(values, DType::F64).setRequiresGrad(); }
Values valuesOf(const Tensor& t) { return t.toVector<double>(); }

}  // namespace

TEST_CASE("a chain of a million nodes is built, differentiated and destroyed (T33)") {
  const Tensor x = leaf({1, 2});
  {
    Tensor y = x;
    for (int i = 0; i < 1'000'000; ++i) y = i % 2 == 0 ? neg(y) : y + x;
    sum(y).backward();
    // y goes x, -x, 0, 0, x, ...: four steps lead back to x.
    CHECK(valuesOf(y) == Values{1, 2});
    CHECK(valuesOf(x.grad()) == Values{1, 1});
  }
  CHECK(x.impl().use_count() == 1);  // the whole chain is gone
}

TEST_CASE("a chain that keeps its operands is destroyed without recursion, differentiated or not") {
  const Tensor x = leaf({1});
  {
    Tensor y = x;
    for (int i = 0; i < 300'000; ++i) y = y * x;
    CHECK(y.item() == 1);
  }
  CHECK(x.impl().use_count() == 1);
  Tensor y = x;
  for (int i = 0; i < 300'000; ++i) y = y * x;
  y.backward();
  CHECK(x.grad().item() == 300'001);
}

TEST_CASE("gradients add up over uses, over backwards, and start anew after zeroGrad") {
  Tensor x = leaf({2, 3});
  sum(x * x + x).backward();
  CHECK(valuesOf(x.grad()) == Values{5, 7});
  sum(x).backward();
  CHECK(valuesOf(x.grad()) == Values{6, 8});
  x.zeroGrad();
  CHECK_FALSE(x.grad().defined());
  sum(x).backward();
  CHECK(valuesOf(x.grad()) == Values{1, 1});
}

TEST_CASE("a gradient that the user holds keeps its value when more is added") {
  const Tensor x = leaf({2});
  sum(x).backward();
  const Tensor first = x.grad();
  sum(x).backward();
  CHECK(first.item() == 1);
  CHECK(x.grad().item() == 2);
}

TEST_CASE("leaves never share the memory of their gradients") {
  const Tensor a = leaf({1, 2}), b = leaf({3, 4});
  const Tensor upstream = Tensor::of({1, 1}, DType::F64);
  (a + b).backward({.gradient = upstream});
  a.grad().mul_(10);
  CHECK(valuesOf(a.grad()) == Values{10, 10});
  CHECK(valuesOf(b.grad()) == Values{1, 1});
  CHECK(valuesOf(upstream) == Values{1, 1});
}

TEST_CASE("an expanded gradient is stored as an array of its own and added to correctly") {
  const Tensor x = leaf({1, 2, 3});
  sum(x).backward();
  CHECK(x.grad().array().isDense());
  const Tensor y = leaf({1, 2, 3}), z = y * 1;
  (sum(z) + sum(z * z)).backward();  // the expanded gradient of one sum meets the dense one of the other
  CHECK(valuesOf(y.grad()) == Values{3, 5, 7});
}

TEST_CASE("the gradient of a leaf lies in the leaf's memory order") {
  Tensor x(Tensor::of<double>({1, 2, 3, 4, 5, 6, 7, 8}, {1, 2, 2, 2}).array().contiguous(MemoryOrder::ChannelsLast));
  x.setRequiresGrad();
  const Tensor w = Tensor::of<double>({8, 7, 6, 5, 4, 3, 2, 1}, {1, 2, 2, 2});
  sum(w * x).backward();
  CHECK(x.grad().array().isDense(MemoryOrder::ChannelsLast));
  CHECK(valuesOf(x.grad()) == Values{8, 7, 6, 5, 4, 3, 2, 1});
}

TEST_CASE("a scalar leaf is its own gradient's start") {
  const Tensor x = Tensor::scalar(3, DType::F64).setRequiresGrad();
  x.backward();
  CHECK(x.grad().item() == 1);
}

TEST_CASE("backward takes a gradient of the result") {
  const Tensor x = leaf({2, 3});
  (x * x).backward({.gradient = Tensor::of({10, 100}, DType::F64)});
  CHECK(valuesOf(x.grad()) == Values{40, 600});
}

TEST_CASE("retainGraph lets the graph be walked again; without it the second walk is an error") {
  const Tensor x = leaf({2});
  const Tensor y = x * x;
  y.backward({.retainGraph = true});
  y.backward();
  CHECK(x.grad().item() == 8);
  CHECK(headlineOf<StateError>([&] { y.backward(); }) ==
        "[backward] StateError: the graph was already freed: mul has no saved values left");
}

TEST_CASE("createGraph gives gradients that can be differentiated, any number of times") {
  const Tensor x = leaf({2});
  Tensor derivative = x * x * x * x;
  const double expected[] = {32, 48, 48, 24, 0};
  for (const double value : expected) {
    derivative = gradients({derivative}, {x}, {.createGraph = true})[0];
    REQUIRE(derivative.defined());
    CHECK(derivative.item() == value);
    if (!derivative.requiresGrad()) break;
  }
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("a gradient penalty reaches the leaves through backward") {
  const Tensor x = leaf({1, 2}), w = leaf({3, 4});
  const Tensor g = gradients({sum(w * x * x)}, {x}, {.createGraph = true})[0];  // 2wx
  sum(g * g).backward();                                                        // 4w²x²
  CHECK(valuesOf(w.grad()) == Values{24, 128});
  CHECK(valuesOf(x.grad()) == Values{72, 256});
}

TEST_CASE("gradients() leaves grad() alone and gives undefined where there is no dependence") {
  const Tensor x = leaf({2}), other = leaf({5});
  const Tensor middle = x * x, y = middle * 3;
  const Tensors g = gradients({y}, {x, middle, other, x});
  CHECK(g[0].item() == 12);
  CHECK(g[1].item() == 3);
  CHECK_FALSE(g[2].defined());
  CHECK(g[3].item() == 12);
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("gradients() walks only what leads to the wanted tensors") {
  const Tensor x = leaf({2}), w = leaf({3});
  int calls = 0;
  const auto watched = [&](const Tensor& t) {
    return custom(
        "watched", {t}, [](FunctionContext&, const Tensors& in) { return Tensors{in[0] * 1}; },
        [&](const FunctionContext&, const Tensors& dy) {
          ++calls;
          return dy;
        });
  };
  const Tensor middle = watched(x) * 2, y = middle * watched(w);
  CHECK(gradients({y}, {w}, {.retainGraph = true})[0].item() == 4);
  CHECK(calls == 1);
  CHECK(gradients({y}, {middle}, {.retainGraph = true})[0].item() == 3);
  CHECK(calls == 1);
  CHECK(gradients({y}, {x, w})[0].item() == 6);
  CHECK(calls == 3);
}

TEST_CASE("gradients() asks an op only for what is wanted of it") {
  const Tensor x = leaf({2}), w = leaf({3});
  const auto product = custom(
      "product", {x, w}, [](FunctionContext&, const Tensors& in) { return Tensors{in[0] * in[1]}; },
      [](const FunctionContext& c, const Tensors& dy) {
        CHECK(c.needs(0));
        CHECK_FALSE(c.needs(1));
        return Tensors{dy[0] * 3, Tensor()};
      });
  CHECK(gradients({product}, {x})[0].item() == 3);
}

TEST_CASE("gradients() finds its way through a graph of a million nodes") {
  const Tensor x = leaf({1});
  Tensor y = x;
  for (int i = 0; i < 1'000'000; ++i) y = neg(y);
  CHECK(gradients({y}, {x})[0].item() == 1);
}

TEST_CASE("gradients() of several results add up, weighted by the given gradients") {
  const Tensor x = leaf({2});
  const Tensors ys{x * x, x * 3};
  const Tensors weights{Tensor::of({10}, DType::F64), Tensor::of({100}, DType::F64)};
  CHECK(gradients(ys, {x}, {}, weights)[0].item() == 340);
  CHECK(headlineOf<ValueError>([&] { gradients({x * x}, {x}, {}, weights); }) ==
        "[gradients] ValueError: 2 gradients for 1 outputs");
  CHECK(headlineOf<StateError>([&] { gradients({x * x}, {Tensor::of({1})}); }) ==
        "[gradients] StateError: input 0 requires no gradient");
}

TEST_CASE("nothing is recorded under NoGrad, which nests and ends with its scope") {
  const Tensor x = leaf({2});
  {
    const NoGrad off;
    {
      const NoGrad inner;
      CHECK_FALSE(gradEnabled());
    }
    CHECK_FALSE(gradEnabled());
    CHECK_FALSE((x * x).requiresGrad());
  }
  CHECK(gradEnabled());
  CHECK((x * x).requiresGrad());
  bool elsewhere = false;
  const NoGrad off;
  std::thread([&] { elsewhere = gradEnabled(); }).join();
  CHECK(elsewhere);  // each thread has its own
}

TEST_CASE("detach cuts the graph and shares the memory") {
  const Tensor x = leaf({2, 3});
  const Tensor cut = (x * x).detach();
  CHECK_FALSE(cut.requiresGrad());
  CHECK(cut.isLeaf());
  sum(cut * x).backward();
  CHECK(valuesOf(x.grad()) == Values{4, 9});
  CHECK(x.detach().array().storage() == x.array().storage());
}

TEST_CASE("hooks see complete gradients of leaves and of results, and may replace them") {
  const Tensor x = leaf({1, 2});
  const Tensor y = x * 2;
  std::vector<Values> seen;
  y.registerHook([&](const Tensor& g) {
    seen.push_back(valuesOf(g));
    return g * 10;
  });
  x.registerHook([&](const Tensor& g) {
    seen.push_back(valuesOf(g));
    return Tensor();
  });
  x.registerHook([&](const Tensor& g) { return g + 1; });
  sum(y + y * y).backward();  // d/dy = 1 + 2y
  REQUIRE(seen.size() == 2);
  CHECK(seen[0] == Values{5, 9});
  CHECK(seen[1] == Values{100, 180});
  CHECK(valuesOf(x.grad()) == Values{101, 181});
}

TEST_CASE("a hook may register another hook while it runs") {
  const Tensor x = leaf({1});
  int calls = 0;
  x.registerHook([&](const Tensor&) {
    ++calls;
    x.registerHook([&](const Tensor&) {
      ++calls;
      return Tensor();
    });
    return Tensor();
  });
  sum(x * 2).backward();
  CHECK(calls == 1);
  CHECK(x.grad().item() == 2);
}

TEST_CASE("a hook that returns another shape or type is an error that names the op") {
  const Tensor x = leaf({1, 2});
  const Tensor y = x * x;
  y.registerHook([](const Tensor&) { return Tensor::ones({3}, DType::F64); });
  CHECK(headlineOf<ShapeError>([&] { sum(y).backward(); }) ==
        "[mul] ShapeError: a gradient hook returned [3] for a gradient of [2]");
  const Tensor z = leaf({1, 2});
  z.registerHook([](const Tensor&) { return Tensor::ones({2}); });
  CHECK(headlineOf<DtypeError>([&] { sum(z).backward(); }) ==
        "[leaf] DtypeError: a gradient hook returned f32 for a gradient of f64");
  CHECK(headlineOf<StateError>([&] { z.detach().registerHook([](const Tensor& g) { return g; }); }) ==
        "[registerHook] StateError: the tensor requires no gradient, so the hook would never run");
}

TEST_CASE("backward says what is missing") {
  const Tensor x = leaf({1, 2, 3});
  CHECK(headlineOf<ShapeError>([&] { (x * x).backward(); }) ==
        "[backward] ShapeError: a gradient is implied for a scalar only, this tensor is [3]");
  CHECK(headlineOf<StateError>([&] { Tensor::ones({1}).backward(); }) ==
        "[backward] StateError: the tensor depends on nothing that requires a gradient");
  CHECK(headlineOf<StateError>([&] { Tensor().backward(); }) == "[backward] StateError: the tensor is undefined");
  CHECK(headlineOf<ShapeError>([&] { (x * x).backward({.gradient = Tensor::ones({2}, DType::F64)}); }) ==
        "[backward] ShapeError: the given gradient is [2], the tensor [3]");
  CHECK(headlineOf<DtypeError>([&] { (x * x).backward({.gradient = Tensor::ones({3})}); }) ==
        "[backward] DtypeError: the given gradient is f32, the tensor f64");
}

TEST_CASE("a backward that fails leaves the gradients of leaves as they were") {
  const Tensor x = leaf({1, 2});
  sum(x).backward();
  const Tensor y = x * x;
  y.registerHook([](const Tensor&) -> Tensor { throw ValueError("hook", "no"); });
  CHECK(headlineOf<ValueError>([&] { sum(y + x).backward(); }) == "[hook] ValueError: no");
  const Tensor other = leaf({1});
  other.registerHook([](const Tensor&) -> Tensor { throw ValueError("hook", "of a leaf"); });
  CHECK(headlineOf<ValueError>([&] { (sum(x) + sum(other)).backward(); }) == "[hook] ValueError: of a leaf");
  CHECK(valuesOf(x.grad()) == Values{1, 1});
  CHECK(gradEnabled());
}

TEST_CASE("anomaly mode names the op whose result is the first with NaN or infinity") {
  const Tensor x = leaf({-1, 4});
  const auto forward = [&] { return sum(exp(log(x) + 1)); };
  CHECK(std::isnan(forward().item()));
  const AnomalyMode on;
  CHECK(headlineOf<NumericError>(forward) == "[log] NumericError: the result is the first with NaN or infinity");
  const NoGrad off;
  CHECK(headlineOf<NumericError>(forward) == "[log] NumericError: the result is the first with NaN or infinity");
}

TEST_CASE("anomaly mode names the op whose gradient is the first with NaN or infinity, and where it ran") {
  const Tensor x = leaf({0, 4});
  const AnomalyMode on;
  Tensor y;
  {
    i64 calls = 0;
    const core::ModuleScope net("", "Net", &calls), layer("norm", "Norm", &calls);
    y = sqrt(x * 2);
  }
  const std::string message = messageOf([&] { sum(y * 3).backward(); });
  CHECK(message.substr(0, message.find('\n')) ==
        "[sqrt] NumericError: the gradient of its input 0 is the first with NaN or infinity");
  CHECK(message.find("norm (Norm)") != std::string::npos);
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("anomaly mode says so where an operand was non-finite before the op ran") {
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  const Tensor data = Tensor::of({1, nan, nan}, DType::F64), weight = leaf({1, 2, 3});
  const Tensor early = log(Tensor::of({0, 1, 2}, DType::F64));
  const AnomalyMode on;
  const std::string message = messageOf([&] { sum(weight * data); });
  CHECK(message.find("[mul] NumericError: operand 1 was already non-finite: NaN came in with the data") == 0);
  CHECK(message.find("operand 1  [3], 2 of 3 elements") != std::string::npos);
  const NoGrad off;  // the same where nothing is recorded, and for views
  CHECK(headlineOf<NumericError>([&] { data + 1; }) ==
        "[add] NumericError: operand 0 was already non-finite: NaN came in with the data");
  CHECK(headlineOf<NumericError>([&] { data.reshape({3, 1}); }).find("operand 0 was already non-finite") !=
        std::string::npos);
  CHECK(headlineOf<NumericError>([&] { leaf({1, inf}) * 2; }) ==
        "[mul] NumericError: operand 0 was already non-finite: infinity stands in a leaf that requires a gradient, a "
        "parameter perhaps");
  CHECK(headlineOf<NumericError>([&] { early * 2; }) ==
        "[mul] NumericError: operand 0 was already non-finite: infinity was computed before anomaly mode began");
  CHECK(headlineOf<NumericError>([&] {
          custom(
              "twice", {data}, [](FunctionContext&, const Tensors& in) { return Tensors{in[0]}; }, nullptr);
        }) == "[twice] NumericError: operand 0 was already non-finite: NaN came in with the data");
  // An operand that the op does not pass on is nobody's fault.
  CHECK(where(greater(weight, Tensor::zeros({3}, DType::F64)), weight, data).toVector<double>() == Values{1, 2, 3});
}

TEST_CASE("anomaly mode names a given gradient or a hook that brings NaN into the backward") {
  const Tensor x = leaf({1, 2});
  const AnomalyMode on;
  const Tensor y = x * 2;
  CHECK(headlineOf<NumericError>([&] {
          y.backward({.gradient = Tensor::of({1, std::nan("")}, DType::F64), .retainGraph = true});
        }) == "[backward] NumericError: the given gradient was already non-finite");
  y.registerHook(
      [](const Tensor& g) { return Tensor::full(g.shape(), std::numeric_limits<double>::infinity(), g.dtype()); });
  CHECK(headlineOf<NumericError>([&] { sum(y).backward(); }) ==
        "[mul] NumericError: a gradient hook returned NaN or infinity");
}

TEST_CASE("anomaly mode is off again after its scope") {
  {
    const AnomalyMode on;
    CHECK(AnomalyMode::enabled());
  }
  CHECK_FALSE(AnomalyMode::enabled());
  CHECK(std::isinf(log(Tensor::of({0})).item()));
}

TEST_CASE("backwards from several threads into the same leaves add up (T35)") {
  const Tensor x = leaf({1, 2, 3});
  constexpr int workers = 4, rounds = 200;
  std::vector<std::thread> threads;
  for (int w = 0; w < workers; ++w) {
    threads.emplace_back([&x, w] {
      for (int i = 0; i < rounds; ++i) sum(x * static_cast<double>(w + 1)).backward();
    });
  }
  for (std::thread& t : threads) t.join();
  CHECK(valuesOf(x.grad()) == Values{2000, 2000, 2000});
}

TEST_CASE("several threads may walk one graph that is retained") {
  const Tensor x = leaf({3});
  const Tensor y = x * x;
  std::vector<std::thread> threads;
  for (int w = 0; w < 4; ++w) {
    threads.emplace_back([&y] {
      for (int i = 0; i < 100; ++i) y.backward({.retainGraph = true});
    });
  }
  for (std::thread& t : threads) t.join();
  CHECK(x.grad().item() == 2400);
}

TEST_CASE("memory that a backward needs is freed by it") {
  const Tensor x = leaf({1, 2});
  Tensor y = x * x;
  const Tensor loss = sum(y * y);
  const std::weak_ptr<core::Storage> kept = y.array().storage();
  y = {};
  CHECK_FALSE(kept.expired());
  loss.backward();
  CHECK(kept.expired());
  CHECK(valuesOf(x.grad()) == Values{4, 32});
}
