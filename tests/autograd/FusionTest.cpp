#include <ember/autograd/Fusion.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <ember/autograd/Deferred.h>
#include <ember/autograd/Graph.h>
#include <ember/autograd/ops/Ops.h>
#include <ember/core/Error.h>
#include <ember/core/Simd.h>
#include <ember/core/kernels/BatchNorm.h>

#include "support/Draw.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

namespace {

/// Off for the test that holds it.
struct FusionOff {
  FusionOff() { setFusion(false); }
  ~FusionOff() { setFusion(true); }
};

const core::Storage* memoryOf(const Tensor& t) { return t.array().storage().get(); }

/// Values and gradients of f over leaves with the values of `inputs`.
template <class F>
std::vector<Tensor> results(F&& f, const Tensors& inputs) {
  Tensors leaves;
  for (const Tensor& t : inputs) leaves.push_back(t.clone().setRequiresGrad());
  const Tensor y = f(leaves);
  sum(y * y).backward();
  std::vector<Tensor> all{y.detach()};
  for (const Tensor& leaf : leaves) all.push_back(leaf.grad());
  return all;
}

/// Fused and single ops agree in every bit.
template <class F>
void checkSame(F&& f, const Tensors& inputs) {
  for (const DType dtype : {DType::F64, DType::F32}) {
    Tensors typed;
    for (const Tensor& t : inputs) typed.push_back(t.to(dtype));
    const auto fused = results(f, typed);
    const FusionOff off;
    const auto single = results(f, typed);
    REQUIRE(fused.size() == single.size());
    for (std::size_t i = 0; i < fused.size(); ++i) {
      CAPTURE(i);
      CHECK(sameBits(fused[i], single[i]));
    }
  }
}

Tensor x4() { return draw("x", {2, 3, 6, 5}); }
Tensor w4() { return draw("w", {4, 3, 3, 3}); }

}  // namespace

TEST_CASE("a convolution or linear layer with an activation gives what the two ops give, gradients too") {
  for (const Act act : {Act::ReLU, Act::LeakyReLU}) {
    for (const double slope : {0.2, 0.0, -0.5}) {
      const ConvOptions options{.padding = 1, .act = act, .slope = slope};
      checkSame([&](const Tensors& in) { return conv2d(in[0], in[1], in[2], options); }, {x4(), w4(), draw("b", {4})});
      checkSame([&](const Tensors& in) { return linear(in[0], in[1], in[2], act, slope); },
                {draw("rows", {5, 7}), draw("w2", {3, 7}), draw("b2", {3})});
      checkSame([&](const Tensors& in) { return linear(in[0], in[1], {}, act, slope); },
                {draw("deep", {2, 3, 7}), draw("w2", {3, 7})});
      // Many outputs: the product is computed the other way round.
      const Tensor rows = draw("many", {32, 20}), w = draw("w3", {80, 20}), b = draw("b3", {80});
      checkSame([&](const Tensors& in) { return linear(in[0], in[1], in[2], act, slope); }, {rows, w, b});
      checkSame([&](const Tensors& in) { return linear(in[0], in[1], {}, act, slope); }, {rows, w});
    }
  }
}

TEST_CASE("a fused activation is one node, and two with fusion off") {
  const Tensor x = x4(), w = w4().setRequiresGrad();
  const Tensor y = conv2d(x, w, {}, {.act = Act::ReLU});
  CHECK(y.impl()->node->op == std::string("conv2d"));
  const FusionOff off;
  CHECK(conv2d(x, w, {}, {.act = Act::ReLU}).impl()->node->op == std::string("relu"));
}

TEST_CASE("an activation or addition takes the memory of a temporary, and gives the same") {
  const auto chains = {+[](const Tensors& in) { return relu(in[0] + in[1]); },
                       +[](const Tensors& in) { return leakyRelu(in[0] * in[1] + in[1], 0.1); },
                       +[](const Tensors& in) { return in[0] + relu(in[0] - in[1]); },
                       +[](const Tensors& in) { return (in[0] - in[1]) + (in[0] * in[1]); },
                       +[](const Tensors& in) { return leakyRelu(in[0] * in[1], -0.1) + in[0]; },
                       +[](const Tensors& in) { return relu(exp(in[0])) + in[1]; }};  // exp needs its own result
  for (const auto& chain : chains) checkSame(chain, {draw("a", {3, 4}), draw("b", {3, 4})});

  Tensor sum = draw("a", {3, 4}) + draw("b", {3, 4});
  const core::Storage* memory = memoryOf(sum);
  const Tensor y = relu(std::move(sum));
  CHECK(memoryOf(y) == memory);
  const FusionOff off;
  Tensor again = draw("a", {3, 4}) + draw("b", {3, 4});
  memory = memoryOf(again);
  CHECK(memoryOf(relu(std::move(again))) != memory);
}

TEST_CASE("nothing is overwritten that someone else may read") {
  const Tensor a = draw("a", {3, 4}), b = draw("b", {3, 4});
  const auto kept = [](Tensor&& t) {  // what relu must leave alone
    const Tensor before = t.clone();
    const core::Storage* memory = memoryOf(t);
    const Tensor handle = t;
    const Tensor y = relu(std::move(t));
    CHECK(memoryOf(y) != memory);
    CHECK(sameBits(handle, before));
  };
  kept(a + b);  // a second handle
  Tensor leaf = a.clone();
  const Tensor leafView = leaf.detach();
  CHECK(memoryOf(relu(std::move(leaf))) != memoryOf(leafView));
  Tensor alone = a.clone();  // a leaf, not a result
  const core::Storage* memory = memoryOf(alone);
  CHECK(memoryOf(relu(std::move(alone))) != memory);
  const Tensor whole = a + b;
  CHECK(memoryOf(relu(whole.slice(0, 0, 2))) != memoryOf(whole));  // a view of something alive
  Tensor w = b.clone().setRequiresGrad();
  Tensor saved = exp(w);  // its node needs it
  memory = memoryOf(saved);
  CHECK(memoryOf(relu(std::move(saved))) != memory);
  std::vector<double> own(12, -1.0);
  Tensor blob = Tensor::fromBlob(own.data(), {3, 4});
  const Tensor y = relu(reshape(blob, {12}));
  CHECK(own[0] == -1.0);
  const Tensor wide = expand(Tensor::of({-1.0, 2.0}, DType::F64) + 0.5, {3, 2});  // repeats
  CHECK(relu(Tensor(wide)).toVector<double>() == std::vector<double>{0, 2.5, 0, 2.5, 0, 2.5});
}

TEST_CASE("a temporary that was given away is gone, not stale") {
  Tensor t = draw("a", {3, 4}) + draw("b", {3, 4});
  const Tensor y = relu(std::move(t));
  CHECK_FALSE(t.defined());
  CHECK(headlineOf<StateError>([&] { return relu(t); }) == "[relu] StateError: operand 0 is an undefined tensor");
}

TEST_CASE("operands of other shapes, types and orders add as ever") {
  const Tensor a = draw("a", {2, 3}), row = draw("row", {3});
  const auto sums = [&] { return Tensors{(a * 1) + row, row + (a * 1), (a * 1) + (row * 1)}; };
  const Tensors fused = sums();
  {
    const FusionOff off;
    const Tensors single = sums();
    for (std::size_t i = 0; i < fused.size(); ++i) CHECK(sameBits(fused[i], single[i]));
  }
  CHECK(headlineOf<ShapeError>([&] { return (a * 1) + draw("b", {4}); }) ==
        headlineOf<ShapeError>([&] { return add(a, draw("b", {4})); }));
  CHECK(headlineOf<DtypeError>([&] { return (a * 1) + a.to(DType::F32); }) ==
        headlineOf<DtypeError>([&] { return add(a, a.to(DType::F32)); }));
  const Tensor images = draw("images", {2, 3, 4, 4}), last = contiguous(images, MemoryOrder::ChannelsLast);
  CHECK(sameBits((images * 1) + last, images + images));
  Tensor twice = a * 1;
  CHECK(sameBits(twice + twice, a * 2));
}

TEST_CASE("second derivatives pass through fused activations") {
  const auto penalty = [](const Tensors& in) {
    const Tensor y = conv2d(in[0], in[1], {}, {.act = Act::LeakyReLU, .slope = 0.2});
    const Tensor g = gradients({sum(y * y)}, {in[0]}, {.createGraph = true})[0];
    return relu(g + in[0]);
  };
  checkSame(penalty, {x4(), w4()});
}

TEST_CASE("anomaly mode and NoFusion run the single ops") {
  CHECK(fusionEnabled());
  {
    const AnomalyMode anomaly;
    CHECK_FALSE(fusionEnabled());
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const Tensor w = Tensor::full({1, 1, 1, 1}, nan, DType::F64);
    const Tensor x = Tensor::ones({1, 1, 2, 2}, DType::F64);
    CHECK(headlineOf<NumericError>([&] {
            return conv2d(x, w, {}, {.act = Act::ReLU});
          }).find("[conv2d] NumericError") == 0);
  }
  {
    const NoFusion outer;
    CHECK_FALSE(fusionEnabled());
    { const NoFusion inner; }
    CHECK_FALSE(fusionEnabled());
  }
  CHECK(fusionEnabled());
}

TEST_CASE("a convolution waits inside a module's forward until someone asks, or joins what follows") {
  const Tensor x = x4().to(DType::F32), w = w4().to(DType::F32), r = draw("r", {2, 4, 4, 3}).to(DType::F32);
  const Tensor plain = conv2d(x, w), expected = relu(plain + r);
  const auto waits = [](const Tensor& t) { return t.impl()->waiting.load(); };
  const autograd::DeferScope scope;
  {
    Tensor y = conv2d(x, w);
    CHECK(waits(y));
    CHECK_FALSE(y.isShapeOnly());
    CHECK(toString(y.shape()) == "[2, 4, 4, 3]");
    CHECK(sameBits(y, plain));
    CHECK_FALSE(waits(y));
  }
  {
    Tensor y = relu(conv2d(x, w) + r);
    CHECK(waits(y));
    CHECK(sameBits(y + 0.0, expected + 0.0));
  }
  {
    const Tensor shared = conv2d(x, w);
    const Tensor y = relu(shared + r);  // shared may be read again: no joining
    CHECK(sameBits(y, expected));
    CHECK(sameBits(shared, plain));
  }
  {
    Tensor first = conv2d(x, w);
    const Tensor second = conv2d(x, w);
    CHECK_FALSE(waits(first));  // one at a time
    CHECK(sameBits(relu(std::move(first) + second), relu(plain + plain)));
  }
  {
    Tensor late = conv2d(x, w);
    Tensor written = w;
    written.mul_(2);  // after the call: the convolution used the old weights
    CHECK(sameBits(late, plain));
    written.mul_(0.5);
  }
  CHECK(sameBits(leakyRelu(conv2d(x, w), 0.1), leakyRelu(plain, 0.1)));
  CHECK(sameBits(relu(relu(conv2d(x, w))), relu(plain)));
  CHECK(sameBits(r + conv2d(x, w), plain + r));
  CHECK(sameBits(conv2d(x, w) * 2, plain * 2));
  CHECK(sameBits(conv2d(x, w).detach(), plain));
  CHECK(sameBits(conv2d(x, w).clone(), plain));
  CHECK(sameBits(reshape(conv2d(x, w), {2, 48}), reshape(plain, {2, 48})));
  CHECK(sameBits(concat({conv2d(x, w), r}, 0), concat({plain, r}, 0)));
  {
    const Tensor trained = w.clone().setRequiresGrad();
    CHECK_FALSE(waits(conv2d(x, trained)));                  // recorded
    const Tensor loss = sum(conv2d(x, w) * trained.mean());  // a waiting operand of a recorded op
    loss.backward();
    CHECK(trained.grad().defined());
  }
  CHECK(headlineOf<ShapeError>([&] { return conv2d(x, w) + draw("b", {7}).to(DType::F32); }).find("[add]") == 0);
  const NoFusion off;
  CHECK_FALSE(waits(conv2d(x, w)));
}

TEST_CASE("a convolution does not wait with memory of the program, which may change or go without a word") {
  const Tensor x = x4().to(DType::F32), w = w4().to(DType::F32), r = draw("r", {2, 4, 4, 3}).to(DType::F32);
  const Tensor plain = conv2d(x, w), expected = plain + r;
  const autograd::DeferScope scope;
  for (const bool filters : {false, true}) {
    std::vector<float> memory = (filters ? w : x).toVector<float>();
    const Tensor blob = Tensor::fromBlob(memory.data(), (filters ? w : x).shape());
    const Tensor y = filters ? conv2d(x, blob) : conv2d(blob, w);
    std::fill(memory.begin(), memory.end(), 0.0f);
    CHECK(sameBits(y, plain));
  }
  std::vector<float> memory = r.toVector<float>();
  const Tensor y = conv2d(x, w) + Tensor::fromBlob(memory.data(), r.shape());
  std::fill(memory.begin(), memory.end(), 0.0f);
  CHECK(sameBits(y, expected));
}

TEST_CASE("an operand that another thread writes while a convolution waits is an error that names the writer") {
  const Tensor x = x4().to(DType::F32), r = draw("r", {2, 4, 4, 3}).to(DType::F32);
  const autograd::DeferScope scope;
  for (const bool joined : {false, true}) {
    Tensor w = w4().to(DType::F32), residual = r.clone();
    Tensor y = conv2d(x, w);
    if (joined) y = std::move(y) + residual;
    std::thread([&] { (joined ? residual : w).fill_(0); }).join();
    const std::string message = messageOf([&] { (void)y.toVector<float>(); });
    CHECK(message.find("[conv] StateError: an operand was written by another thread") == 0);
    CHECK(message.find("last written by fill_") != std::string::npos);
  }
}

TEST_CASE("a recorded convolution without bias gathers the statistics that a batch norm reads") {
  const Tensor x = draw("x", {32, 16, 16, 16}).to(DType::F32), w = draw("w", {32, 16, 3, 3}).to(DType::F32);
  const Tensor leaf = w.clone().setRequiresGrad(), bias = Tensor::zeros({32}).setRequiresGrad();
  const ConvOptions options{.padding = 1};
  // Statistics that were gathered err in other last bits than those of a copy, which nothing is known of.
  const auto gathers = [](const Tensor& y) {
    const Tensor kept = batchNorm(y, {}, {}, {}, {}, {.training = true}).var(),
                 own = batchNorm(y.clone(), {}, {}, {}, {}, {.training = true}).var();
    for (i64 c = 0; c < 32; ++c) CHECK(std::abs(kept.select(0, c).item() / own.select(0, c).item() - 1) < 1e-6);
    return core::batchStatistics(y.array()).var.toVector<double>() !=
           core::batchStatistics(y.array().copy()).var.toVector<double>();
  };
  const bool vectors = core::simd::level() != core::simd::Level::Baseline;
  CHECK(gathers(conv2d(x, leaf, {}, options)) == vectors);
  CHECK_FALSE(gathers(conv2d(x, w, {}, options)));  // not recorded
  CHECK_FALSE(gathers(conv2d(x, leaf, bias, options)));
  CHECK_FALSE(gathers(conv2d(x, leaf, {}, {.padding = 1, .act = Act::ReLU})));
  {
    const NoFusion off;
    CHECK_FALSE(gathers(conv2d(x, leaf, {}, options)));
  }
  {
    const AnomalyMode anomaly;
    CHECK_FALSE(gathers(conv2d(x, leaf, {}, options)));
  }
  // What works in the memory of the result is a write.
  CHECK_FALSE(gathers(relu(conv2d(x, leaf, {}, options))));
  CHECK_FALSE(gathers(conv2d(x, leaf, {}, options) + Tensor::ones({32, 32, 16, 16})));
}
