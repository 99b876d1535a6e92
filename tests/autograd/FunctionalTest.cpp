#include <ember/autograd/Functional.h>

#include <doctest/doctest.h>
#include <ember/autograd/ops/Ops.h>

#include "support/Draw.h"
#include "support/Golden.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

namespace {

Tensors maps(const Tensors& in) { return {sin(in[0]) * in[1], matmul(in[0].reshape({1, 3}), in[1].reshape({3, 1}))}; }

// f(x + h·v) - f(x - h·v) over 2h.
Tensors differences(const Tensors& x, const Tensors& v) {
  constexpr double h = 1e-6;
  const auto moved = [&](double t) { return maps({x[0] + v[0] * t, x[1] + v[1] * t}); };
  const Tensors up = moved(h), down = moved(-h);
  return {(up[0] - down[0]) / (2 * h), (up[1] - down[1]) / (2 * h)};
}

constexpr Tolerance ofDifferences{1e-7, 1e-8};

}  // namespace

TEST_CASE("jvp is the directional derivative, and vjp its transpose") {
  const Tensors x{draw("x", {3}), draw("y", {3})}, v{draw("v", {3}), draw("w", {3})};
  const Derivative forward = jvp(maps, x, v);
  const Tensors expected = differences(x, v), values = maps(x);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(sameBits(forward.outputs[i], values[i]));
    CHECK_CLOSE(forward.products[i], expected[i], ofDifferences, "product " << i);
    CHECK(!forward.products[i].requiresGrad());
  }
  const Tensors u{draw("u", {3}), draw("t", {1, 1})};
  const Derivative backward = vjp(maps, x, u);
  const double right = (u[0] * forward.products[0]).sum().item() + (u[1] * forward.products[1]).sum().item();
  const double left = (backward.products[0] * v[0]).sum().item() + (backward.products[1] * v[1]).sum().item();
  CHECK(left == doctest::Approx(right).epsilon(1e-13));
}

TEST_CASE("hvp is the Hessian's product: of a quadratic form, its matrix; symmetric; the derivative of the gradient") {
  const Tensor a = draw("a", {4, 4}), x = draw("x", {4}), v = draw("v", {4}), w = draw("w", {4});
  const auto form = [&](const Tensor& t) {
    return (t.reshape({1, 4}) * matmul(a, t.reshape({4, 1})).reshape({1, 4})).sum();
  };
  const Tensor symmetric = a + a.transpose(0, 1);
  CHECK_CLOSE(hvp(form, x, v).product, matmul(symmetric, v.reshape({4, 1})).reshape({4}), toleranceF64, "quadratic");
  const auto f = [&](const Tensor& t) { return (exp(sin(t)) * t).sum() * t.sum(); };
  CHECK((hvp(f, x, v).product * w).sum().item() ==
        doctest::Approx((hvp(f, x, w).product * v).sum().item()).epsilon(1e-13));
  const auto gradient = [&](const Tensor& t) {
    return vjp([&](const Tensors& in) { return Tensors{f(in[0])}; }, {t}).products[0];
  };
  constexpr double h = 1e-6;
  CHECK_CLOSE(hvp(f, x, v).product, (gradient(x + v * h) - gradient(x - v * h)) / (2 * h), ofDifferences, "difference");
  CHECK(hvp(f, x, v).output.item() == f(x).item());
}

TEST_CASE("what nothing depends on has derivative 0, linear functions a Hessian of 0") {
  const Tensors x{draw("x", {3}), draw("y", {2})}, v{draw("v", {3}), draw("w", {2})};
  const auto first = [](const Tensors& in) { return Tensors{in[0] * 2, Tensor::ones({2}, DType::F64)}; };
  const Derivative forward = jvp(first, x, v);
  CHECK_CLOSE(forward.products[0], v[0] * 2, toleranceF64, "product");
  CHECK(forward.products[1].toVector<double>() == std::vector<double>{0, 0});
  CHECK(vjp(first, x, {v[0], v[1]}).products[1].toVector<double>() == std::vector<double>{0, 0});
  CHECK(hvp([](const Tensor& t) { return t.sum(); }, x[0], v[0]).product.toVector<double>() ==
        std::vector<double>{0, 0, 0});
}

TEST_CASE("derivatives leave inputs and their gradients alone, and work inside NoGrad") {
  const Tensor x = draw("x", {3}).setRequiresGrad(), v = draw("v", {3});
  const NoGrad guard;
  CHECK_CLOSE(jvp([](const Tensor& t) { return t * t; }, x, v).product, x * v * 2, toleranceF64, "product");
  CHECK(hvp([](const Tensor& t) { return (t * t).sum(); }, x, v).product.defined());
  CHECK(!x.grad().defined());
  CHECK(!gradEnabled());
}

TEST_CASE("vectors that do not fit are refused") {
  const auto f = [](const Tensors& in) { return Tensors{in[0] * 2}; };
  const Tensor x = draw("x", {3}), wrong = draw("v", {2});
  CHECK(headlineOf<ValueError>([&] { jvp(f, {x}, {}); }) == "[jvp] ValueError: 0 vectors for 1 inputs");
  CHECK(headlineOf<ShapeError>([&] { jvp(f, {x}, {wrong}); }) == "[jvp] ShapeError: vector 0 is [2], the input [3]");
  CHECK(headlineOf<ShapeError>([&] { vjp(f, {x}, {wrong}); }) == "[vjp] ShapeError: vector 0 is [2], the output [3]");
  CHECK(headlineOf<ShapeError>([&] { vjp(f, {x}); }) ==
        "[vjp] ShapeError: a vector is implied for scalars only, an output is [3]");
  CHECK(headlineOf<ShapeError>([&] { hvp([](const Tensor& t) { return t * 2; }, x, x); }) ==
        "[hvp] ShapeError: the function gave [3], a Hessian belongs to a scalar");
  CHECK_THROWS_AS(jvp(f, {x}, {x.to(DType::F32)}), DtypeError);
  CHECK_THROWS_AS(vjp(f, {Tensor::zeros({3}, DType::I64)}), DtypeError);
  CHECK_THROWS_AS(vjp(f, {Tensor()}), StateError);
}
