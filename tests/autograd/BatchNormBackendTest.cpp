// The three backends of batch norm against each other, and what oneDNN is not asked to do.
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ember/autograd/ops/Activation.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/BatchNorm.h>
#include <ember/core/Error.h>
#include <ember/core/comm/InProcess.h>

#include "support/Cpu.h"
#include "support/Draw.h"
#include "support/Near.h"

using namespace ember;
using namespace ember::test;

namespace {

Tensor leaf(const Tensor& t) { return t.clone().setRequiresGrad(); }

struct Outcome {
  Tensor y, mean, var, rm, rv, dx, dw, db;
};

/// A forward and backward of the same numbers under any options.
Outcome run(const Shape& shape, DType dtype, const BatchNormOptions& options, double mean = 0.7) {
  const DType parameters = dtype == DType::F64 ? DType::F64 : DType::F32;
  const i64 c = shape.at(options.channelAxis);
  const DType leaves = dtype == DType::BF16 ? DType::F32 : dtype;  // which require gradients
  // f64 sees the numbers of f32.
  const Tensor source = leaf((draw("x", shape, -3, 3) + mean).to(DType::F32).to(leaves));
  const Tensor w = leaf(draw("w", {c}, 0.5, 1.5).to(parameters)), b = leaf(draw("b", {c}, -1, 1).to(parameters));
  Outcome o;
  o.rm = draw("rm", {c}, -1, 1).to(parameters).clone();
  o.rv = draw("rv", {c}, 0.5, 2).to(parameters).clone();
  const BatchNormResult result = batchNorm(source.to(dtype), w, b, o.rm, o.rv, options);
  o.y = result.y.detach();
  o.mean = result.mean();
  o.var = result.var();
  const Tensor dy = draw("dy", shape).to(dtype);
  const Tensors g = gradients({result.y}, {source, w, b}, {}, {dy});
  o.dx = g[0];
  o.dw = g[1];
  o.db = g[2];
  return o;
}

const std::vector<Shape> shapes = {{50, 7}, {9, 5, 6}, {4, 16, 9, 9}, {2, 8, 3, 4, 5}, {3, 33, 5, 5}};

struct Mode {
  std::string name;
  BatchNormOptions options;
};
const std::vector<Mode> modes = {
    {"training", {}},
    {"training, biased, factor 1", {.factor = 1.0, .varEstimator = VarEstimator::Biased}},
    {"eval", {.training = false}},
    {"channels last by option", {.channelAxis = -1}},
    {"fixed gamma", {.fixGamma = true}},
    {"epsilon 0.1", {.epsilon = 0.1}},
};
const std::vector<BatchNormOptions> acts = {
    {}, {.act = Act::ReLU}, {.act = Act::LeakyReLU, .slope = 0.2}, {.act = Act::LeakyReLU, .slope = -0.3}};

BatchNormOptions with(BatchNormOptions options, const BatchNormOptions& act, BatchNormBackend backend) {
  options.act = act.act;
  options.slope = act.slope;
  options.backend = backend;
  return options;
}

}  // namespace

TEST_CASE("Auto, Reference and OneDNN agree in y, the running statistics and all gradients") {
  for (const Mode& mode : modes) {
    for (const Shape& shape : shapes) {
      for (const BatchNormOptions& act : acts) {
        for (const DType dtype : {DType::F32, DType::F64, DType::BF16}) {
          CAPTURE(mode.name);
          CAPTURE(toString(shape));
          CAPTURE(static_cast<int>(act.act));
          CAPTURE(std::string(name(dtype)));
          const Outcome exact = run(shape, dtype, with(mode.options, act, BatchNormBackend::Reference));
          const auto compare = [&](BatchNormBackend backend) {
            CAPTURE(static_cast<int>(backend));
            const Outcome o = run(shape, dtype, with(mode.options, act, backend));
            // Statistics: f32 sums of some hundred values. y: a rounding or two of its type. Gradients: f32 sums of
            // some hundred products; in bf16 the reference rounds dy·slope as a separate activation would.
            const bool bf16 = dtype == DType::BF16;
            const double sums = dtype == DType::F64 ? 1e-13 : 5e-6;
            const double rounding = bf16 ? 1e-2 : dtype == DType::F64 ? 1e-13 : 5e-6;
            CHECK(relativeError(o.mean, exact.mean) < sums);
            CHECK(relativeError(o.var, exact.var) < sums);
            CHECK(relativeError(o.rm, exact.rm) < sums);
            CHECK(relativeError(o.rv, exact.rv) < sums);
            CHECK(relativeError(o.y, exact.y) < rounding);
            const double parameters = bf16 ? 2e-2 : dtype == DType::F64 ? 1e-12 : 2e-5;
            if (!mode.options.fixGamma) CHECK(relativeError(o.dw, exact.dw) < parameters);
            CHECK(relativeError(o.db, exact.db, 1) < parameters);
            CHECK(relativeError(o.dx, exact.dx) < parameters);
          };
          compare(BatchNormBackend::Auto);
          const bool vendor = dtype != DType::F64 && (dtype != DType::BF16 || oneDnnTakesBf16()) &&
                              !(act.act == Act::LeakyReLU && act.slope < 0);
          if (vendor) compare(BatchNormBackend::OneDNN);
        }
      }
    }
  }
}

TEST_CASE("a fused activation gives the bits of the separate one on the reference, and its values on Auto") {
  for (const DType dtype : {DType::F32, DType::F64}) {
    for (const bool training : {true, false}) {
      for (const BatchNormOptions& act : acts) {
        for (const BatchNormBackend backend : {BatchNormBackend::Reference, BatchNormBackend::Auto}) {
          const Tensor x = leaf(draw("x", {5, 4, 6, 3}).to(dtype)), w = leaf(draw("w", {4}, 0.5, 1.5).to(dtype)),
                       b = leaf(draw("b", {4}, -1, 1).to(dtype));
          const Tensor rm = draw("rm", {4}).to(dtype), rv = draw("rv", {4}, 0.5, 2).to(dtype);
          const Tensor dy = draw("dy", {5, 4, 6, 3}).to(dtype);
          const BatchNormOptions none{.training = training, .backend = backend};
          const Tensor fused = batchNorm(x, w, b, rm.clone(), rv.clone(), with(none, act, backend));
          Tensor apart = batchNorm(x, w, b, rm.clone(), rv.clone(), none);
          if (act.act == Act::ReLU) apart = relu(apart);
          if (act.act == Act::LeakyReLU) apart = leakyRelu(apart, act.slope);
          const Tensors g = gradients({fused}, {x, w, b}, {}, {dy}), h = gradients({apart}, {x, w, b}, {}, {dy});
          if (backend == BatchNormBackend::Reference) {
            CHECK(sameBits(fused, apart));
            for (std::size_t i = 0; i < 3; ++i) CHECK(sameBits(g[i], h[i]));
          } else {
            const double rounding = dtype == DType::F64 ? 1e-14 : 1e-6;  // one fused multiply-add more or less
            CHECK(relativeError(fused, apart) < rounding);
            for (std::size_t i = 0; i < 3; ++i) CHECK(relativeError(g[i], h[i]) < 10 * rounding);
          }
        }
      }
    }
  }
}

TEST_CASE("OneDNN refuses what it cannot do, and says what can") {
  const Tensor x = draw("x", {4, 3, 2, 2}).to(DType::F32);
  const auto run1 = [&](BatchNormOptions options, const Tensor& input) {
    options.backend = BatchNormBackend::OneDNN;
    return batchNorm(input, {}, {}, {}, {}, options);
  };
  CHECK_THROWS_WITH_AS(run1({.inplace = true}, x + 0.0), doctest::Contains("backend OneDNN cannot work in place"),
                       ValueError);
  CHECK_THROWS_WITH_AS(run1({.syncGroup = inProcess(1).front()}, x), doctest::Contains("over a syncGroup"), ValueError);
  CHECK_THROWS_WITH_AS(run1({.epsMode = EpsMode::Max}, x), doctest::Contains("epsMode Additive only"), ValueError);
  CHECK_THROWS_WITH_AS(run1({.epsilon = 0}, x), doctest::Contains("needs an epsilon above 0"), ValueError);
  CHECK_THROWS_WITH_AS(run1({.act = Act::LeakyReLU, .slope = -0.1}, x), doctest::Contains("slope of 0 or more"),
                       ValueError);
  CHECK_THROWS_WITH_AS(run1({}, x.to(DType::F64)), doctest::Contains("backend OneDNN has no f64"), DtypeError);
  CHECK_THROWS_WITH_AS(run1({.inplace = true}, x + 0.0), doctest::Contains("use backend = Auto"), ValueError);
  CHECK_THROWS_AS(run1({}, draw("x", {2, 2, 2, 2, 2, 2}).to(DType::F32)), ShapeError);
}

TEST_CASE("at a mean of 1e4 standard deviations Auto keeps what OneDNN loses") {
  const Shape shape{8, 16, 40, 40};
  const double offset = 1e4 * std::sqrt(3.0);  // uniform in [-3, 3): standard deviation sqrt(3)
  const Outcome exact = run(shape, DType::F64, {}, offset);
  CHECK(relativeError(exact.mean, Values(16, offset)) < 1e-5);  // the shape of the problem is as named
  CHECK(relativeError(exact.var, Values(16, 3)) < 0.05);

  const Outcome ours = run(shape, DType::F32, {}, offset);
  // Acceptance of the option: variance to 1e-4 relative, y to 1e-3.
  CHECK(relativeError(ours.var, exact.var) < 1e-4);
  const double y = relativeError(ours.y, exact.y) * largest(exact.y);
  CHECK(y < 1e-3);
  CHECK(relativeError(ours.dx, exact.dx) < 1e-3);
  CHECK(relativeError(ours.rv, exact.rv) < 1e-4);

  const Outcome vendor = run(shape, DType::F32, {.backend = BatchNormBackend::OneDNN}, offset);
  const double vendorVar = relativeError(vendor.var, exact.var);
  const double vendorY = relativeError(vendor.y, exact.y) * largest(exact.y);
  MESSAGE("at |mean|/std = 1e4: variance off by " << relativeError(ours.var, exact.var) << " (Auto), " << vendorVar
                                                  << " (OneDNN); y by " << y << " (Auto), " << vendorY << " (OneDNN)");
  CHECK(vendorY > 1e-3);  // if this fails, the documentation of the option is out of date
}
