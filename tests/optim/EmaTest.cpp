#include <cmath>

#include <doctest/doctest.h>

#include <ember/ember.h>

#include "support/Draw.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::optim;
using namespace ember::test;

namespace {

nn::Sequential smallNet() { return nn::Sequential(nn::Linear(2, 3), nn::BatchNorm1D(3)); }

std::vector<Tensor> copies(const nn::Parameters& list) {
  std::vector<Tensor> result;
  for (const nn::Parameter& p : list) result.push_back(p.tensor.clone());
  return result;
}

void set(const nn::Module& net, double value) {
  const NoGrad guard;
  for (nn::Parameter& p : net.namedParameters()) p.tensor.fill_(value);
}

}  // namespace

TEST_CASE("the average follows its formula, slowly only once it has seen enough") {
  nn::Linear net(1, 1);
  net.to(DType::F64);
  set(net, 5);
  Ema ema(net, 0.9);
  CHECK(ema.averages()[0].tensor.item() == 5);
  double expected = 5;
  for (int n = 1; n <= 200; ++n) {
    const double value = std::sin(n), d = std::min(0.9, (1.0 + n) / (10.0 + n));
    set(net, value);
    ema.update();
    expected = d * expected + (1 - d) * value;
    CHECK(ema.averages()[0].tensor.item() == doctest::Approx(expected).epsilon(1e-12));
  }
  CHECK(ema.updates() == 200);
  CHECK((1.0 + 80) / (10.0 + 80) == 0.9);  // from there on the decay is the one that was asked for
}

TEST_CASE("parameters and floating buffers are averaged, those that say no and integers are not") {
  nn::Sequential net = smallNet();
  net.parameterSettings("0.bias").averaged = false;
  const Ema ema(net, 0.99);
  std::string names;
  for (const nn::Parameter& p : ema.averages()) names += p.name + " ";
  CHECK(names == "0.weight 1.weight 1.bias 1.running_mean 1.running_var ");
}

TEST_CASE("the average shares nothing with the net, and update leaves the net alone") {
  seed(1);
  nn::Sequential net = smallNet();
  Ema ema(net, 0.5);
  const auto before = copies(ema.averages());
  set(net, 2);
  const auto values = copies(net.namedParameters());
  for (std::size_t i = 0; i < before.size(); ++i) CHECK(sameBits(ema.averages()[i].tensor, before[i]));
  ema.update();
  const nn::Parameters after = net.namedParameters();
  for (std::size_t i = 0; i < values.size(); ++i) CHECK(sameBits(after[i].tensor, values[i]));
}

TEST_CASE("swap puts the averages into the net, and a second one back") {
  seed(1);
  nn::Sequential net = smallNet();
  const Tensor x = Tensor::uniform({4, 2});
  net.eval();
  const Tensor atFirst = net(x);
  Ema ema(net, 0.5);
  net.train();
  set(net, 2);
  net(x);
  const auto values = copies(net.namedParameters()), buffers = copies(net.namedBuffers());
  const Tensor handle = net.namedParameters()[0].tensor;

  ema.swap();
  net.eval();
  CHECK(sameBits(net(x), atFirst));
  CHECK(sameBits(handle, net.namedParameters()[0].tensor));  // in place: handles stay
  CHECK(ema.averages()[0].tensor.toVector<float>() == values[0].toVector<float>());
  ema.swap();
  const nn::Parameters p = net.namedParameters(), b = net.namedBuffers();
  for (std::size_t i = 0; i < p.size(); ++i) CHECK(sameBits(p[i].tensor, values[i]));
  for (std::size_t i = 0; i < b.size(); ++i) CHECK(sameBits(b[i].tensor, buffers[i]));
}

TEST_CASE("a scope swaps while it lives, whatever way it is left; none for no average") {
  seed(1);
  nn::Linear net(2, 2);
  Ema ema(net, 0.5);
  set(net, 2);
  try {
    const EmaScope scope(&ema);
    CHECK(net.weight.toVector<float>() != std::vector<float>(4, 2));
    throw 1;
  } catch (int) {
  }
  CHECK(net.weight.toVector<float>() == std::vector<float>(4, 2));
  const EmaScope nothing(nullptr);
  CHECK(net.weight.toVector<float>() == std::vector<float>(4, 2));
}

TEST_CASE("a decay outside (0, 1) is refused, a net that changed its type too") {
  nn::Linear net(2, 2);
  for (const double bad : {0.0, 1.0, -0.1, 2.0, std::nan("")}) CHECK_THROWS_AS(Ema(net, bad), ValueError);
  Ema ema(net, 0.9);
  net.to(DType::F64);
  CHECK(headlineOf<StateError>([&] { ema.update(); }) ==
        "[Ema] StateError: \"weight\" changed its type or shape after the average was made");
  CHECK_THROWS_AS(ema.swap(), StateError);
  CHECK(ema.updates() == 0);
}

TEST_CASE("averages of any size and strides are exact") {
  const Tensor start = draw("ema start", {300, 301}).to(DType::F32),
               later = draw("ema later", {300, 301}).to(DType::F32);
  struct Holder : nn::Module {};
  Holder net;
  Tensor w = net.addParameter("w", strided(start));
  Ema ema(net, 0.9);
  {
    const NoGrad guard;
    w.copy_(later);
  }
  ema.update();
  const auto a = start.toVector<float>(), b = later.toVector<float>(),
             average = ema.averages()[0].tensor.toVector<float>();
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    worst = std::max(worst, std::abs(2.0 / 11 * a[i] + 9.0 / 11 * b[i] - average[i]));
  CHECK(worst < 5e-7);  // three roundings of f32 on values up to 2
}
