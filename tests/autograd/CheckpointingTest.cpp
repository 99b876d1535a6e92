#include <ember/autograd/Checkpointing.h>

#include <doctest/doctest.h>
#include <ember/autograd/GradCheck.h>
#include <ember/autograd/ops/Ops.h>
#include <ember/core/Memory.h>
#include <ember/core/Random.h>

#include "support/Draw.h"
#include "support/Golden.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

namespace {

using Single = std::function<Tensor(const Tensor&)>;

/// Runs fn as it is or under a checkpoint.
Tensor maybe(bool on, const Single& fn, const Tensor& x) { return on ? checkpoint(fn, x) : fn(x); }

}  // namespace

TEST_CASE("values and gradients are bit for bit those without a checkpoint, for inputs and what fn captures") {
  const auto run = [](bool on) {
    const Tensor x = draw("x", {4, 3}).setRequiresGrad(), w = draw("w", {5, 3}).setRequiresGrad(),
                 b = draw("b", {5}).setRequiresGrad();
    const Tensor scale = exp(b);  // captured, and itself the result of an op on something captured
    const Tensor before = tanh(x * 2);
    const Tensor y = maybe(
        on, [&](const Tensor& h) { return gelu(linear(h, w, b)) * scale; }, before);
    const Tensor loss = (y * y).sum() + (before * w.slice(0, 0, 1)).sum();  // w again, outside
    loss.backward();
    return Tensors{y.detach(), x.grad(), w.grad(), b.grad()};
  };
  const Tensors plain = run(false), saved = run(true);
  for (std::size_t i = 0; i < plain.size(); ++i) CHECK(sameBits(plain[i], saved[i]));
}

TEST_CASE("inputs that depend on each other get each their own gradient") {
  const auto run = [](bool on) {
    const Tensor a = draw("a", {3}).setRequiresGrad();
    const Tensor b = a * a;
    const auto fn = [](const Tensors& in) { return Tensors{in[0] * in[1], in[0] + in[1], Tensor::ones({2})}; };
    const Tensors y = on ? checkpoint(fn, {a, b}) : fn({a, b});
    CHECK(!y[2].requiresGrad());
    (y[0].sum() + (y[1] * y[1]).sum()).backward();
    return a.grad();
  };
  CHECK(sameBits(run(false), run(true)));
}

TEST_CASE("an output that nothing uses has no gradient, and one handed through is the tensor itself") {
  const Tensor a = draw("a", {3}).setRequiresGrad();
  const Tensors y = checkpoint([](const Tensors& in) { return Tensors{exp(in[0]), in[0], in[0] * 2}; }, {a});
  CHECK(y[1].impl() == a.impl());
  y[2].sum().backward();
  CHECK(a.grad().toVector<double>() == std::vector<double>{2, 2, 2});
}

TEST_CASE("checkpoints nest, and pass first and second derivative checks") {
  const Tensor w = draw("w", {3, 3});
  const Single inner = [&](const Tensor& h) { return tanh(matmul(h, w)); };
  const Single outer = [&](const Tensor& h) { return checkpoint(inner, sin(h)) * h; };
  const Single whole = [&](const Tensor& h) { return checkpoint(outer, h); };
  CHECK(gradcheck(whole, draw("x", {2, 3})) <= 1);
  CHECK(gradgradcheck(whole, draw("x", {2, 3})) <= 1);
}

TEST_CASE("gradients() sees through a checkpoint, also to what it captures, and leaves grad() alone") {
  const Tensor x = draw("x", {3}).setRequiresGrad(), w = draw("w", {3}).setRequiresGrad();
  const Tensor y = checkpoint([&](const Tensor& h) { return h * w; }, x).sum();
  const Tensors g = gradients({y}, {w, x}, {.retainGraph = true});
  CHECK(sameBits(g[0], x));
  CHECK(sameBits(g[1], w));
  CHECK(!x.grad().defined());
  y.backward({.retainGraph = true});
  y.backward();  // once more: it runs fn a third time
  CHECK_CLOSE(x.grad(), w * 2, toleranceF64, "gradient");
  CHECK(headlineOf<StateError>([&] { y.backward(); }).find("the graph was already freed") != std::string::npos);
}

TEST_CASE("hooks of tensors outside run once") {
  const Tensor x = draw("x", {3}).setRequiresGrad();
  int leaf = 0, middle = 0;
  x.registerHook([&](const Tensor&) { return ++leaf, Tensor(); });
  const Tensor h = exp(x);
  h.registerHook([&](const Tensor&) { return ++middle, Tensor(); });
  (checkpoint([&](const Tensor& in) { return in * x; }, h).sum() + h.sum()).backward();
  CHECK(leaf == 1);
  CHECK(middle == 1);
}

TEST_CASE("random draws are replayed, and the counters stand as without a checkpoint") {
  const auto run = [](bool on) {
    seed(7);
    const Tensor x = draw("x", {40}).setRequiresGrad();
    const Single inner = [](const Tensor& h) { return dropout(h, 0.5, true); };
    const Single block = [&](const Tensor& h) { return maybe(on, inner, h * 3) + dropout(h, 0.3, true); };
    const Tensor y = dropout(maybe(on, block, x), 0.2, true);
    y.sum().backward();
    return std::pair(Tensors{y.detach(), x.grad()}, random::programCalls());
  };
  const auto plain = run(false), saved = run(true);
  CHECK(sameBits(plain.first[0], saved.first[0]));
  CHECK(sameBits(plain.first[1], saved.first[1]));
  CHECK(plain.second == 3);
  CHECK(saved.second == 3);
}

TEST_CASE("batch norm updates its running statistics once, in forward or in backward") {
  for (const StatsUpdate when : {StatsUpdate::Forward, StatsUpdate::Backward}) {
    const auto run = [&](bool on, bool twice) {
      const Tensor x = draw("x", {4, 2, 3}).setRequiresGrad();
      Tensor mean = Tensor::zeros({2}, DType::F64), var = Tensor::ones({2}, DType::F64),
             batches = Tensor::zeros({}, DType::I64);
      const Single norm = [&](const Tensor& h) {
        return batchNorm(h, {}, {}, mean, var, {.training = true, .batches = batches, .updateStatsOn = when}).y;
      };
      const Tensor y = maybe(
          on, [&](const Tensor& h) { return maybe(on, norm, h * 2); }, x);
      const Tensor loss = (y * draw("g", {4, 2, 3})).sum();
      if (twice) loss.backward({.retainGraph = true});
      loss.backward();
      return Tensors{mean, var, batches, x.grad()};
    };
    for (const bool twice : {false, true}) {
      const Tensors plain = run(false, twice), saved = run(true, twice);
      for (std::size_t i = 0; i < plain.size(); ++i) CHECK(sameBits(plain[i], saved[i]));
      CHECK(saved[2].item() == 1);
    }
  }
}

TEST_CASE("where nothing is recorded, fn runs as it is") {
  int calls = 0;
  const Single fn = [&](const Tensor& h) { return ++calls, h * 2; };
  const Tensor x = draw("x", {3}), leaf = draw("x", {3}).setRequiresGrad();
  CHECK(!checkpoint(fn, x).requiresGrad());
  {
    const NoGrad guard;
    CHECK(!checkpoint(fn, leaf).requiresGrad());
  }
  CHECK(checkpoint(fn, Tensor::shapeOnly({3})).isShapeOnly());
  CHECK(calls == 3);
}

TEST_CASE("the values between are not kept") {
  const auto peakOf = [](bool on) {
    const Tensor x = Tensor::ones({1 << 16}).setRequiresGrad();
    const Single fn = [](const Tensor& h) {
      Tensor y = h;
      for (int i = 0; i < 20; ++i) y = sin(y);
      return y;
    };
    Tensor y = x;
    const i64 before = memory::stats().nowBytes;
    for (int i = 0; i < 5; ++i) y = maybe(on, fn, y);
    return memory::stats().nowBytes - before;
  };
  CHECK(peakOf(false) >= 100 * (1 << 18));
  CHECK(peakOf(true) <= 6 * (1 << 18));
}

TEST_CASE("what makes the second run another one is refused") {
  const Tensor x = draw("x", {3}).setRequiresGrad();
  Tensor w = draw("w", {3}).setRequiresGrad(), data = draw("d", {3});
  const auto loss = [&] {
    return checkpoint([&](const Tensors& in) { return Tensors{in[0] * w * in[1]}; }, {x, data})[0].sum();
  };
  Tensor y = loss();
  {
    const NoGrad guard;
    w.mul_(2);
  }
  CHECK(headlineOf<StateError>([&] { y.backward(); }) ==
        "[checkpoint] StateError: an operand that its gradient needs was overwritten by mul_");
  y = loss();
  data.fill_(1);
  CHECK(headlineOf<StateError>([&] { y.backward(); }) ==
        "[checkpoint] StateError: an operand that its gradient needs was overwritten by fill_");

  bool training = true;
  y = checkpoint([&](const Tensor& h) { return dropout(h, 0.5, training) * 2; }, x).sum();
  training = false;
  CHECK(headlineOf<StateError>([&] { y.backward(); }) ==
        "[checkpoint] StateError: the second run draws fewer random numbers than the first");
  y = checkpoint([&](const Tensor& h) { return dropout(h, 0.5, training) * 2; }, x).sum();
  training = true;
  CHECK(headlineOf<StateError>([&] { y.backward(); }) ==
        "[checkpoint] StateError: the second run draws more random numbers than the first");
  i64 size = 3;
  y = checkpoint([&](const Tensor& h) { return h.slice(0, 0, size) * 2; }, x).sum();
  size = 2;
  CHECK(headlineOf<StateError>([&] { y.backward(); }).starts_with("[checkpoint] StateError: the second run gave"));
  CHECK(headlineOf<StateError>([&] { checkpoint([](const Tensor& h) { return h; }, Tensor()); }) ==
        "[checkpoint] StateError: operand 0 is an undefined tensor");
  CHECK_THROWS_AS(checkpoint(Single(), x), ValueError);
}
