// Batch norm that overwrites its input: the gradients of out of place, or its input kept.
#include <limits>
#include <string>

#include <doctest/doctest.h>

#include <ember/autograd/Graph.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/BatchNorm.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/core/Error.h>

#include "support/Draw.h"
#include "support/Near.h"

using namespace ember;
using namespace ember::test;

namespace {

Tensor leaf(const Tensor& t) { return t.clone().setRequiresGrad(); }

bool sharesMemory(const Tensor& a, const Tensor& b) { return a.array().storage() == b.impl()->array.storage(); }

/// Gradients of a weighted sum of y by x, gamma and beta, and whether x was overwritten.
struct Run {
  Tensors gradients;
  bool overwritten;
};
Run run(const Tensor& x, const Tensor& w, const Tensor& b, const Tensor& dy, BatchNormOptions options, bool inplace) {
  options.inplace = inplace;
  const Tensor made = x * 2;
  const Tensor y = batchNorm(made, w, b, {}, {}, options);
  return {gradients({y}, {x, w, b}, {}, {dy}), sharesMemory(y, made)};
}

}  // namespace

TEST_CASE("in place outside recording: y aliases x, whatever the activation, and later readers of x are told") {
  const NoGrad guard;
  const Tensor source = draw("x", {4, 3, 2, 2}), rm = draw("rm", {3}), rv = draw("rv", {3}, 0.5, 2);
  for (const Act act : {Act::None, Act::ReLU, Act::LeakyReLU}) {
    for (const DType dtype : {DType::F64, DType::F32, DType::BF16}) {
      for (const bool training : {false, true}) {
        const DType parameters = dtype == DType::F64 ? DType::F64 : DType::F32;
        const Tensor mean = rm.to(parameters).clone(), var = rv.to(parameters).clone();
        const Tensor expected =
            batchNorm(source.to(dtype), {}, {}, mean.clone(), var.clone(), {.training = training, .act = act});
        const Tensor x = (source + 0.0).to(dtype) + 0.0;
        const void* memory = x.array().raw();
        const Tensor y = batchNorm(x, {}, {}, mean, var, {.training = training, .inplace = true, .act = act});
        CHECK(y.array().raw() == memory);
        CHECK(sameBits(y, expected));
        CHECK_THROWS_WITH_AS(y + x, doctest::Contains("was overwritten in place by batchNorm"), StateError);
      }
    }
  }
}

TEST_CASE("in place in training gives the gradients of out of place, first and second") {
  for (const Act act : {Act::None, Act::LeakyReLU}) {
    for (const DType dtype : {DType::F32, DType::F64}) {
      for (const MemoryOrder order : {MemoryOrder::RowMajor, MemoryOrder::ChannelsLast}) {
        for (const bool training : {true, false}) {
          const Tensors inputs = {leaf(Tensor((draw("x", {6, 5, 4, 4}, -3, 5).to(dtype)).array().contiguous(order))),
                                  leaf(draw("w", {5}, 0.5, 1.5).to(dtype)), leaf(draw("b", {5}, -1, 1).to(dtype))};
          const Tensor dy = draw("dy", {6, 5, 4, 4}).to(dtype);
          const Tensor rm = draw("rm", {5}).to(dtype), rv = draw("rv", {5}, 0.5, 2).to(dtype);
          Tensors results[2], second[2];
          for (const bool inplace : {false, true}) {
            const Tensor x = inputs[0] * 2;
            const Tensor y = batchNorm(x, inputs[1], inputs[2], rm.clone(), rv.clone(),
                                       {.training = training, .inplace = inplace, .act = act, .slope = 0.2});
            CHECK(sharesMemory(y, x) == inplace);
            results[inplace] = gradients({y}, inputs, {.retainGraph = true}, {dy});
            const Tensor g = gradients({y}, inputs, {.createGraph = true}, {dy})[training ? 0 : 1];
            second[inplace] = gradients({(g * g).sum()}, {inputs[0]});
          }
          // |beta/gamma| <= 2: xh comes back within a few units in the last place.
          for (std::size_t i = 0; i < 3; ++i)
            CHECK(relativeError(results[1][i], results[0][i]) < (dtype == DType::F64 ? 1e-13 : 1e-5));
          CHECK(relativeError(second[1][0], second[0][0]) < (dtype == DType::F64 ? 1e-12 : 1e-4));
        }
      }
    }
  }
}

TEST_CASE("in place at a mean far from 0 loses nothing in the second derivative either") {
  const Tensor x = leaf(draw("x", {50, 3}).to(DType::F32)), dy = draw("dy", {50, 3}).to(DType::F32);
  Tensor second[2];
  for (const bool inplace : {false, true}) {
    const Tensor y = batchNorm(x + 1e4, {}, {}, {}, {}, {.inplace = inplace});
    const Tensor g = gradients({y}, {x}, {.createGraph = true}, {dy})[0];
    second[inplace] = gradients({(g * g).sum()}, {x})[0];
  }
  CHECK(relativeError(second[1], second[0]) < 1e-4);
}

TEST_CASE("in place goes up to the bound of |beta/gamma| and keeps the input beyond it") {
  struct Bound {
    DType dtype;
    double last, tolerance;
  };
  // eps·(1 + r) <= 1e-5 gives r = 82.886 for f32; 1e-12 gives r = 4502.6 for f64.
  for (const Bound& bound : {Bound{DType::F32, 82.88, 1e-4}, Bound{DType::F64, 4502.5, 1e-9}}) {
    for (const double sign : {1.0, -1.0}) {
      for (const bool inside : {true, false}) {
        for (const Act act : {Act::None, Act::LeakyReLU}) {
          const double ratio = sign * (inside ? bound.last : bound.last + 0.2);
          CAPTURE(ratio);
          const Tensor x = leaf(draw("x", {40, 3}).to(bound.dtype)), dy = draw("dy", {40, 3}).to(bound.dtype);
          const Tensor w = leaf(Tensor::of({1, 0.5, -2}, bound.dtype)),
                       b = leaf(Tensor::of({0, 0.5 * ratio, 1}, bound.dtype));
          const BatchNormOptions options{.act = act};
          const Run in = run(x, w, b, dy, options, true), out = run(x, w, b, dy, options, false);
          CHECK(in.overwritten == inside);
          for (std::size_t i = 0; i < 3; ++i) {
            CHECK(relativeError(in.gradients[i], out.gradients[i]) < bound.tolerance);
            CHECK((inside || sameBits(in.gradients[i], out.gradients[i])));
          }
        }
      }
    }
  }
}

TEST_CASE(
    "one channel that could not be rebuilt keeps the whole input: gradients are bit for bit those of out of place") {
  struct Unfit {
    std::string what;
    double gamma, beta;
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const Unfit& unfit : {Unfit{"gamma 0", 0, 1}, Unfit{"gamma 0, beta 0", 0, 0}, Unfit{"gamma small", 1e-6, 1},
                             Unfit{"gamma subnormal", 1e-310, 0}, Unfit{"gamma·xh subnormal", 1e-300, 0},
                             Unfit{"gamma NaN", nan, 0}, Unfit{"beta NaN", 1, nan}}) {
    CAPTURE(unfit.what);
    const Tensor x = leaf(draw("x", {6, 3})), dy = draw("dy", {6, 3});
    const Tensor w = leaf(Tensor::of({1, unfit.gamma, 1}, DType::F64)),
                 b = leaf(Tensor::of({0, unfit.beta, 0}, DType::F64));
    const Run in = run(x, w, b, dy, {}, true), out = run(x, w, b, dy, {}, false);
    CHECK_FALSE(in.overwritten);
    for (std::size_t i = 0; i < 3; ++i) CHECK(valuesOf(in.gradients[i]).size() == valuesOf(out.gradients[i]).size());
    if (unfit.gamma == unfit.gamma && unfit.beta == unfit.beta) {
      for (std::size_t i = 0; i < 3; ++i) CHECK(sameBits(in.gradients[i], out.gradients[i]));
    }
  }
}

TEST_CASE("fixGamma and absent parameters count as 1 and 0 when the input is rebuilt") {
  const Tensor x = leaf(draw("x", {6, 3})), b = leaf(draw("b", {3})), dy = draw("dy", {6, 3});
  for (const bool fixed : {true, false}) {
    Tensors g[2];
    for (const bool inplace : {false, true}) {
      const Tensor w = fixed ? leaf(Tensor::zeros({3}, DType::F64)) : Tensor();
      const Tensor made = x * 2;
      const Tensor y = batchNorm(made, w, b, {}, {}, {.fixGamma = fixed, .inplace = inplace});
      CHECK(sharesMemory(y, made) == inplace);
      g[inplace] = gradients({y}, {x, b}, {}, {dy});
    }
    for (std::size_t i = 0; i < 2; ++i) CHECK(relativeError(g[1][i], g[0][i]) < 1e-13);
  }
}

TEST_CASE("in place keeps the input where the slope alone would make what it cuts subnormal") {
  const Tensor x = leaf(draw("x", {6, 3}).to(DType::F32)), dy = draw("dy", {6, 3}).to(DType::F32);
  Tensors found[2];
  for (const bool inplace : {false, true}) {
    const Tensor made = x * 2;
    const Tensor y = batchNorm(made, {}, {}, {}, {}, {.inplace = inplace, .act = Act::LeakyReLU, .slope = 1e-39});
    CHECK_FALSE(sharesMemory(y, made));
    found[inplace] = gradients({y}, {x}, {}, {dy});
  }
  CHECK(sameBits(found[0][0], found[1][0]));
}
