// In-place batch norm inside nets: gradients over random nets, and the memory that it saves.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <ember/autograd/Graph.h>
#include <ember/autograd/ops/Activation.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/BatchNorm.h>
#include <ember/autograd/ops/Conv.h>
#include <ember/autograd/ops/Pool.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/core/Memory.h>
#include <ember/core/Random.h>

#include "support/Draw.h"
#include "support/Near.h"

using namespace ember;
using namespace ember::test;

namespace {

Tensor leaf(const Tensor& t) { return t.clone().setRequiresGrad(); }

/// One stage: convolution, batch norm, then perhaps the stage's input added (channels stay then) or an activation.
struct Stage {
  i64 channels = 1, kernel = 3;
  Act act = Act::None;
  double slope = 0.01;
  enum class End { Nothing, Residual, Relu, Sigmoid, Pool } end = End::Nothing;
};

/// A net of two to seven stages, chosen by `seed`, on data [4, 3, 6, 6].
class Net {
 public:
  Net(u64 seed, DType dtype) : x_(leaf(draw("x" + std::to_string(seed), {4, 3, 6, 6}).to(dtype))) {
    u64 drawn = 0;
    const auto below = [&](u64 bound) { return random::below({41, seed, 0}, drawn++, bound); };
    const u64 depth = 2 + below(6);
    i64 channels = 3;
    bool pooled = false;
    for (u64 i = 0; i < depth; ++i) {
      Stage s;
      s.end = static_cast<Stage::End>(below(5));
      if (s.end == Stage::End::Pool && std::exchange(pooled, true)) s.end = Stage::End::Nothing;
      s.channels = s.end == Stage::End::Residual ? channels : static_cast<i64>(2 + below(5));
      s.kernel = below(2) == 0 ? 1 : 3;
      s.act = below(2) == 0 ? Act::None : Act::LeakyReLU;
      s.slope = below(2) == 0 ? 0.01 : 0.3;
      const std::string name = std::to_string(seed) + "." + std::to_string(i);
      const double size = 1.0 / static_cast<double>(s.kernel);
      weights_.push_back(leaf(draw("w" + name, {s.channels, channels, s.kernel, s.kernel}, -size, size).to(dtype)));
      const double sign = i % 3 == 2 ? -1 : 1;
      weights_.push_back(leaf((draw("gamma" + name, {s.channels}, 0.5, 1.5) * sign).to(dtype)));
      weights_.push_back(leaf(draw("beta" + name, {s.channels}, -1, 1).to(dtype)));
      channels = s.channels;
      stages_.push_back(s);
      residual_ |= s.end == Stage::End::Residual;
    }
  }

  bool residual() const { return residual_; }

  /// Gradients of x and all weights; counts the stages that were overwritten.
  Tensors gradientsWith(bool inplace, int& overwritten) const {
    Tensor t = x_ * 1;
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      const Stage& s = stages_[i];
      const Tensor c = conv2d(t, weights_[3 * i], {}, {.padding = s.kernel / 2});
      Tensor y = batchNorm(c, weights_[3 * i + 1], weights_[3 * i + 2], {}, {},
                           {.inplace = inplace, .act = s.act, .slope = s.slope});
      overwritten += y.array().storage() == c.impl()->array.storage();
      if (s.end == Stage::End::Residual) y = y + t;
      if (s.end == Stage::End::Relu) y = relu(y);
      if (s.end == Stage::End::Sigmoid) y = sigmoid(y);
      if (s.end == Stage::End::Pool) y = maxPool2d(y);
      t = y;
    }
    Tensors wanted{x_};
    wanted.insert(wanted.end(), weights_.begin(), weights_.end());
    return gradients({t}, wanted, {}, {draw("dy", t.shape()).to(t.dtype())});
  }
  std::size_t depth() const { return stages_.size(); }

 private:
  Tensor x_;
  Tensors weights_;
  std::vector<Stage> stages_;
  bool residual_ = false;
};

/// Ten layers of convolution and batch norm with LeakyReLU, all activations of one size.
struct Ten {
  Tensor x = leaf(draw("x", {8, 16, 32, 32}).to(DType::F32));
  Tensors w, gamma, beta;

  Ten() {
    for (int i = 0; i < 10; ++i) {
      w.push_back(leaf(draw("w" + std::to_string(i), {16, 16, 3, 3}, -0.2, 0.2).to(DType::F32)));
      gamma.push_back(leaf(draw("gamma" + std::to_string(i), {16}, 0.5, 1.5).to(DType::F32)));
      beta.push_back(leaf(draw("beta" + std::to_string(i), {16}, -1, 1).to(DType::F32)));
    }
  }

  struct Usage {
    double kept;  ///< activations that live between forward and backward
    i64 peakBytes;
  };
  /// One training step.
  Usage step(bool inplace) const {
    const i64 before = memory::stats().nowBytes;
    memory::resetPeak();
    Tensor t = x;
    for (std::size_t i = 0; i < 10; ++i) {
      t = batchNorm(conv2d(t, w[i], {}, {.padding = 1}), gamma[i], beta[i], {}, {},
                    {.inplace = inplace, .act = Act::LeakyReLU});
    }
    const Tensor loss = t.mean();
    const double activation = static_cast<double>(x.numel()) * 4;
    Usage usage{static_cast<double>(memory::stats().nowBytes - before) / activation, 0};
    t = {};
    loss.backward();
    usage.peakBytes = memory::stats().peakBytes - before;
    for (const Tensors* list : {&w, &gamma, &beta}) {
      for (const Tensor& p : *list) Tensor(p).zeroGrad();
    }
    Tensor(x).zeroGrad();
    return usage;
  }
};

}  // namespace

TEST_CASE("gradients over random nets are those of out of place, residual nets included") {
  double worst[2] = {0, 0};
  int residual = 0;
  for (u64 seed = 0; seed < 24; ++seed) {
    for (const DType dtype : {DType::F32, DType::F64}) {
      const Net net(seed, dtype);
      residual += net.residual() && dtype == DType::F64;
      int apart = 0, inside = 0;
      const Tensors out = net.gradientsWith(false, apart), in = net.gradientsWith(true, inside);
      CAPTURE(seed);
      CHECK(apart == 0);
      CHECK(inside == static_cast<int>(net.depth()));
      for (std::size_t i = 0; i < out.size(); ++i) {
        CAPTURE(i);
        // A shift before a 1x1 convolution and batch norm has gradient 0 but for rounding: the stage is the measure.
        const std::size_t stage = i == 0 ? 0 : (i - 1) / 3 * 3 + 1;
        const double scale =
            i == 0 ? 0 : std::max({largest(out[stage]), largest(out[stage + 1]), largest(out[stage + 2])});
        const double error = relativeError(in[i], out[i], scale);
        CHECK(error < (dtype == DType::F32 ? 1e-4 : 1e-9));  // the bounds of the option
        worst[dtype == DType::F64] = std::max(worst[dtype == DType::F64], error);
      }
    }
  }
  CHECK(residual >= 6);
  MESSAGE("worst difference over 24 nets: f32 " << worst[0] << ", f64 " << worst[1]);
}

TEST_CASE(
    "a training step of ten layers keeps one activation a layer instead of two, and its peak falls by a quarter") {
  const Ten net;
  for (const bool inplace : {false, true}) net.step(inplace);  // packed weights and scratch are there from now on
  const Ten::Usage out = net.step(false), in = net.step(true);
  MESSAGE("activations kept: " << out.kept << " out of place, " << in.kept << " in place; peak "
                               << static_cast<double>(out.peakBytes) / (1 << 20) << " MiB and "
                               << static_cast<double>(in.peakBytes) / (1 << 20) << " MiB, ratio "
                               << static_cast<double>(in.peakBytes) / static_cast<double>(out.peakBytes));
  // Statistics of 16 channels and the like are far below a hundredth of an activation.
  CHECK(out.kept > 19.99);
  CHECK(out.kept < 20.1);
  CHECK(in.kept > 9.99);
  CHECK(in.kept < 10.1);
  CHECK(static_cast<double>(in.peakBytes) <= 0.75 * static_cast<double>(out.peakBytes));
}
