// Batch statistics of one value a channel, and of none.
#include <vector>

#include <doctest/doctest.h>

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

/// The state that a batch norm writes, three channels wide, with copies of what it was.
struct State {
  Tensor mean, var, batches, meanBefore, varBefore;
  explicit State(const Shape& shape = {3}, DType dtype = DType::F64)
      : mean(draw("mean", shape, -1, 1).to(dtype).clone()),
        var(draw("var", shape, 0.5, 2).to(dtype).clone()),
        batches(Tensor::full({}, 4, DType::I64)),
        meanBefore(mean.clone()),
        varBefore(var.clone()) {}
  bool untouched() const { return sameBits(mean, meanBefore) && sameBits(var, varBefore) && batches.item() == 4; }
};

const std::vector<BatchNormBackend> backends = {BatchNormBackend::Auto, BatchNormBackend::Reference,
                                                BatchNormBackend::OneDNN};
const std::vector<Shape> singles = {{1, 3}, {1, 3, 1}, {1, 3, 1, 1}, {1, 3, 1, 1, 1}};

}  // namespace

TEST_CASE("one value a channel is an error by default, and nothing has changed") {
  for (const Shape& shape : singles) {
    for (const BatchNormBackend backend : backends) {
      State s({3}, DType::F32);
      const Tensor x = leaf(draw("x", shape).to(DType::F32)), w = leaf(draw("w", {3}).to(DType::F32)),
                   before = w.clone();
      BatchNormOptions options{.batches = s.batches, .fixGamma = true, .backend = backend};
      CHECK_THROWS_WITH_AS(
          batchNorm(x, w, {}, s.mean, s.var, options),
          doctest::Contains(("expected more than 1 value per channel when training, got " + toString(shape)).c_str()),
          ValueError);
      CHECK(s.untouched());
      CHECK(sameBits(w, before));
      options.training = false;
      options.fixGamma = false;
      CHECK(allFinite(batchNorm(x, w, {}, s.mean, s.var, options)));
      CHECK(s.untouched());
    }
  }
  CHECK_THROWS_AS(batchNorm(draw("x", {1, 3, 2}), {}, {}, {}, {}, {.paramDim = ParamDim::PerActivation}), ValueError);
}

TEST_CASE("policy Zero: y is beta, gamma and x get gradient 0, the running variance takes in 0") {
  for (const Shape& shape : singles) {
    for (const double epsilon : {1e-5, 0.0}) {
      for (const Act act : {Act::None, Act::LeakyReLU}) {
        for (const BatchNormBackend backend : backends) {
          const DType dtype = backend == BatchNormBackend::OneDNN ? DType::F32 : DType::F64;
          if (backend == BatchNormBackend::OneDNN && epsilon == 0) continue;  // which it refuses
          // What f32 loses: one rounding of results up to 2, and oneDNN has the statistics in f32.
          const double tolerance = dtype == DType::F32 ? 1e-6 : 1e-15;
          CAPTURE(toString(shape));
          CAPTURE(epsilon);
          CAPTURE(static_cast<int>(backend));
          State s({3}, dtype);
          const Tensor x = leaf(draw("x", shape).to(dtype)), w = leaf(draw("w", {3}).to(dtype));
          const Tensor b = leaf(Tensor::of({-1, 0.5, 2}, dtype)), dy = draw("dy", shape).to(dtype);
          auto [y, mean, invstd] = batchNorm(x, w, b, s.mean, s.var,
                                             {.epsilon = epsilon,
                                              .minFactor = 0.25,
                                              .batches = s.batches,
                                              .singleValuePolicy = SingleValue::Zero,
                                              .act = act,
                                              .slope = 0.25,
                                              .backend = backend});
          const bool leaky = act == Act::LeakyReLU;
          CHECK(relativeError(y, Values{leaky ? -0.25 : -1, 0.5, 2}) == 0);
          CHECK(relativeError(mean, x, 1) < tolerance);
          CHECK(s.batches.item() == 5);
          CHECK(relativeError(s.mean, 0.75 * s.meanBefore + 0.25 * x.detach().reshape({3}), 1) < tolerance);
          CHECK(relativeError(s.var, 0.75 * s.varBefore, 1) < tolerance);
          const Tensors g = gradients({y}, {x, w, b}, {.retainGraph = true}, {dy});
          const Tensors composed = gradients({y}, {x, w, b}, {.createGraph = true}, {dy});
          for (const Tensors& each : {g, composed}) {
            CHECK(valuesOf(each[0]) == Values{0, 0, 0});
            CHECK(valuesOf(each[1]) == Values{0, 0, 0});
            CHECK(relativeError(each[2], Values{(leaky ? 0.25 : 1) * valuesOf(dy)[0], valuesOf(dy)[1],
                                                valuesOf(dy)[2]}) < tolerance);
          }
        }
      }
    }
  }
}

TEST_CASE("policy PassThrough: y is act(x), its gradient goes to x alone, no statistic changes") {
  for (const Shape& shape : singles) {
    for (const Act act : {Act::None, Act::LeakyReLU}) {
      for (const BatchNormBackend backend : backends) {
        const bool training = backend != BatchNormBackend::Reference;
        CAPTURE(toString(shape));
        CAPTURE(static_cast<int>(backend));
        State s({3}, DType::F32);
        const Tensor x = leaf(Tensor::of<double>({-2, 0.5, 3}, shape).to(DType::F32));
        const Tensor w = leaf(draw("w", {3}).to(DType::F32)), b = leaf(draw("b", {3}).to(DType::F32));
        const Tensor dy = draw("dy", shape).to(DType::F32);
        auto [y, mean, invstd] = batchNorm(x, w, b, s.mean, s.var,
                                           {.training = training,
                                            .batches = s.batches,
                                            .trainableStatistics = !training,
                                            .singleValuePolicy = SingleValue::PassThrough,
                                            .act = act,
                                            .slope = 0.25,
                                            .backend = backend});
        const double slope = act == Act::LeakyReLU ? 0.25 : 1;
        CHECK(valuesOf(y) == Values{-2 * slope, 0.5, 3});
        CHECK(s.untouched());
        const Tensors g = gradients({y}, {x, w, b}, {.retainGraph = true}, {dy});
        const Tensors composed = gradients({y}, {x, w, b}, {.createGraph = true}, {dy});
        for (const Tensors& each : {g, composed}) {
          CHECK(valuesOf(each[0]) == Values{slope * valuesOf(dy)[0], valuesOf(dy)[1], valuesOf(dy)[2]});
          CHECK(valuesOf(each[1]) == Values{0, 0, 0});
          CHECK(valuesOf(each[2]) == Values{0, 0, 0});
        }
        // In eval with the running statistics there is nothing to pass through.
        const BatchNormOptions eval{.training = false, .singleValuePolicy = SingleValue::PassThrough};
        CHECK(relativeError(batchNorm(x, w, b, s.mean, s.var, eval), x) > 0.1);
      }
    }
  }
}

TEST_CASE("the empty batch is empty and changes nothing, in any rank and mode (T14, T18)") {
  for (const Shape& shape :
       {Shape{0, 3}, Shape{0, 3, 4}, Shape{2, 3, 0}, Shape{0, 3, 4, 4}, Shape{2, 3, 0, 4}, Shape{0, 3, 2, 2, 2}}) {
    std::vector<BatchNormOptions> rows = {
        {},
        {.training = false},
        {.trackRunningStats = false},
        {.updateStatsOn = StatsUpdate::Backward},
        {.singleValuePolicy = SingleValue::PassThrough},
        {.act = Act::LeakyReLU},
        {.act = Act::ReLU, .backend = BatchNormBackend::OneDNN},
        {.backend = BatchNormBackend::Reference},
    };
    for (BatchNormOptions options : rows) {
      CAPTURE(toString(shape));
      State s({3}, DType::F32);
      options.batches = s.batches;
      const Tensor x = leaf(Tensor::empty(shape)), w = leaf(draw("w", {3}).to(DType::F32));
      const Tensor b = leaf(draw("b", {3}).to(DType::F32));
      const Tensor y = batchNorm(x, w, b, s.mean, s.var, options);
      CHECK((y.shape() == shape));
      const Tensors g = gradients({y}, {x, w, b}, {.retainGraph = true}, {Tensor::empty(shape)});
      const Tensors composed = gradients({y}, {x, w, b}, {.createGraph = true}, {Tensor::empty(shape)});
      for (const Tensors& each : {g, composed}) {
        CHECK((each[0].shape() == shape));
        CHECK(valuesOf(each[1]) == Values{0, 0, 0});
        CHECK(valuesOf(each[2]) == Values{0, 0, 0});
      }
      CHECK(s.untouched());
    }
  }
  State each({3, 4});
  CHECK((batchNorm(Tensor::empty({0, 3, 4}, DType::F64), {}, {}, each.mean, each.var,
                   {.paramDim = ParamDim::PerActivation})
             .y.shape() == Shape{0, 3, 4}));
  CHECK(each.untouched());
  CHECK(batchNorm(Tensor::empty({0, 3})).y.numel() == 0);
  CHECK_THROWS_AS(batchNorm(Tensor::empty({2, 0, 4})), ShapeError);
}
