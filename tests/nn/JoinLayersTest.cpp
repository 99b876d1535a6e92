#include <doctest/doctest.h>

#include <ember/ember.h>

#include "support/Draw.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

TEST_CASE("a chain of layers of several tensors: split, work, join") {
  const Tensor x = draw("x", {2, 6, 3});
  nn::Sequential net(nn::Split({.parts = 2}), nn::Concat());
  CHECK(sameBits(net(x), x));
  nn::Sequential square(nn::Replicate(2), nn::Mul());
  CHECK(sameBits(square(x), x * x));
  nn::Sequential triple(nn::Replicate(3), nn::Add());
  CHECK(sameBits(triple(x), x + x + x));
}

TEST_CASE("the number of tensors is checked, and the error says how many came and how many it takes") {
  const Tensor x = Tensor::ones({2, 2});
  CHECK(headlineOf<StateError>([&] { nn::Concat()(Tensors{}); }) ==
        "[Concat] StateError: forward takes one tensor or more, got 0");
  CHECK(headlineOf<StateError>([&] { nn::Add()(Tensors{}); }) ==
        "[Add] StateError: forward takes one tensor or more, got 0");
  CHECK(headlineOf<StateError>([&] { nn::Split({.parts = 2})(Tensors{x, x}); }) ==
        "[Split] StateError: forward takes one tensor, got 2");
  CHECK(headlineOf<StateError>([&] { nn::Replicate(2)(Tensors{x, x, x}); }) ==
        "[Replicate] StateError: forward takes one tensor, got 3");
  // The default of layers of one tensor, and who expects one result.
  CHECK(headlineOf<StateError>([&] { nn::ReLU()(Tensors{x, x}); }) ==
        "[ReLU] StateError: forward takes one tensor, got 2");
  CHECK(headlineOf<StateError>([&] { nn::Replicate(2)(x); }) ==
        "[Replicate] StateError: forward gave 2 tensors where one was expected");
  nn::Sequential net(nn::Replicate(2), nn::Linear(2, 2));
  const std::string message = messageOf([&] { net(x); });
  CHECK(contains(message, "[Linear] StateError: forward takes one tensor, got 2"));
  CHECK(contains(message, "1 (Linear 2 -> 2)"));
}

TEST_CASE("parts that do not make the axis are refused") {
  const Tensor x = Tensor::ones({2, 5});
  CHECK(headlineOf<ShapeError>([&] { nn::Split({.parts = 2})(Tensors{x}); }) ==
        "[Split] ShapeError: axis 1 has 5 elements, which do not make 2 equal parts");
  CHECK(headlineOf<ShapeError>([&] { nn::Split({.sizes = {2, 2}})(Tensors{x}); }) ==
        "[split] ShapeError: the sizes add up to 4, axis 1 has 5 elements");
  for (const nn::SplitOptions& wrong :
       {nn::SplitOptions{}, {.parts = -1}, {.parts = 2, .sizes = {1, 1}}, {.sizes = {1, 0}}})
    CHECK_THROWS_AS(nn::Split{wrong}, ValueError);
  CHECK(headlineOf<ValueError>([] { nn::Replicate(0); }) == "[Replicate] ValueError: times is 0");
}

TEST_CASE("hooks, summaries and traces see all inputs and outputs") {
  nn::Sequential net(nn::Split({.sizes = {1, 2}}), nn::Concat());
  std::vector<std::size_t> seen;
  for (const std::size_t i : {0u, 1u})
    net.child(i).registerForwardHook([&](nn::Module&, const Tensors& in, const Tensors& out) {
      seen.push_back(in.size());
      seen.push_back(out.size());
    });
  net(Tensor::ones({4, 3}));
  CHECK(seen == std::vector<std::size_t>{1, 2, 2, 1});
  const nn::Summary summary = net.summary({4, 3});
  CHECK(toString(summary.rows[1].output) == "[4, 1]");
  REQUIRE(summary.rows[1].outputs.size() == 2);
  CHECK(toString(summary.rows[1].outputs[1]) == "[4, 2]");
  CHECK(summary.rows[1].outputBytes == 4 * 3 * 4);
  CHECK(contains(summary.text(), "[4, 1] [4, 2]"));
}

TEST_CASE("a summary of several inputs takes tensors, of which only the shape counts") {
  nn::Add add;
  const nn::Summary summary =
      add.summary(Tensors{Tensor::shapeOnly({2, 3}, DType::F64), Tensor::zeros({3}, DType::F64)});
  CHECK(toString(summary.rows[0].output) == "[2, 3]");
  CHECK(summary.rows[0].outputBytes == 48);
  CHECK(contains(summary.text(), "input [2, 3] [3]\n"));
}

TEST_CASE("batches that do not broadcast are an error of the layer") {
  const std::string message = messageOf([] { nn::Add()(Tensors{Tensor::ones({2, 3}), Tensor::ones({2, 4})}); });
  CHECK(contains(message, "ShapeError"));
  CHECK(contains(message, "Add"));
}
