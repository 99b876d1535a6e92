#include <ember/autograd/ops/Dropout.h>

#include <cmath>
#include <limits>
#include <vector>

#include <doctest/doctest.h>
#include <ember/autograd/GradCheck.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/core/Random.h>
#include <ember/core/Scope.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/Dropout.h>

#include "support/Draw.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

TEST_CASE("dropout keeps the mean: survivors are divided by 1-p") {
  seed(1);
  const i64 count = 100'000;
  for (const double p : {0.1, 0.5, 0.9}) {
    const std::vector<double> y = dropout(Tensor::ones({count}, DType::F64), p, true).toVector<double>();
    i64 dropped = 0;
    for (const double v : y) {
      if (v == 0)
        ++dropped;
      else
        CHECK(v == doctest::Approx(1 / (1 - p)).epsilon(1e-15));
    }
    // Five standard deviations of the binomial distribution; the seed is fixed.
    CHECK(std::abs(static_cast<double>(dropped) - p * static_cast<double>(count)) <
          5 * std::sqrt(static_cast<double>(count) * p * (1 - p)));
  }
}

TEST_CASE("dropout is the identity in evaluation and at p = 0, and then draws nothing") {
  seed(1);
  const Tensor x = draw("x", {5});
  CHECK(dropout(x, 0.5, false).impl() == x.impl());
  CHECK(dropout(x, 0, true).impl() == x.impl());
  CHECK(random::programCalls() == 0);
  dropout(x, 0.5, true);
  CHECK(random::programCalls() == 1);
}

TEST_CASE("p = 1 gives zeros, whatever the input, and gradients of zero") {
  const double inf = std::numeric_limits<double>::infinity();
  const Tensor x = Tensor::of<double>({1, inf, -inf, std::nan("")}, {4}).setRequiresGrad();
  const Tensor y = dropout(x, 1, true);
  CHECK(y.toVector<double>() == std::vector<double>{0, 0, 0, 0});
  sum(y).backward();
  CHECK(x.grad().toVector<double>() == std::vector<double>{0, 0, 0, 0});
}

TEST_CASE("the mask is made of the words that the random streams define") {
  const random::Key key{7, 11, 13};
  const i64 count = 1003;  // no multiple of what is drawn at once
  const std::vector<i64> mask = core::dropoutMask({count}, 0.3, key, MemoryOrder::RowMajor).toVector<i64>();
  for (i64 i = 0; i < count; ++i) {
    const u32 word = random::words(key, static_cast<u64>(i / 4))[static_cast<std::size_t>(i % 4)];
    REQUIRE(mask[static_cast<std::size_t>(i)] == (static_cast<double>(word) >= 0.3 * 0x1p32 ? 1 : 0));
  }
}

TEST_CASE("the mask depends on the element alone: any number of threads, any memory order") {
  const Tensor x = Tensor::ones({16, 8, 33, 31});
  const Tensor turned(x.array().contiguous(MemoryOrder::ChannelsLast));
  const int before = threads();
  const auto draws = [&](const Tensor& t, int count) {
    setThreads(count);
    seed(3);
    return dropout(t, 0.4, true);
  };
  const Tensor one = draws(x, 1), two = draws(x, 2), other = draws(turned, 2);
  setThreads(before);
  CHECK(sameBits(one, two));
  CHECK(sameBits(one, other));
  CHECK(other.array().isDense(MemoryOrder::ChannelsLast));
}

TEST_CASE("masks follow seed, module path and call, and are replayed when these are") {
  const Tensor x = Tensor::ones({256});
  const auto run = [&](const char* path, i64& calls) {
    const core::ModuleScope net("", "Net", nullptr), layer(path, "Dropout", &calls);
    return dropout(x, 0.5, true);
  };
  seed(5);
  i64 calls = 0, other = 0;
  const Tensor first = run("a", calls), second = run("a", calls), elsewhere = run("b", other);
  CHECK(calls == 2);
  CHECK_FALSE(sameBits(first, second));
  CHECK_FALSE(sameBits(first, elsewhere));
  calls = 0;
  CHECK(sameBits(first, run("a", calls)));
  seed(6);
  calls = 0;
  CHECK_FALSE(sameBits(first, run("a", calls)));
}

TEST_CASE("gradients pass where the forward let pass, any number of times") {
  const auto fixed = [](const Tensor& x) {
    seed(9);
    return dropout(x * x, 0.4, true) * x;
  };
  const Tensor x = draw("x", {3, 4});
  CHECK(gradcheck(fixed, x) <= 1);
  CHECK(gradgradcheck(fixed, x) <= 1);
  CHECK(headlineOf<ValueError>([&] {
          gradcheck([](const Tensor& t) { return dropout(t, 0.5, true); }, x);
        }).find("[gradcheck] ValueError: the function is not deterministic") == 0);
}

TEST_CASE("a probability outside [0, 1] is an error") {
  const Tensor x = Tensor::ones({2});
  CHECK(headlineOf([&] { dropout(x, 1.5, true); }) == "[dropout] ValueError: p is 1.500000, must be in [0, 1]");
  CHECK(headlineOf([&] { dropout(x, -0.5, false); }) == "[dropout] ValueError: p is -0.500000, must be in [0, 1]");
  CHECK_THROWS_AS(dropout(x, std::nan(""), true), ValueError);
  CHECK(headlineOf([&] { dropout(Tensor::ones({2}, DType::I64), 0.5, true); }) ==
        "[dropout] DtypeError: x is i64, expected f32 or f64");
}
