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

#include "autograd/Leaf.h"
#include "support/Headline.h"
#include "support/Repeats.h"

using namespace ember;
using namespace ember::test;

TEST_CASE("a chain of a million nodes is built, differentiated and destroyed (T33)") {
  const Tensor x = leaf({1, 2});
  {
    Tensor y = x;
    for (int i = 0, nodes = repeats(1'000'000); i < nodes; ++i) y = i % 2 == 0 ? neg(y) : y + x;
    sum(y).backward();
    // y goes x, -x, 0, 0, x, ...: four steps lead back to x.
    CHECK(valuesOf(y) == Values{1, 2});
    CHECK(valuesOf(x.grad()) == Values{1, 1});
  }
  CHECK(x.impl().use_count() == 1);  // the whole chain is gone
}

TEST_CASE("a chain that keeps its operands is destroyed without recursion, differentiated or not") {
  const Tensor x = leaf({1});
  const int nodes = repeats(300'000);
  {
    Tensor y = x;
    for (int i = 0; i < nodes; ++i) y = y * x;
    CHECK(y.item() == 1);
  }
  CHECK(x.impl().use_count() == 1);
  Tensor y = x;
  for (int i = 0; i < nodes; ++i) y = y * x;
  y.backward();
  CHECK(x.grad().item() == nodes + 1);
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
