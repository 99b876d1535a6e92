// Every mode of batch norm: what normalises, what is updated, what backward differentiates.
#include <algorithm>
#include <cmath>

#include <doctest/doctest.h>

#include <ember/autograd/GradCheck.h>
#include <ember/autograd/ops/BatchNorm.h>

#include "autograd/BatchNormModes.h"
#include "support/Draw.h"
#include "support/Near.h"

using namespace ember;
using namespace ember::test;
using namespace ember::test::batchnorm;

namespace {

/// Differences of step 1e-6 carry about 1e-10 of the value and 1e-12 of the third derivative: 1e-7 leaves room.
const GradCheckOptions tight{.step = 1e-6, .absoluteTolerance = 1e-7, .relativeTolerance = 1e-6};

Tensor leaf(const Tensor& t) { return t.clone().setRequiresGrad(); }

void checkGradients(const Setup& s, Affine affine) {
  const bool scale = affine == Affine::Both || affine == Affine::ScaleOnly;
  const bool shift = affine == Affine::Both || affine == Affine::ShiftOnly || affine == Affine::FixGamma;
  if (s.options.freeze) {  // gamma and beta are constants
    const auto f = [&](const Tensor& x) { return s.run(x, scale ? s.gamma : Tensor(), shift ? s.beta : Tensor()); };
    CHECK_NOTHROW(gradcheck(f, s.x, tight));
    return;
  }
  Tensors inputs{s.x};
  if (scale) inputs.push_back(s.gamma);
  if (shift) inputs.push_back(s.beta);
  const auto f = [&](const Tensors& in) {
    const Tensor w = affine == Affine::FixGamma ? leaf(s.gamma) : scale ? in[1] : Tensor();
    return s.run(in[0], w, shift ? in.back() : Tensor());
  };
  CHECK_NOTHROW(gradcheck(f, inputs, tight));
}

}  // namespace

TEST_CASE("gradients agree with differences in every mode, activation, affine form, memory order and rank") {
  for (const Mode& mode : modes()) {
    for (const Shape& shape : shapes) {
      if (!fits(mode, shape)) continue;
      for (const MemoryOrder order : {MemoryOrder::RowMajor, MemoryOrder::ChannelsLast}) {
        for (const Activation& activation : activations) {
          for (const Affine affine :
               {Affine::Both, Affine::ScaleOnly, Affine::ShiftOnly, Affine::None, Affine::FixGamma}) {
            CAPTURE(mode.name);
            CAPTURE(activation.name);
            CAPTURE(static_cast<int>(affine));
            CAPTURE(toString(shape));
            Setup s(mode, activation, shape, order);
            s.options.fixGamma = affine == Affine::FixGamma;
            checkGradients(s, affine);
          }
        }
      }
    }
  }
}

TEST_CASE("every mode normalises with, updates and differentiates what its row says") {
  for (const Mode& mode : modes()) {
    CAPTURE(mode.name);
    const Shape shape{6, 2};
    const Setup s(mode, activations[0], shape);
    const Tensor x = leaf(s.x), w = leaf(s.gamma), b = leaf(s.beta), dy = draw("dy", shape);
    Tensor rm = s.rm.defined() ? s.rm.clone() : Tensor(), rv = s.rv.defined() ? s.rv.clone() : Tensor();
    BatchNormResult result = batchNorm(x, w, b, rm, rv, s.options);
    const Tensors g = gradients({result.y}, {x, w, b}, {}, {dy});

    const Values xs = valuesOf(x), dys = valuesOf(dy), ws = valuesOf(w), bs = valuesOf(b);
    Values y(12), dx(12), dw(2), db(2), newMean(2), newVar(2), usedMean(2), usedInvstd(2);
    for (std::size_t c = 0; c < 2; ++c) {
      double mean = 0, var = 0;
      for (std::size_t i = 0; i < 6; ++i) mean += xs[2 * i + c] / 6;
      for (std::size_t i = 0; i < 6; ++i) var += (xs[2 * i + c] - mean) * (xs[2 * i + c] - mean) / 6;
      if (mode.buffers) {
        newMean[c] = mode.update ? 0.9 * valuesOf(s.rm)[c] + 0.1 * mean : valuesOf(s.rm)[c];
        newVar[c] = mode.update ? 0.9 * valuesOf(s.rv)[c] + 0.1 * var * 6 / 5 : valuesOf(s.rv)[c];
      }
      if (mode.from == From::Running) {
        mean = valuesOf(s.rm)[c];
        var = valuesOf(s.rv)[c];
      }
      const bool max = s.options.epsMode == EpsMode::Max, flat = max && var < s.options.epsilon;
      const double is = 1 / std::sqrt(max ? std::max(var, s.options.epsilon) : var + s.options.epsilon);
      usedMean[c] = mean;
      usedInvstd[c] = is;
      double sum = 0, sumXh = 0;
      for (std::size_t i = 0; i < 6; ++i) {
        const double xh = (xs[2 * i + c] - mean) * is;
        y[2 * i + c] = ws[c] * xh + bs[c];
        sum += dys[2 * i + c];
        sumXh += dys[2 * i + c] * xh;
      }
      dw[c] = sumXh;
      db[c] = sum;
      for (std::size_t i = 0; i < 6; ++i) {
        const double xh = (xs[2 * i + c] - mean) * is;
        const double through = mode.from == From::Running ? 0 : sum / 6 + (flat ? 0 : xh * sumXh / 6);
        dx[2 * i + c] = ws[c] * is * (dys[2 * i + c] - through);
      }
    }
    // A dozen roundings of 1e-16.
    CHECK(relativeError(result.y, y) < 1e-13);
    CHECK(relativeError(result.mean(), usedMean) < 1e-13);
    CHECK(relativeError(result.invstd(), usedInvstd) < 1e-13);
    CHECK(relativeError(g[0], dx) < 1e-13);
    CHECK(g[1].defined() == !s.options.freeze);
    CHECK(g[2].defined() == !s.options.freeze);
    if (!s.options.freeze) {
      CHECK(relativeError(g[1], dw) < 1e-13);
      CHECK(relativeError(g[2], db) < 1e-13);
    }
    if (!mode.buffers) continue;
    CHECK(relativeError(rm, newMean) < 1e-15);
    CHECK(relativeError(rv, newVar) < 1e-15);
    CHECK(sameBits(rm, s.rm) == !mode.update);
    CHECK(sameBits(rv, s.rv) == !mode.update);
  }
}

TEST_CASE("backward uses what the forward recorded, whatever happens to the statistics and modes in between") {
  for (const Mode& mode : modes()) {
    if (!mode.buffers) continue;
    for (const bool createGraph : {false, true}) {
      CAPTURE(mode.name);
      CAPTURE(createGraph);
      const Shape shape{6, 2};
      Setup s(mode, activations[2], shape);
      const Tensor dy = draw("dy", shape);
      Tensors inputs{leaf(s.x)};
      if (!s.options.freeze) inputs.insert(inputs.end(), {leaf(s.gamma), leaf(s.beta)});
      const Tensor w = s.options.freeze ? s.gamma : inputs[1], b = s.options.freeze ? s.beta : inputs[2];
      const Tensors expected = gradients({s.run(inputs[0], w, b)}, inputs, {.createGraph = createGraph}, {dy});

      Tensor rm = s.rm.clone(), rv = s.rv.clone();
      const Tensor y = batchNorm(inputs[0], w, b, rm, rv, s.options);
      batchNorm(inputs[0] * 3, w, b, rm, rv, {.paramDim = s.options.paramDim});
      batchNorm(inputs[0], w, b, rm, rv, {.training = false, .paramDim = s.options.paramDim});
      rm.fill_(100);
      rv.fill_(1e-3);
      const Tensors later = gradients({y}, inputs, {.retainGraph = true, .createGraph = createGraph}, {dy});
      const Tensors again = gradients({y}, inputs, {.createGraph = createGraph}, {dy});
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        CHECK(sameBits(later[i], expected[i]));
        CHECK(sameBits(again[i], expected[i]));
      }
    }
  }
}
