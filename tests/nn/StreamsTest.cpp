#include <thread>

#include <doctest/doctest.h>

#include <ember/ember.h>

#include "support/Draw.h"
#include "support/Headline.h"
#include "support/State.h"

using namespace ember;
using namespace ember::test;

namespace {

/// Draws twice in every mode.
struct Noisy : nn::Module {
  Tensor forward(const Tensor& x) override { return x + Tensor::normal({64}) - Tensor::normal({64}); }
};

}  // namespace

TEST_CASE("random streams follow the module's path and count training forwards") {
  const Tensor x = Tensor::ones({64});
  seed(9);
  nn::Sequential net(nn::Dropout(0.5), nn::Identity());
  const Tensor first = net(x), second = net(x);
  CHECK(!sameBits(first, second));
  CHECK(net.streams() == std::vector<std::pair<std::string, i64>>{{"0", 2}});
  net.setStreams({{"0", 1}});
  CHECK(sameBits(net(x), second));
  net.setStreams({});
  CHECK(net.streams().empty());
  CHECK(sameBits(net(x), first));

  net.eval();
  net(x);
  net.train();
  (void)net.summary({64});
  CHECK(net.streams() == std::vector<std::pair<std::string, i64>>{{"0", 1}});

  nn::Sequential other(nn::Identity(), nn::Dropout(0.5));
  CHECK(!sameBits(other(x), first));  // another path, another stream
  seed(10);
  net.setStreams({});
  CHECK(!sameBits(net(x), first));
  CHECK(headlineOf<ValueError>([&] {
          net.setStreams({{"7", 1}});
        }) == "[setStreams] ValueError: no module \"7\" for the random stream of that name");
}

TEST_CASE("draws in eval mode repeat, differ within a forward and leave training as it was") {
  seed(9);
  nn::Sequential net(Noisy{}, nn::Identity()), untouched(Noisy{}, nn::Identity());
  const Tensor x = Tensor::ones({64});
  CHECK(sameBits(net(x), untouched(x)));
  net.eval();
  const Tensor first = net(x);
  CHECK(sameBits(net(x), first));
  CHECK(net.streams() == std::vector<std::pair<std::string, i64>>{{"0", 2}});
  const std::vector<double> values = first.toVector<double>();
  CHECK(std::any_of(values.begin(), values.end(), [](double v) { return v != 1; }));  // the two draws are not one
  net.train();
  (void)net.summary({64});
  (void)net(Tensor::shapeOnly({64}));
  CHECK(net.streams() == untouched.streams());
  CHECK(sameBits(net(x), untouched(x)));
}

TEST_CASE("eval forwards that draw run from many threads, all with the same numbers") {
  seed(9);
  nn::Sequential net(Noisy{}, nn::Identity());
  net.eval();
  const Tensor x = Tensor::ones({64});
  const Tensor expected = net(x);
  std::vector<int> same(4, 0);
  std::vector<std::thread> threads;
  for (int& count : same) {
    threads.emplace_back([&] {
      const NoGrad off;
      for (int i = 0; i < 50; ++i) count += sameBits(net(x), expected);
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(same == std::vector<int>(4, 50));
  CHECK(net.streams().empty());
}
