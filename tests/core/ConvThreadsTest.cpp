#include <algorithm>
#include <cmath>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <ember/core/Random.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/Conv.h>
#include <ember/core/kernels/MatMul.h>
#include <ember/core/kernels/Pool.h>
#include <ember/core/kernels/onednn/PrimitiveCache.h>

using namespace ember;
using namespace ember::core;

namespace {

/// Integers in [-2, 2]: exact in f32 in any order, so the number of threads must not show in a single bit, unless
/// Winograd runs (from 8 channels up), which multiplies by fractions of no power of two.
NDArray integers(const Shape& shape, u64 stream) {
  std::vector<float> values;
  for (i64 i = 0; i < numel(shape); ++i) {
    values.push_back(static_cast<float>(random::below({1, stream, 0}, static_cast<u64>(i), 5)) - 2);
  }
  return NDArray::from<float>(values, shape);
}

struct Net {
  NDArray x, w, fc;
  ConvGeometry geometry{2, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, 1};

  explicit Net(i64 channels)
      : x(integers({8, channels, 12, 12}, 1)),
        w(integers({channels, channels, 3, 3}, 2)),
        fc(integers({10, channels * 36}, 3)) {}

  /// Forward and backward, joined into one list of numbers.
  std::vector<float> step() const {
    const NDArray y = conv(x, w, {}, geometry);
    const auto [pooled, winners] = maxPool(y, {});
    const NDArray logits = linear(pooled.reshape({8, -1}), fc, {});
    const NDArray dy = maxPoolBackward(pooled, winners, y.shape(), {});
    std::vector<float> all;
    for (const NDArray& part : {y, pooled, logits, convBackwardData(y, w, x.shape(), geometry),
                                convBackwardWeights(dy, x, w.shape(), geometry), convBackwardBias(dy)}) {
      const auto values = part.toVector<float>();
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  }
};

/// The largest difference in relation to the largest value.
double difference(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return 1;
  double most = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    most = std::max(most, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    size = std::max(size, std::abs(static_cast<double>(b[i])));
  }
  return most / size;
}

/// Runs `steps` steps in each of four threads at once; the worst difference from `expected`.
double worstOfFour(const Net& net, const std::vector<float>& expected, int steps) {
  std::vector<double> worst(4);
  std::vector<std::thread> workers;
  for (std::size_t t = 0; t < worst.size(); ++t) {
    workers.emplace_back([&, t] {
      for (int i = 0; i < steps; ++i) worst[t] = std::max(worst[t], difference(net.step(), expected));
    });
  }
  for (std::thread& worker : workers) worker.join();
  return *std::max_element(worst.begin(), worst.end());
}

}  // namespace

TEST_CASE("four threads that convolve, pool and multiply at once get what one gets") {
  onednn::clearCache();  // the threads meet while primitives are made, too
  const Net net(7);
  setConvAlgorithm(ConvAlgorithm::Reference);
  const auto expected = net.step();
  setConvAlgorithm(ConvAlgorithm::Auto);
  CHECK(worstOfFour(net, expected, 20) == 0);
}

TEST_CASE("four threads that convolve by Winograd at once get what one gets") {
  onednn::clearCache();
  const Net net(32);
  setConvAlgorithm(ConvAlgorithm::Winograd);
  const auto expected = net.step();
  CHECK(worstOfFour(net, expected, 10) < 1e-5);  // the sums of the other layers may depend on the thread count
  setConvAlgorithm(ConvAlgorithm::Auto);
}

TEST_CASE("a primitive made by a thread that has ended serves others") {
  onednn::clearCache();
  const Net net(32);
  std::vector<float> first;
  std::thread([&] { first = net.step(); }).join();
  CHECK(difference(net.step(), first) < 1e-5);
}

TEST_CASE("the number of threads doesn't change exact results") {
  const Net net(6);
  const int before = threads();
  setThreads(1);
  const auto one = net.step();
  setThreads(2);
  const auto two = net.step();
  setThreads(before);
  CHECK(one == two);
}
