// Versions: a value whose memory was overwritten is refused, and the error names who wrote and who read.
#include <doctest/doctest.h>
#include <ember/autograd/Graph.h>
#include <ember/autograd/ops/Activation.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/MatMul.h>
#include <ember/autograd/ops/Math.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/Scope.h>

#include "autograd/Leaf.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

TEST_CASE("a saved operand that was overwritten before backward is an error that names writer and reader") {
  Tensor x = Tensor::of({1, 2}, DType::F64);
  const Tensor w = leaf({3, 4});
  const Tensor y = sum(w * x);
  x.copy_(Tensor::of({5, 6}, DType::F64));
  CHECK(headlineOf<StateError>([&] { y.backward(); }) ==
        "[mul] StateError: an operand that its gradient needs was overwritten by copy_");
}

TEST_CASE("a parameter that was stepped between forward and backward is an error") {
  Tensor w = leaf({3, 4});
  const Tensor y = sum(w * w);
  {
    const NoGrad off;
    w.add_(Tensor::of({1, 1}, DType::F64));
  }
  CHECK(headlineOf<StateError>([&] { y.backward(); }) ==
        "[mul] StateError: an operand that its gradient needs was overwritten by add_");
  sum(w * w).backward();  // a new forward reads the new value
  CHECK(w.grad().toVector<double>() == std::vector<double>{8, 10});
}

TEST_CASE("a saved result that was overwritten is an error") {
  const Tensor x = leaf({1, 2});
  const Tensor y = exp(x);
  Tensor alias = y.detach();
  alias.mul_(2);
  CHECK(headlineOf<StateError>([&] { sum(y); }) == "[sum] StateError: operand 0 was overwritten in place by mul_");
  CHECK(headlineOf<StateError>([&] { y.backward({.gradient = Tensor::ones({2}, DType::F64)}); }) ==
        "[exp] StateError: the output that its gradient needs was overwritten by mul_");
}

TEST_CASE("an operand that no gradient needs may be overwritten") {
  Tensor x = Tensor::of({1, 2}, DType::F64);
  const Tensor w = leaf({3, 4});
  const Tensor y = sum(w + x);
  x.fill_(0);
  y.backward();
  CHECK(w.grad().toVector<double>() == std::vector<double>{1, 1});
}

TEST_CASE("every op refuses a stale operand, recorded or not") {
  Tensor x = Tensor::of({1, 2});
  const Tensor view = reshape(x, {2, 1});
  x.fill_(3);
  CHECK(headlineOf<StateError>([&] { view + 1; }) == "[add] StateError: operand 0 was overwritten in place by fill_");
  const std::string read = messageOf([&] { view.toVector<double>(); });
  CHECK(read.find("[toVector] StateError: the tensor was overwritten in place by fill_") == 0);
  CHECK(read.find("read it before the write, or keep its value with clone()") != std::string::npos);
  Tensor one = Tensor::of({1});
  const Tensor same = one.detach();
  one.fill_(2);
  CHECK(headlineOf<StateError>([&] { same.item(); }) ==
        "[item] StateError: the tensor was overwritten in place by fill_");
  const std::string message = messageOf([&] { x* view; });
  CHECK(message.find("[mul] StateError: operand 1 was overwritten in place by fill_") == 0);
  CHECK(message.find("reader") != std::string::npos);
  CHECK(message.find("writer") != std::string::npos);
  CHECK((x + 1).toVector<double>() == std::vector<double>{4, 4});  // the handle that wrote is up to date
}

TEST_CASE("the error names the module in which the writer ran") {
  Tensor x = Tensor::of({1, 2});
  const Tensor alias = x.detach();
  {
    i64 calls = 0;
    const core::ModuleScope net("", "Net", &calls), layer("norm", "BatchNorm2D", &calls);
    x.mul_(2);
  }
  CHECK(headlineOf<StateError>([&] { alias + 1; }) ==
        "[add] StateError: operand 0 was overwritten in place by mul_ at norm (BatchNorm2D)");
}

TEST_CASE("adding to or scaling a stale value is refused, overwriting it whole is not") {
  Tensor x = Tensor::of({1, 2});
  Tensor alias = x.detach();
  x.fill_(3);
  CHECK_THROWS_AS(alias.add_(x), StateError);
  CHECK_THROWS_AS(alias.mul_(2), StateError);
  alias.copy_(Tensor::of({7, 8}));
  CHECK((alias + 0).toVector<double>() == std::vector<double>{7, 8});
  CHECK((x + 0).toVector<double>() == std::vector<double>{7, 8});
}

TEST_CASE("a leaf written through its detach() or an unrecorded view has the new value, siblings are stale") {
  Tensor w = leaf({1, 2, 3});
  const Tensor sibling = w.detach();
  w.detach().mul_(2);
  CHECK(w.toVector<double>() == std::vector<double>{2, 4, 6});
  CHECK_THROWS_AS(sibling.item(), StateError);
  {
    const NoGrad off;
    slice(w, 0, 0, 2).fill_(9);
    select(w.detach(), 0, 2).fill_(8);
  }
  sum(w * w).backward();
  CHECK(w.toVector<double>() == std::vector<double>{9, 9, 8});
  CHECK(w.grad().toVector<double>() == std::vector<double>{18, 18, 16});

  // Another's write in between is not covered up.
  Tensor first = w.detach(), second = w.detach();
  w.array().storage()->written("someone");
  second.fill_(0);
  CHECK(headlineOf<StateError>([&] { w.item(); }) == "[item] StateError: the tensor was overwritten in place by fill_");
  CHECK_THROWS_AS(first.mul_(2), StateError);
}

TEST_CASE("what a graph has saved is stale after a write through detach() or a view of the leaf") {
  Tensor w = leaf({3, 4});
  const Tensor y = sum(w * w);
  w.detach().mul_(2);
  CHECK(headlineOf<StateError>([&] { y.backward(); }) ==
        "[mul] StateError: an operand that its gradient needs was overwritten by mul_");
  const Tensor z = w * 2;
  z.detach().fill_(1);
  CHECK_THROWS_AS(z + 0, StateError);
}

TEST_CASE("the help for writing into a recorded view leads to a write that works") {
  Tensor w = leaf({1, 2, 3});
  const std::string message = messageOf([&] { w.slice(0, 0, 2).fill_(9); });
  CHECK(message.find("the tensor is the result of slice") != std::string::npos);
  CHECK(message.find("take the view inside a NoGrad scope") != std::string::npos);
  const NoGrad off;
  w.slice(0, 0, 2).fill_(9);
  CHECK(w.toVector<double>() == std::vector<double>{9, 9, 3});
}

TEST_CASE("a leaf that requires a gradient is written only where nothing is recorded") {
  Tensor w = leaf({1, 2});
  CHECK(headlineOf<StateError>([&] { w.add_(Tensor::ones({2}, DType::F64)); }) ==
        "[add_] StateError: a leaf that requires a gradient is written in place while gradients are recorded");
  CHECK(headlineOf<StateError>([&] { w.fill_(0); }).find("[fill_] StateError: a leaf") == 0);
  const NoGrad off;
  w.fill_(5);
  CHECK(w.toVector<double>() == std::vector<double>{5, 5});
}

TEST_CASE("the result of a recorded op is never written in place by the user") {
  Tensor y = leaf({1, 2}) * 2;
  CHECK(headlineOf<StateError>([&] { y.mul_(2); }) ==
        "[mul_] StateError: the tensor is the result of mul; only leaves and buffers are written in place");
}

TEST_CASE("an expanded tensor is not written in place") {
  Tensor wide = expand(Tensor::of({1}), {3});
  CHECK(headlineOf<StateError>([&] { wide.fill_(2); }) ==
        "[fill_] StateError: the tensor is expanded: several of its elements are one place in memory");
}

TEST_CASE("copying between overlapping views reads before it writes") {
  Tensor x = Tensor::of({1, 2, 3, 4});
  const Tensor front = slice(x, 0, 0, 3);
  Tensor back = slice(x, 0, 1, 4);
  back.copy_(front);
  CHECK(Tensor(x.impl()->array).toVector<double>() == std::vector<double>{1, 1, 2, 3});
  Tensor y = Tensor::of({1, 2, 3});
  y.add_(y);
  CHECK(y.toVector<double>() == std::vector<double>{2, 4, 6});
}
