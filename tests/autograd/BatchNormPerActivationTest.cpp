// paramDim PerActivation: every element of a sample is a channel of its own.
#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/BatchNorm.h>
#include <ember/core/Error.h>

#include "support/Draw.h"
#include "support/Near.h"

using namespace ember;
using namespace ember::test;

namespace {

Tensor leaf(const Tensor& t) { return t.clone().setRequiresGrad(); }

BatchNormOptions perActivation() { return {.paramDim = ParamDim::PerActivation}; }

const std::vector<Shape> shapes = {{5, 3}, {5, 3, 4}, {5, 3, 2, 4}, {5, 3, 2, 2, 3}};

Shape sampleOf(const Shape& shape) {
  Shape sample = shape;
  sample.erase(0);
  return sample;
}

/// What the whole op gives, by loops over samples and elements.
struct Loops {
  Values y, dx, dw, db, mean, var;

  Loops(const Tensor& x, const Tensor& w, const Tensor& b, const Tensor& dy) {
    const Values xs = valuesOf(x), ws = valuesOf(w), bs = valuesOf(b), dys = valuesOf(dy);
    const std::size_t n = static_cast<std::size_t>(x.size(0)), elements = xs.size() / n;
    const double m = static_cast<double>(n);
    y.resize(xs.size());
    dx.resize(xs.size());
    for (std::size_t e = 0; e < elements; ++e) {
      double mu = 0, squares = 0, sum = 0, sumXh = 0;
      for (std::size_t i = 0; i < n; ++i) mu += xs[i * elements + e] / m;
      for (std::size_t i = 0; i < n; ++i) squares += std::pow(xs[i * elements + e] - mu, 2) / m;
      const double is = 1 / std::sqrt(squares + 1e-5);
      for (std::size_t i = 0; i < n; ++i) {
        const double xh = (xs[i * elements + e] - mu) * is;
        y[i * elements + e] = ws[e] * xh + bs[e];
        sum += dys[i * elements + e];
        sumXh += dys[i * elements + e] * xh;
      }
      for (std::size_t i = 0; i < n; ++i) {
        const double xh = (xs[i * elements + e] - mu) * is;
        dx[i * elements + e] = ws[e] * is * (dys[i * elements + e] - sum / m - xh * sumXh / m);
      }
      dw.push_back(sumXh);
      db.push_back(sum);
      mean.push_back(mu);
      var.push_back(squares);
    }
  }
};

}  // namespace

TEST_CASE("PerActivation agrees with loops in every rank, memory order and backend") {
  for (const Shape& shape : shapes) {
    for (const MemoryOrder order : {MemoryOrder::RowMajor, MemoryOrder::ChannelsLast}) {
      for (const BatchNormBackend backend :
           {BatchNormBackend::Auto, BatchNormBackend::Reference, BatchNormBackend::OneDNN}) {
        CAPTURE(toString(shape));
        CAPTURE(static_cast<int>(backend));
        const DType dtype = backend == BatchNormBackend::OneDNN ? DType::F32 : DType::F64;
        const double tolerance = dtype == DType::F32 ? 3e-6 : 1e-13;  // sums of five values
        const Shape sample = sampleOf(shape);
        const Tensor x = leaf(Tensor(draw("x", shape).to(dtype).array().contiguous(order)));
        const Tensor w = leaf(draw("w", sample, 0.5, 1.5).to(dtype)), b = leaf(draw("b", sample).to(dtype));
        const Tensor dy = draw("dy", shape).to(dtype);
        Tensor rm = Tensor::zeros(sample, dtype), rv = Tensor::ones(sample, dtype);
        const BatchNormResult result =
            batchNorm(x, w, b, rm, rv, {.factor = 1.0, .paramDim = ParamDim::PerActivation, .backend = backend});
        const Tensors g = gradients({result.y}, {x, w, b}, {}, {dy});
        const Loops loops(x, w, b, dy);
        CHECK((result.mean().shape() == sample));
        CHECK((result.invstd().shape() == sample));
        CHECK(relativeError(result.y, loops.y) < tolerance);
        CHECK(relativeError(result.mean(), loops.mean) < tolerance);
        CHECK(relativeError(result.var(), loops.var) < tolerance);
        CHECK(relativeError(rm, loops.mean) < tolerance);
        CHECK(relativeError(Tensor(0.8 * rv), loops.var) < tolerance);  // 4/5 of the unbiased one
        CHECK(relativeError(g[0], loops.dx) < tolerance * 3);           // differences of terms of that size
        CHECK(relativeError(g[1], loops.dw) < tolerance);
        CHECK(relativeError(g[2], loops.db) < tolerance);
        CHECK((g[1].shape() == sample));
      }
    }
  }
}

TEST_CASE("PerActivation on two axes is what Spatial is, and its eval uses statistics an element") {
  const Tensor x = draw("x", {6, 3});
  CHECK(sameBits(batchNorm(x, {}, {}, {}, {}, perActivation()), batchNorm(x)));
  const Shape shape{2, 3, 2};
  const Tensor rm = draw("rm", {3, 2}), rv = draw("rv", {3, 2}, 0.5, 2), data = draw("data", shape);
  const Tensor y =
      batchNorm(data, {}, {}, rm, rv, {.training = false, .epsilon = 0, .paramDim = ParamDim::PerActivation});
  const Values expected = valuesOf(data), means = valuesOf(rm), vars = valuesOf(rv), ys = valuesOf(y);
  for (std::size_t i = 0; i < ys.size(); ++i)
    CHECK(ys[i] == doctest::Approx((expected[i] - means[i % 6]) / std::sqrt(vars[i % 6])).epsilon(1e-13));
}

TEST_CASE("PerActivation refuses parameters a channel, a channel axis 0 and inplace") {
  const Tensor x = draw("x", {5, 3, 2}) + 0.0;
  BatchNormOptions options = perActivation();
  CHECK_THROWS_WITH_AS(batchNorm(x, draw("w", {3}), {}, {}, {}, options),
                       doctest::Contains("gamma is [3], the input needs [3, 2]"), ShapeError);
  CHECK_THROWS_WITH_AS(batchNorm(x, {}, {}, draw("rm", {3}), draw("rv", {3, 2}), options),
                       doctest::Contains("runningMean is [3], the input needs [3, 2]"), ShapeError);
  CHECK_THROWS_AS(batchNorm(x, draw("w", {3, 2})), ShapeError);
  options.inplace = true;
  CHECK_THROWS_WITH_AS(batchNorm(x, {}, {}, {}, {}, options), doctest::Contains("paramDim is PerActivation"),
                       ValueError);
  options = perActivation();
  options.channelAxis = 0;
  CHECK_THROWS_WITH_AS(batchNorm(x, {}, {}, {}, {}, options), doctest::Contains("averages over axis 0"), ShapeError);
}
