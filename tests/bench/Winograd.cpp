// Ember's Winograd convolutions beside oneDNN's direct ones and oneDNN's Winograd (AVX-512 only; with its reorders from
// and to channels last), in turn: milliseconds per direction on warm weights, and the relative rms error against f64.
//
//   build/bench/Winograd [runs]
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include <dnnl.hpp>

#include <ember/core/Random.h>
#include <ember/core/Simd.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/Conv.h>

using namespace ember;
using namespace ember::core;

namespace {

struct Size {
  i64 batch, channels, side, filters;
};

/// x: halves of normals, as after a ReLU; w and dy: normals.
struct Operands {
  NDArray x, w, dy;
  ConvGeometry geometry{2, {1, 1, 1}, {1, 1, 0}, {1, 1, 0}, {1, 1, 1}, 1};

  explicit Operands(const Size& s)
      : x(normals({s.batch, s.channels, s.side, s.side}, 1, 0).contiguous(MemoryOrder::ChannelsLast)),
        w(normals({s.filters, s.channels, 3, 3}, 2, -9)),
        dy(normals({s.batch, s.filters, s.side, s.side}, 3, -9).contiguous(MemoryOrder::ChannelsLast)) {}

  static NDArray normals(const Shape& shape, u64 stream, double least) {
    std::vector<float> values;
    for (i64 i = 0; i < numel(shape); ++i) {
      values.push_back(static_cast<float>(std::max(least, random::normal({1, stream, 0}, static_cast<u64>(i)))));
    }
    return NDArray::from<float>(values, shape);
  }
};

enum Direction { forward, backwardData, backwardWeights };
constexpr const char* names[] = {"forward", "data", "weights"};

NDArray byEmber(const Operands& o, Direction direction, ConvAlgorithm algorithm) {
  setConvAlgorithm(algorithm);
  switch (direction) {
    case forward:
      return conv(o.x, o.w, NDArray(), o.geometry);
    case backwardData:
      return convBackwardData(o.dy, o.w, o.x.shape(), o.geometry);
    default:
      return convBackwardWeights(o.dy, o.x, o.w.shape(), o.geometry);
  }
}

/// oneDNN's Winograd between arrays as ember has them.
class OneDnn {
 public:
  static std::unique_ptr<OneDnn> make(const Operands& o, Direction direction) {
    try {
      return std::unique_ptr<OneDnn>(new OneDnn(o, direction));
    } catch (const dnnl::error&) {
      return nullptr;  // not on this CPU
    }
  }

  const NDArray& run() {
    for (auto& [primitive, arguments] : steps_) primitive.execute(stream_, arguments);
    stream_.wait();
    return result_;
  }

 private:
  using Memory = dnnl::memory;

  OneDnn(const Operands& o, Direction direction) : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    const auto any = [](const NDArray& a) {
      return Memory::desc({a.size(0), a.size(1), a.size(2), a.size(3)}, Memory::data_type::f32,
                          Memory::format_tag::any);
    };
    const auto algorithm = dnnl::algorithm::convolution_winograd;
    const Memory::dims ones{1, 1};
    const dnnl::convolution_forward::primitive_desc ahead(
        {dnnl::prop_kind::forward_training, algorithm, any(o.x), any(o.w), any(o.dy), ones, ones, ones}, engine_);
    if (direction == forward) {
      const auto x = in(o.x, true, ahead.src_desc()), w = in(o.w, false, ahead.weights_desc());
      steps_.erase(steps_.begin() + 1, steps_.end());  // weights stay packed
      const Memory y(ahead.dst_desc(), engine_);
      steps_.push_back(
          {dnnl::convolution_forward(ahead), {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_DST, y}}});
      out(y, o.dy.shape(), true);
    } else if (direction == backwardData) {
      const dnnl::convolution_backward_data::primitive_desc back(
          {algorithm, any(o.x), any(o.w), any(o.dy), ones, ones, ones}, engine_, ahead);
      const auto dy = in(o.dy, true, back.diff_dst_desc()), w = in(o.w, false, back.weights_desc());
      steps_.erase(steps_.begin() + 1, steps_.end());
      const Memory dx(back.diff_src_desc(), engine_);
      steps_.push_back({dnnl::convolution_backward_data(back),
                        {{DNNL_ARG_DIFF_DST, dy}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_DIFF_SRC, dx}}});
      out(dx, o.x.shape(), true);
    } else {
      const dnnl::convolution_backward_weights::primitive_desc back(
          {algorithm, any(o.x), any(o.w), any(o.dy), ones, ones, ones}, engine_, ahead);
      const auto x = in(o.x, true, back.src_desc()), dy = in(o.dy, true, back.diff_dst_desc());
      const Memory dw(back.diff_weights_desc(), engine_);
      steps_.push_back({dnnl::convolution_backward_weights(back),
                        {{DNNL_ARG_SRC, x}, {DNNL_ARG_DIFF_DST, dy}, {DNNL_ARG_DIFF_WEIGHTS, dw}}});
      out(dw, o.w.shape(), false);
    }
  }

  Memory plain(const NDArray& a, bool channelsLast) {
    const auto tag = channelsLast ? Memory::format_tag::nhwc : Memory::format_tag::nchw;
    return {{{a.size(0), a.size(1), a.size(2), a.size(3)}, Memory::data_type::f32, tag}, engine_, a.data<float>()};
  }
  Memory in(const NDArray& a, bool channelsLast, const Memory::desc& wanted) {
    const Memory from = plain(a, channelsLast), to(wanted, engine_);
    steps_.push_back({dnnl::reorder(from, to), {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}}});
    steps_.back().first.execute(stream_, steps_.back().second);
    return to;
  }
  void out(const Memory& from, const Shape& shape, bool channelsLast) {
    result_ = NDArray::empty(shape, DType::F32, channelsLast ? MemoryOrder::ChannelsLast : MemoryOrder::RowMajor);
    const Memory to = plain(result_, channelsLast);
    steps_.push_back({dnnl::reorder(from, to), {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}}});
  }

  dnnl::engine engine_;
  dnnl::stream stream_;
  std::vector<std::pair<dnnl::primitive, std::unordered_map<int, Memory>>> steps_;
  NDArray result_;
};

/// Lower quartiles of the milliseconds that each contestant takes; they run in turn.
std::vector<double> measure(const std::vector<std::function<void()>>& contestants, int runs) {
  std::vector<std::vector<double>> times(contestants.size());
  for (int run = -1; run < runs; ++run) {
    for (std::size_t i = 0; i < contestants.size(); ++i) {
      const auto start = std::chrono::steady_clock::now();
      contestants[i]();
      const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
      if (run >= 0) times[i].push_back(time.count());
    }
  }
  std::vector<double> quartiles;
  for (auto& t : times) {
    std::sort(t.begin(), t.end());
    quartiles.push_back(t[t.size() / 4]);
  }
  return quartiles;
}

double relativeRms(const NDArray& value, const std::vector<double>& truth) {
  const auto v = value.toVector<double>();
  double error = 0, size = 0;
  for (std::size_t i = 0; i < v.size(); ++i) {
    error += (v[i] - truth[i]) * (v[i] - truth[i]);
    size += truth[i] * truth[i];
  }
  return std::sqrt(error / size);
}

/// Of a batch small enough for the plain loops in f64.
void printErrors(Size s, Direction direction) {
  s.batch = std::min<i64>(s.batch, 4);
  const Operands o(s);
  Operands exact = o;
  exact.x = o.x.to(DType::F64), exact.w = o.w.to(DType::F64), exact.dy = o.dy.to(DType::F64);
  const auto truth = byEmber(exact, direction, ConvAlgorithm::Reference).toVector<double>();
  std::printf("   errors %.1e, %.1e", relativeRms(byEmber(o, direction, ConvAlgorithm::Winograd), truth),
              relativeRms(byEmber(o, direction, ConvAlgorithm::Direct), truth));
  if (const auto other = OneDnn::make(o, direction)) std::printf(", %.1e", relativeRms(other->run(), truth));
}

void compare(const Size& s, int runs) {
  const Operands o(s);
  for (const Direction direction : {forward, backwardData, backwardWeights}) {
    std::printf("%4lld x%4lld x%3lld^2 ->%4lld %-8s", static_cast<long long>(s.batch),
                static_cast<long long>(s.channels), static_cast<long long>(s.side), static_cast<long long>(s.filters),
                names[direction]);
    std::vector<std::function<void()>> contestants{[&] { byEmber(o, direction, ConvAlgorithm::Winograd); },
                                                   [&] { byEmber(o, direction, ConvAlgorithm::Direct); }};
    const auto other = OneDnn::make(o, direction);
    if (other) contestants.push_back([&] { other->run(); });
    const auto times = measure(contestants, s.batch == 1 ? 50 * runs : runs);
    std::printf(" %8.3f  direct %8.3f (%.2f)", times[0], times[1], times[1] / times[0]);
    if (other) std::printf("  oneDNN Winograd %8.3f (%.2f)", times[2], times[2] / times[0]);
    printErrors(s, direction);
    std::printf("\n");
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int runs = argc > 1 ? std::max(1, std::atoi(argv[1])) : 9;
  constexpr const char* levels[] = {"baseline", "AVX2", "AVX-512"};
  std::printf(
      "3x3 convolutions, padding 1, f32, %s, %d threads: ms of ember's Winograd, of the others (their ratio to it),"
      " errors in that order\n",
      levels[static_cast<int>(simd::level())], threads());
  for (const Size& size : std::vector<Size>{{128, 32, 28, 32},
                                            {128, 32, 14, 64},
                                            {128, 64, 14, 64},
                                            {128, 64, 7, 128},
                                            {128, 128, 7, 128},
                                            {128, 64, 28, 64},
                                            {128, 16, 32, 16},
                                            {128, 32, 16, 32},
                                            {128, 64, 8, 64},
                                            {1, 32, 28, 32},
                                            {1, 64, 14, 64},
                                            {1, 128, 7, 128},
                                            {1, 16, 32, 16},
                                            {1, 32, 16, 32},
                                            {1, 64, 8, 64}}) {
    compare(size, runs);
  }
}
