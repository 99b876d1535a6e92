// Prints the table behind the rule that chooses between direct and Winograd convolutions (core/kernels/ConvRule):
// milliseconds of each direction, direct -> Winograd, and what the rule picks. Run it alone.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include <ember/core/Random.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/Conv.h>
#include <ember/core/kernels/ConvRule.h>

using namespace ember;
using namespace ember::core;

namespace {

NDArray normals(const Shape& shape, u64 stream) {
  std::vector<float> values;
  for (i64 i = 0; i < numel(shape); ++i) {
    values.push_back(static_cast<float>(random::normal({1, stream, 0}, static_cast<u64>(i))));
  }
  return NDArray::from<float>(values, shape);
}

/// Lower quartile of nine calls, in milliseconds: the rest is other processes.
template <class F>
double milliseconds(F&& f) {
  f();
  std::vector<double> times;
  for (int i = 0; i < 9; ++i) {
    const auto start = std::chrono::steady_clock::now();
    f();
    times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  std::sort(times.begin(), times.end());
  return times[2];
}

struct Size {
  i64 batch, channels, side, filters;
};

void measure(const Size& s) {
  const NDArray x = normals({s.batch, s.channels, s.side, s.side}, 1).contiguous(MemoryOrder::ChannelsLast);
  const NDArray w = normals({s.filters, s.channels, 3, 3}, 2);
  const NDArray dy = normals({s.batch, s.filters, s.side, s.side}, 3).contiguous(MemoryOrder::ChannelsLast);
  ConvGeometry g;
  g.padBefore = g.padAfter = {1, 1, 1};
  const ConvProblem problem{x.shape(), w.shape(), dy.shape(), g, false};
  std::printf("%4lldx%-3lldx%2lldx%-2lld %4lld out ", static_cast<long long>(s.batch),
              static_cast<long long>(s.channels), static_cast<long long>(s.side), static_cast<long long>(s.side),
              static_cast<long long>(s.filters));
  const auto compare = [&](const char* name, ConvDirection direction, auto&& run) {
    setConvAlgorithm(ConvAlgorithm::Direct);
    const double direct = milliseconds(run);
    setConvAlgorithm(ConvAlgorithm::Winograd);
    const double winograd = milliseconds(run);
    std::printf("  %s %6.2f -> %6.2f %s", name, direct, winograd,
                winogradPays(problem, direction) ? "Winograd" : "direct  ");
  };
  compare("forward", ConvDirection::Forward, [&] { conv(x, w, NDArray(), g); });
  compare("data", ConvDirection::BackwardData, [&] { convBackwardData(dy, w, x.shape(), g); });
  compare("weights", ConvDirection::BackwardWeights, [&] { convBackwardWeights(dy, x, w.shape(), g); });
  std::printf("\n");
}

}  // namespace

int main() {
  std::printf("3x3 convolutions, padding 1, f32, %d threads; ms direct -> Winograd, and the rule's choice\n",
              threads());
  for (const Size& size : std::vector<Size>{{128, 32, 28, 32},
                                            {128, 64, 14, 64},
                                            {128, 128, 7, 128},
                                            {128, 64, 28, 64},
                                            {128, 16, 32, 16},
                                            {128, 8, 28, 8},
                                            {128, 64, 2, 64},
                                            {128, 3, 28, 32},
                                            {128, 64, 5, 64},
                                            {128, 64, 1, 64},
                                            {1, 64, 14, 64},
                                            {1, 256, 7, 256},
                                            {1, 128, 4, 128}}) {
    measure(size);
  }
}
