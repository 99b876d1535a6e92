#include <cmath>

#include <doctest/doctest.h>

#include <ember/ember.h>

#include "support/Draw.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::optim;
using namespace ember::test;

namespace {

const double noNumber = std::nan(""), infinite = HUGE_VAL;

nn::Parameters withGradients(const std::vector<std::vector<double>>& gradients, DType dtype = DType::F64) {
  nn::Parameters list;
  for (const auto& values : gradients) {
    Tensor p = Tensor::zeros({static_cast<i64>(values.size())}, dtype).setRequiresGrad();
    p.setGrad(Tensor::of<double>(values).to(dtype));
    list.push_back({"p" + std::to_string(list.size()), p});
  }
  return list;
}

std::vector<double> gradientOf(const nn::Parameters& p, std::size_t i) { return p[i].tensor.grad().toVector<double>(); }

}  // namespace

TEST_CASE("the norm is that of all present gradients together, in f64") {
  nn::Parameters p = withGradients({{3}, {4, 12}});
  CHECK(gradNorm(p) == 13);
  p[1].tensor.zeroGrad();
  CHECK(gradNorm(p) == 3);
  p[0].tensor.zeroGrad();
  CHECK(gradNorm(p) == 0);
  CHECK(gradNorm({}) == 0);
  // In f32 the squares would overflow.
  CHECK(gradNorm(withGradients({{3e30}, {4e30}}, DType::F32)) == doctest::Approx(5e30).epsilon(1e-6));
}

TEST_CASE("clipping by norm scales all alike where they are too long, and returns the norm before") {
  nn::Parameters p = withGradients({{3}, {4, 12}});
  CHECK(clipGradNorm(p, 20) == 13);
  CHECK(gradientOf(p, 1) == std::vector<double>{4, 12});
  CHECK(clipGradNorm(p, 13) == 13);
  CHECK(gradientOf(p, 0) == std::vector<double>{3});
  CHECK(clipGradNorm(p, 6.5) == 13);
  CHECK(gradNorm(p) == doctest::Approx(6.5).epsilon(1e-15));
  CHECK(gradientOf(p, 1)[1] == doctest::Approx(6).epsilon(1e-15));
  nn::Parameters none = withGradients({{1}});
  none[0].tensor.zeroGrad();
  CHECK(clipGradNorm(none, 1) == 0);
  CHECK(!none[0].tensor.grad().defined());
}

TEST_CASE("clipping by value clamps every element") {
  nn::Parameters p = withGradients({{-3, 0.5}, {4}});
  clipGradValue(p, 1);
  CHECK(gradientOf(p, 0) == std::vector<double>{-1, 0.5});
  CHECK(gradientOf(p, 1) == std::vector<double>{1});
}

TEST_CASE("two parameters of one sum are clipped once each") {
  // Both get the sum's own gradient; scaling one must not scale the other.
  Tensor a = Tensor::zeros({4}, DType::F64).setRequiresGrad(), b = Tensor::zeros({4}, DType::F64).setRequiresGrad();
  const nn::Parameters p{{"a", a}, {"b", b}};
  (a + b).sum().backward();
  CHECK(clipGradNorm(p, 1) == doctest::Approx(std::sqrt(8.0)));
  CHECK(gradNorm(p) == doctest::Approx(1).epsilon(1e-15));
  a.zeroGrad();
  b.zeroGrad();
  (a + b).backward({.gradient = Tensor::full({4}, 3, DType::F64)});
  clipGradValue(p, 2);
  CHECK(gradientOf(p, 0) == std::vector<double>(4, 2));
  CHECK(gradientOf(p, 1) == std::vector<double>(4, 2));
}

TEST_CASE("a gradient that is not finite is an error naming the parameter, and changes nothing (M15)") {
  for (const double bad : {noNumber, infinite, -infinite}) {
    nn::Parameters p = withGradients({{3}, {4, bad}, {bad}});
    const auto first = gradientOf(p, 0);
    CHECK(headlineOf<NumericError>([&] { clipGradNorm(p, 0.1); }) ==
          "[clipGradNorm] NumericError: the gradient of \"p1\" has NaN or infinity");
    CHECK(headlineOf<NumericError>([&] { clipGradValue(p, 0.1); }) ==
          "[clipGradValue] NumericError: the gradient of \"p1\" has NaN or infinity");
    CHECK(headlineOf<NumericError>([&] { checkGradsFinite(p, "mine"); }) ==
          "[mine] NumericError: the gradient of \"p1\" has NaN or infinity");
    CHECK(gradientOf(p, 0) == first);
    CHECK(contains(messageOf([&] { checkGradsFinite(p, "mine"); }), "AnomalyMode"));
  }
  CHECK_NOTHROW(checkGradsFinite(withGradients({{1e38}}, DType::F32), "mine"));
}

TEST_CASE("finite gradients whose norm is beyond f64 are an error, not zeros") {
  nn::Parameters p = withGradients({{1e200}, {1e200}});
  CHECK(headlineOf<NumericError>([&] { clipGradNorm(p, 1); }) ==
        "[clipGradNorm] NumericError: every gradient is finite but their norm is not");
  CHECK(gradientOf(p, 0) == std::vector<double>{1e200});
}

TEST_CASE("limits out of range are refused") {
  const nn::Parameters p = withGradients({{1}});
  for (const double bad : {0.0, -1.0, noNumber}) {
    CHECK_THROWS_AS(clipGradNorm(p, bad), ValueError);
    CHECK_THROWS_AS(clipGradValue(p, bad), ValueError);
  }
  CHECK(clipGradNorm(p, infinite) == 1);
  CHECK(gradientOf(p, 0) == std::vector<double>{1});
}
