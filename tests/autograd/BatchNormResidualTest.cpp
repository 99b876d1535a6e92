// A residual that joins before the activation: batchNorm(x, ..., {.residual = r}) against act(batchNorm(x) + r).
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ember/autograd/GradCheck.h>
#include <ember/autograd/ops/Activation.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/BatchNorm.h>
#include <ember/autograd/ops/Comparison.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/Error.h>
#include <ember/core/comm/InProcess.h>
#include <ember/nn/layers/BatchNormND.h>

#include "autograd/BatchNormModes.h"
#include "support/Cpu.h"
#include "support/Draw.h"
#include "support/Headline.h"
#include "support/Near.h"

using namespace ember;
using namespace ember::test;
using namespace ember::test::batchnorm;

namespace {

const std::vector<Activation> kinds(activations.begin(), activations.begin() + 3);  // slopes of 0 or more

Tensor leaf(const Tensor& t) { return t.clone().setRequiresGrad(); }

Tensor activated(const Tensor& v, const BatchNormOptions& o) {
  if (o.act == Act::ReLU) return relu(v);
  return o.act == Act::LeakyReLU ? leakyRelu(v, o.slope) : v;
}

/// y and the gradients of x, gamma, beta and the residual, by the fused form or by three ops. The ops have no bf16, so
/// they take f32 data, equal to the bf16 ones.
Tensors outcome(const Shape& shape, DType dtype, BatchNormOptions o, MemoryOrder order, bool fused) {
  const DType parameters = dtype == DType::F64 ? DType::F64 : DType::F32;
  const DType data = fused ? dtype : parameters;
  const i64 c = shape.at(o.channelAxis);
  const auto drawn = [&](const char* name) {
    return leaf(draw(name, shape, -3, 3).to(dtype).to(parameters));  // leaves that require gradients are not bf16
  };
  const Tensor x = drawn("x"), r = drawn("residual"), w = leaf(draw("w", {c}, 0.5, 1.5).to(parameters)),
               b = leaf(draw("b", {c}, -1, 1).to(parameters));
  const Tensor rm = draw("rm", {c}, -1, 1).to(parameters).clone(), rv = draw("rv", {c}, 0.5, 2).to(parameters).clone();
  const Tensor added = Tensor(r.to(data).array().contiguous(order));
  Tensor y;
  if (fused) {
    o.residual = r.to(data);
    y = batchNorm(x.to(data), w, b, rm, rv, o);
  } else {
    BatchNormOptions plain = o;
    plain.act = Act::None;
    y = activated(Tensor(batchNorm(x, w, b, rm, rv, plain)) + r, o);
  }
  Tensors all = gradients({y}, {x, w, b, r}, {}, {draw("dy", shape).to(dtype).to(data)});
  all.push_back(y.detach().to(parameters));
  all.push_back(rm);
  all.push_back(rv);
  return all;
}

}  // namespace

TEST_CASE("a residual before the activation gives what addition and activation behind the norm give") {
  const std::vector<BatchNormOptions> modes = {{}, {.training = false}, {.channelAxis = -1}, {.freeze = true}};
  for (const Shape& shape :
       {Shape{50, 7}, Shape{9, 5, 6}, Shape{4, 16, 9, 9}, Shape{2, 64, 12, 13}, Shape{2, 8, 3, 4, 5}}) {
    for (BatchNormOptions o : modes) {
      for (const Activation& activation : kinds) {
        for (const DType dtype : {DType::F32, DType::F64, DType::BF16}) {
          for (const auto backend : {BatchNormBackend::Auto, BatchNormBackend::Reference, BatchNormBackend::OneDNN}) {
            const bool vendor = dtype == DType::F32 || (dtype == DType::BF16 && oneDnnTakesBf16());
            if (backend == BatchNormBackend::OneDNN && !vendor) continue;
            o.act = activation.act;
            o.slope = activation.slope;
            o.backend = backend;
            CAPTURE(toString(shape));
            CAPTURE(activation.name);
            CAPTURE(std::string(name(dtype)));
            CAPTURE(static_cast<int>(backend));
            BatchNormOptions exact = o;
            exact.backend = BatchNormBackend::Reference;
            const Tensors fused = outcome(shape, dtype, o, MemoryOrder::ChannelsLast, true);
            const Tensors apart = outcome(shape, dtype, exact, MemoryOrder::RowMajor, false);
            // f32 sums of some hundred products; bf16 has 8 bits, and a value near 0 may fall on the other side of the
            // activation there, so its gradients are compared where there is none.
            const double bound = dtype == DType::F64 ? 1e-12 : dtype == DType::F32 ? 2e-5 : 2e-2;
            for (std::size_t i = 0; i < fused.size(); ++i) {
              CAPTURE(i);
              if (!apart[i].defined()) continue;  // frozen
              if (dtype == DType::BF16 && o.act != Act::None && i < 4) continue;
              CHECK(relativeError(fused[i], apart[i], i < 4 ? 1 : 0) < bound);
            }
          }
        }
      }
    }
  }
}

TEST_CASE("gradients through a residual agree with differences in every mode and activation, twice") {
  const GradCheckOptions tight{.step = 1e-6, .absoluteTolerance = 1e-7, .relativeTolerance = 1e-6};
  const GradCheckOptions second{.step = 1e-6, .absoluteTolerance = 1e-6, .relativeTolerance = 1e-5};
  for (const Mode& mode : modes()) {
    for (const Activation& activation : kinds) {
      CAPTURE(mode.name);
      CAPTURE(activation.name);
      Setup s(mode, activation, {4, 2, 1, 1}, MemoryOrder::ChannelsLast);
      const Tensor r = draw("residual", s.x.shape(), -1.5, 1.5);
      const auto f = [&](const Tensors& in) {
        Setup with = s;
        with.options.residual = in[1];
        return in.size() == 2 ? with.run(in[0], s.gamma, s.beta) : with.run(in[0], in[2], in[3]);
      };
      const Tensors inputs = s.options.freeze ? Tensors{s.x, r} : Tensors{s.x, r, s.gamma, s.beta};
      CHECK_NOTHROW(gradcheck(f, inputs, tight));
      CHECK_NOTHROW(gradgradcheck(f, inputs, second));
    }
  }
}

TEST_CASE("a residual of one value a channel, and of none, passes its gradient") {
  for (const SingleValue policy : {SingleValue::Zero, SingleValue::PassThrough}) {
    const Tensor x = leaf(draw("x", {1, 3})), r = leaf(draw("r", {1, 3})), dy = draw("dy", {1, 3});
    const Tensor y = batchNorm(x, {}, {}, {}, {}, {.singleValuePolicy = policy, .act = Act::ReLU, .residual = r});
    const Tensor plain = batchNorm(x.detach(), {}, {}, {}, {}, {.singleValuePolicy = policy});
    CHECK(sameBits(y.detach(), relu(plain + r.detach())));
    const Tensor on = (y.detach() > 0.0).to(DType::F64);
    CHECK(relativeError(gradients({y}, {r}, {}, {dy})[0], dy * on) == 0);
  }
  const Tensor x = leaf(Tensor::zeros({0, 3})), r = leaf(Tensor::zeros({0, 3}));
  const Tensor y = batchNorm(x, {}, {}, {}, {}, {.act = Act::ReLU, .residual = r});
  const Tensors g = gradients({y}, {x, r}, {}, {Tensor::zeros({0, 3})});
  for (const Tensor& gradient : g) CHECK((gradient.shape() == Shape{0, 3}));
}

TEST_CASE("statistics shared over ranks and a residual give what the whole batch gives") {
  const Shape shape{6, 3, 2, 2};
  const Tensor x = draw("x", shape), r = draw("r", shape), dy = draw("dy", shape);
  const auto run = [&](i64 begin, i64 end, std::shared_ptr<Communicator> group) {
    const Tensor own = leaf(slice(x, 0, begin, end)), added = leaf(slice(r, 0, begin, end));
    const Tensor y = batchNorm(own, {}, {}, {}, {}, {.act = Act::ReLU, .residual = added, .syncGroup = group});
    return gradients({y}, {own, added}, {}, {slice(dy, 0, begin, end)});
  };
  const Tensors whole = run(0, 6, nullptr);
  runRanks(2, [&](std::shared_ptr<Communicator> group) {
    const i64 begin = group->rank() == 0 ? 0 : 2, end = group->rank() == 0 ? 2 : 6;
    const Tensors part = run(begin, end, group);
    for (std::size_t i = 0; i < 2; ++i)
      CHECK(relativeError(part[i], slice(whole[i], 0, begin, end), 1) < 1e-12);  // f64 sums of 24 values
  });
}

TEST_CASE("in place a residual keeps the input while recording and overwrites it otherwise") {
  const Tensor x = draw("x", {4, 3, 2, 2}), r = draw("r", {4, 3, 2, 2});
  const BatchNormOptions options{.inplace = true, .act = Act::LeakyReLU, .slope = 0.1, .residual = r};
  const Tensor w = leaf(draw("w", {3}, 0.5, 1.5));
  const Tensor input = x * 1.0, y = batchNorm(input, w, {}, {}, {}, options);
  CHECK(sameBits(input, x));
  BatchNormOptions out = options;
  out.inplace = false;
  CHECK(sameBits(y.detach(), Tensor(batchNorm(x, w, {}, {}, {}, out)).detach()));
  const NoGrad guard;
  const Tensor again = x * 1.0;
  const void* memory = again.array().raw();
  const Tensor aliased = batchNorm(again, w, {}, {}, {}, options);
  CHECK(aliased.array().raw() == memory);
  CHECK(sameBits(aliased, y.detach()));
}

TEST_CASE("a residual alone takes its gradient without the input, and is not kept for an update that waits") {
  const Tensor x = draw("x", {4, 3, 2, 2}), r = leaf(draw("r", {4, 3, 2, 2}));
  for (const Activation& activation : kinds) {
    Tensor input = x.clone();
    const BatchNormOptions options{.act = activation.act, .slope = activation.slope, .residual = r};
    const Tensor y = batchNorm(input, {}, {}, {}, {}, options);
    const Tensor v = Tensor(batchNorm(x, {}, {}, {}, {}, {})) + r.detach();
    input.fill_(9);
    const Tensor on = (v > 0.0).to(DType::F64);
    const double below = activation.act == Act::None ? 1 : activation.act == Act::ReLU ? 0 : activation.slope;
    CHECK(relativeError(gradients({y.sum()}, {r})[0], on + (1.0 - on) * below) < 1e-15);
  }
  const Tensor rm = Tensor::zeros({3}, DType::F64), rv = Tensor::ones({3}, DType::F64);
  std::weak_ptr<core::Storage> memory;
  Tensor y;
  {
    const Tensor h = r.detach() * 2.0;
    memory = h.array().storage();
    y = batchNorm(leaf(x), {}, {}, rm, rv, {.updateStatsOn = StatsUpdate::Backward, .residual = h});
  }
  CHECK(memory.expired());
}

TEST_CASE("in place with a residual takes every activation: the input is kept") {
  const Tensor x = leaf(draw("x", {4, 3, 2, 2})), r = draw("r", {4, 3, 2, 2});
  const auto gradient = [&](bool inplace) {
    const BatchNormOptions options{.inplace = inplace, .act = Act::ReLU, .residual = r};
    return gradients({Tensor(batchNorm(x * 1.0, {}, {}, {}, {}, options)).sum()}, {x})[0];
  };
  CHECK(sameBits(gradient(true), gradient(false)));
}

TEST_CASE("a residual that does not fit is refused with what was expected") {
  const Tensor x = draw("x", {4, 3, 2, 2});
  const auto tried = [&](const Tensor& r, BatchNormOptions o = {}) {
    o.residual = r;
    return headlineOf([&] { batchNorm(x, {}, {}, {}, {}, o); });
  };
  CHECK(tried(draw("r", {4, 3, 2, 1})) == "[batchNorm] ShapeError: residual is [4, 3, 2, 1], the input [4, 3, 2, 2]");
  CHECK(tried(x.to(DType::F32)) == "[batchNorm] DtypeError: residual is f32, the input f64");
  CHECK(
      tried(x, {.act = Act::LeakyReLU, .slope = -0.1}) ==
      "[batchNorm] ValueError: a residual takes LeakyReLU with a slope of 0 or more: backward reads the branch off the "
      "sign of y");
}

TEST_CASE("a layer takes the residual as a second tensor") {
  nn::BatchNorm2D fused(3, {.sscale = 0, .act = Act::ReLU}), plain(3, {.sscale = 0});
  const Tensor x = draw("x", {4, 3, 2, 2}).to(DType::F32), r = draw("r", {4, 3, 2, 2}).to(DType::F32);
  CHECK(relativeError(fused(x, r).detach(), relu(plain(x) + r).detach()) < 1e-6);
  CHECK(sameBits(fused.runningMean, plain.runningMean));
  CHECK(headlineOf([&] { fused(x, Tensor()); }) == "[BatchNorm2D] StateError: the residual is an undefined tensor");
  CHECK(headlineOf([&] {
          fused(Tensors{x, r, r});
        }) == "[BatchNorm2D] StateError: forward takes x, or x and a residual, got 3 tensors");
}
