#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include <ember/core/Scope.h>
#include <ember/ember.h>

#include "autograd/Leaf.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

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
