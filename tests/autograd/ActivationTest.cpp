// Activations at their limits and with wrong arguments; their values, derivatives and layouts are OpTableTest's.
#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include <doctest/doctest.h>
#include <ember/autograd/ops/Ops.h>
#include <ember/core/Error.h>

#include "support/Headline.h"
#include "support/Near.h"

using namespace ember;
using namespace ember::test;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
using Function = std::function<Tensor(const Tensor&)>;

/// Limits of value and derivative at -infinity and infinity.
struct Limits {
  Function f;
  double left, right, leftSlope, rightSlope;
};

const std::map<std::string, Limits> functions = {
    {"relu6", {relu6, 0, 6, 0, 0}},
    {"hardsigmoid", {hardsigmoid, 0, 1, 0, 0}},
    {"hardswish", {hardswish, 0, infinity, 0, 1}},
    {"hardtanh", {[](const Tensor& x) { return hardtanh(x); }, -1, 1, 0, 0}},
    {"clamp", {[](const Tensor& x) { return clamp(x, -2, infinity); }, -2, infinity, 0, 1}},
    {"softshrink", {[](const Tensor& x) { return softshrink(x); }, -infinity, infinity, 1, 1}},
    {"hardshrink", {[](const Tensor& x) { return hardshrink(x); }, -infinity, infinity, 1, 1}},
    {"threshold", {[](const Tensor& x) { return threshold(x, 1, 5); }, 5, infinity, 0, 1}},
    {"elu", {[](const Tensor& x) { return elu(x, 2); }, -2, infinity, 0, 1}},
    {"selu", {selu, -1.7580993408473766, infinity, 0, 1.0507009873554805}},
    {"celu", {[](const Tensor& x) { return celu(x, 3); }, -3, infinity, 0, 1}},
    {"mish", {mish, 0, infinity, 0, 1}},
    {"softplus", {[](const Tensor& x) { return softplus(x, 2); }, 0, infinity, 0, 1}},
    {"softplus, no threshold", {[](const Tensor& x) { return softplus(x, 2, infinity); }, 0, infinity, 0, 1}},
    {"softsign", {softsign, -1, 1, 0, 0}},
    {"logSigmoid", {logSigmoid, -infinity, 0, 1, 0}},
    {"tanhshrink", {tanhshrink, -infinity, infinity, 1, 1}},
    {"prelu",
     {[](const Tensor& x) { return prelu(x, Tensor::full({1}, 0.5, x.dtype())); }, -infinity, infinity, 0.5, 1}},
};

}  // namespace

TEST_CASE("activations and their first and second derivatives stay finite at 1e4 and reach their limits at infinity") {
  for (const auto& function : functions) {
    const std::string name = function.first;
    const auto& limits = function.second;
    for (const DType dtype : {DType::F32, DType::F64}) {
      CAPTURE(name);
      CAPTURE(dtype == DType::F32);
      Tensor x = Tensor::of({-1e4, 1e4, -100, 100, -0.3}, dtype);
      x.setRequiresGrad();
      const Tensor y = limits.f(x), ones = Tensor::ones(x.shape(), dtype);
      CHECK(allFinite(y));
      const Tensor slope = gradients({y}, {x}, {.createGraph = true}, {ones})[0];
      CHECK(allFinite(slope));
      if (slope.requiresGrad()) {
        const Tensor curvature = gradients({slope}, {x}, {}, {ones})[0];
        if (curvature.defined()) CHECK(allFinite(curvature));
      }
      Tensor ends = Tensor::of({-infinity, infinity}, dtype);
      ends.setRequiresGrad();
      const Tensor atEnds = limits.f(ends);
      atEnds.backward({.gradient = Tensor::ones({2}, dtype)});
      const Values values = valuesOf(atEnds), slopes = valuesOf(ends.grad());
      const double tolerance = dtype == DType::F32 ? 1e-6 : 1e-14;  // constants rounded to the type
      const auto near = [&](double a, double b) { return a == b || std::abs(a - b) <= tolerance; };
      CHECK(near(values[0], limits.left));
      CHECK(near(values[1], limits.right));
      CHECK(near(slopes[0], limits.leftSlope));
      CHECK(near(slopes[1], limits.rightSlope));
      CHECK(std::isnan(limits.f(Tensor::of({std::nan("")}, dtype)).item()));
    }
  }
}

TEST_CASE("gradients at the kinks are PyTorch's: clamp passes at its bounds, hardtanh and relu6 do not") {
  const auto slopes = [](const Function& f, std::initializer_list<double> at) {
    Tensor x = Tensor::of(at, DType::F64);
    x.setRequiresGrad();
    f(x).backward({.gradient = Tensor::ones(x.shape(), DType::F64)});
    return valuesOf(x.grad());
  };
  CHECK(slopes([](const Tensor& x) { return clamp(x, -1, 1); }, {-1, 1}) == Values{1, 1});
  CHECK(slopes([](const Tensor& x) { return hardtanh(x); }, {-1, 1}) == Values{0, 0});
  CHECK(slopes(relu6, {0, 6}) == Values{0, 0});
  CHECK(slopes(hardswish, {-3, 3}) == Values{0, 1});
  CHECK(slopes([](const Tensor& x) { return threshold(x, 2, 0); }, {2}) == Values{0});
}

TEST_CASE("an activation in f32 keeps the small numbers of elu and celu, where exp(x) - 1 would cancel") {
  const Tensor x = Tensor::of({-1e-6, -1e-4, -0.01, -0.4});
  const Values input = valuesOf(x), y = valuesOf(elu(x, 1));
  for (std::size_t i = 0; i < y.size(); ++i) CHECK(std::abs(y[i] / std::expm1(input[i]) - 1) < 5e-7);  // 4 ulp
}

TEST_CASE("wrong numbers are refused under the activation's name") {
  const Tensor x = Tensor::zeros({2, 3});
  const double nan = std::nan("");
  CHECK(headlineOf([&] { elu(x, nan); }) == "[elu] ValueError: alpha is nan");
  CHECK(headlineOf([&] { elu(x, infinity); }) == "[elu] ValueError: alpha is inf");
  CHECK(headlineOf([&] { celu(x, 0); }) == "[celu] ValueError: alpha is 0, and x is divided by it");
  CHECK(headlineOf([&] { softplus(x, 0); }) == "[softplus] ValueError: beta is 0, and the result is divided by it");
  CHECK(headlineOf([&] { softplus(x, 1, nan); }) == "[softplus] ValueError: threshold is nan");
  CHECK(headlineOf([&] { softshrink(x, -1); }) == "[softshrink] ValueError: lambda is -1, must be 0 or more");
  CHECK(headlineOf([&] { hardshrink(x, -0.5); }) == "[hardshrink] ValueError: lambda is -0.5, must be 0 or more");
  CHECK(headlineOf([&] { hardtanh(x, 1, -1); }) == "[hardtanh] ValueError: min is 1 and max -1");
  CHECK(headlineOf([&] { clamp(x, 0.5, nan); }) == "[clamp] ValueError: low is 0.5 and high nan");
  CHECK(headlineOf([&] { threshold(x, nan, 0); }) == "[threshold] ValueError: threshold is nan");
  CHECK(headlineOf([&] { threshold(x, 0, infinity); }) == "[threshold] ValueError: value is inf");
}

TEST_CASE("wrong shapes and types are refused under the activation's name") {
  const Tensor x = Tensor::zeros({2, 3});
  CHECK(headlineOf([&] { prelu(x, Tensor::zeros({2})); }) == "[prelu] ShapeError: weight is [2], x is [2, 3]");
  CHECK(headlineOf([&] { prelu(x, Tensor::zeros({3, 1})); }) == "[prelu] ShapeError: weight is [3, 1], x is [2, 3]");
  CHECK(headlineOf([&] { prelu(x, Tensor::zeros({3}, DType::F64)); }) == "[prelu] DtypeError: x is f32 and weight is f64");
  CHECK(headlineOf([&] { glu(x); }) == "[glu] ShapeError: axis 1 of x [2, 3] is odd");
  CHECK(headlineOf([&] { glu(x, 2); }).starts_with("[glu] ShapeError: "));
  CHECK(headlineOf([&] { relu6(Tensor::zeros({2}, DType::I64)); }) == "[relu6] DtypeError: x is i64, expected f32 or f64");
  CHECK(headlineOf([&] { mish(Tensor::zeros({2}, DType::I64)); }) == "[mish] DtypeError: x is i64, expected f32 or f64");
}
