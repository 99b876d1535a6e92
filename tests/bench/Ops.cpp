// Nanoseconds of single ops, ember against bare oneDNN calls. `tests/bench/ops --help` says what it measures.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <ember/core/Threads.h>
#include <ember/ember.h>

#include "BareOneDnn.h"

using namespace ember;

namespace {

constexpr const char* help = R"(usage: tests/bench/ops [--tiny | --large] [--only TEXT] [--rounds N] [--quantile Q]

What an op costs beyond its arithmetic. Columns, in nanoseconds a call:
  recorded    ember's op on operands that require a gradient: checks, kernel, node, and dropping the result
  no grad     the same under NoGrad
  bare        oneDNN alone: primitive and memory objects made once (SGD: a plain loop; reshape: nothing)
  beyond      recorded - bare; the goal on tiny tensors is 1000 at most
  + backward  ember's op and its backward(); bare: the primitives of both. The gradients of leaves are dropped.
On large tensors the last column, ember / bare with backward, is what counts.

  --tiny, --large   only that part
  --only TEXT       only ops whose line contains it: linear, conv2d
  --rounds N        bursts of each, taken in turn (25)
  --quantile Q      which quantile of the bursts is printed (0.5); a low one sees past other processes
EMBER_THREADS=1 measures one thread. Run it alone: another process spoils it.
)";

struct Options {
  bool tiny = true, large = true;
  std::string only;
  int rounds = 25;
  double quantile = 0.5;
};

struct Case {
  std::string name;
  std::function<Tensor()> op;  // undefined result: there is no backward
  std::function<void()> bare, bareBackward;
};

/// Those of the ops that are being measured; a backward's gradients in them are dropped, as zeroGrad() does.
std::vector<Tensor>& leaves() {
  static std::vector<Tensor> all;
  return all;
}

Tensor leaf(Tensor value) {
  leaves().push_back(value.setRequiresGrad());
  return value;
}

Tensor values(const Shape& shape) { return leaf(Tensor::normal(shape)); }

Tensor activation(const Shape& shape) {
  return leaf(Tensor(Tensor::normal(shape).array().contiguous(MemoryOrder::ChannelsLast)));
}

Shape shapeOf(const bare::Sizes& sizes) { return Shape(std::vector<i64>(sizes.begin(), sizes.end())); }

Case onPair(std::string name, std::function<Tensor()> op, const bare::Pairs& pair) {
  return {std::move(name), std::move(op), [pair] { pair->forward.run(); }, [pair] { pair->backward.run(); }};
}

Case linearCase(i64 m, i64 k, i64 n) {
  const Tensor x = values({m, k}), w = values({n, k}), b = values({n});
  return onPair(
      "linear " + std::to_string(m) + "x" + std::to_string(k) + "->" + std::to_string(n),
      [=] { return linear(x, w, b); }, bare::linear(m, k, n));
}

std::string sizesText(const bare::Sizes& sizes) {
  std::string text;
  for (const i64 size : sizes) {
    if (!text.empty()) text += 'x';
    text += std::to_string(size);
  }
  return text;
}

Case convCase(const bare::Sizes& x, i64 filters, i64 kernel) {
  const int spatial = static_cast<int>(x.size()) - 2;
  bare::Sizes w{filters, x[1]};
  for (int i = 0; i < spatial; ++i) w.push_back(kernel);
  const Tensor input = activation(shapeOf(x)), weights = values(shapeOf(w)), b = values({filters});
  const ConvOptions options{.padding = kernel / 2};
  return onPair(
      "conv" + std::to_string(spatial) + "d " + sizesText(x) + "->" + std::to_string(filters),
      [=] { return convND(spatial, input, weights, b, options); }, bare::conv(x, w, kernel / 2));
}

Case batchNormCase(const bare::Sizes& x) {
  const Tensor input = activation(shapeOf(x)), gamma = values({x[1]}), beta = values({x[1]});
  const Tensor mean = Tensor::zeros({x[1]}), var = Tensor::ones({x[1]});
  return onPair(
      "batchNorm " + sizesText(x), [=] { return batchNorm(input, gamma, beta, mean, var).y; }, bare::batchNorm(x));
}

Case maxPoolCase(const bare::Sizes& x) {
  const int spatial = static_cast<int>(x.size()) - 2;
  const Tensor input = activation(shapeOf(x));
  return onPair(
      "maxPool " + sizesText(x), [=] { return maxPoolND(spatial, input); },
      bare::pool(x, dnnl::algorithm::pooling_max));
}

Case avgPoolCase(const bare::Sizes& x) {
  const int spatial = static_cast<int>(x.size()) - 2;
  const Tensor input = activation(shapeOf(x));
  return onPair(
      "avgPool " + sizesText(x), [=] { return avgPoolND(spatial, input); },
      bare::pool(x, dnnl::algorithm::pooling_avg_exclude_padding));
}

Case reluCase(const bare::Sizes& x) {
  const Tensor input = activation(shapeOf(x));
  return onPair(
      "relu " + sizesText(x), [=] { return relu(input); }, bare::relu(x));
}

Case addCase(const bare::Sizes& x) {
  const Tensor a = activation(shapeOf(x)), b = activation(shapeOf(x));
  return onPair(
      "add " + sizesText(x), [=] { return a + b; }, bare::sum(x));
}

Case softmaxCase(i64 rows, i64 columns) {
  const Tensor x = values({rows, columns});
  return onPair(
      "softmax " + std::to_string(rows) + "x" + std::to_string(columns), [=] { return softmax(x, 1); },
      bare::softmax(rows, columns, false));
}

Case crossEntropyCase(i64 rows, i64 columns) {
  const Tensor x = values({rows, columns});
  std::vector<i64> classes;
  for (i64 i = 0; i < rows; ++i) classes.push_back(i % columns);
  const Tensor labels = Tensor::of(classes);
  return onPair(
      "crossEntropy " + std::to_string(rows) + "x" + std::to_string(columns), [=] { return crossEntropy(x, labels); },
      bare::softmax(rows, columns, true));
}

Case reshapeCase(i64 rows, i64 columns) {
  const Tensor x = values({rows, columns});
  return {"reshape", [=] { return x.reshape({rows * columns}); }, [] {}, [] {}};
}

Case sgdCase(int tensors, i64 elements) {
  nn::Parameters parameters;
  for (int i = 0; i < tensors; ++i) {
    parameters.push_back({std::to_string(i), values({elements}), {}});
    parameters.back().tensor.setGrad(Tensor::normal({elements}));
  }
  const auto sgd = std::make_shared<optim::SGD>(parameters, optim::SGDOptions{.lr = 1e-6, .momentum = 0.9});
  const i64 all = tensors * elements;
  const Tensor p = Tensor::normal({all}), g = Tensor::normal({all}), v = Tensor::zeros({all});
  float *to = p.array().data<float>(), *velocity = v.array().data<float>();
  const float* gradient = g.array().data<float>();
  const auto loop = [p, g, v, to, velocity, gradient](i64 begin, i64 end) {
    for (i64 i = begin; i < end; ++i) {
      velocity[i] = 0.9F * velocity[i] + gradient[i];
      to[i] -= 1e-6F * velocity[i];
    }
  };
  return {"SGD step " + std::to_string(tensors) + "x" + std::to_string(elements),
          [sgd] { return sgd->step(), Tensor(); },
          [all, loop] { core::parallelFor(all, 16384, loop); },
          {}};
}

std::vector<std::function<Case()>> tinyCases() {
  return {[] { return linearCase(4, 8, 8); },
          [] {
            const Tensor a = values({4, 8}), b = values({8, 8});
            Case c = linearCase(4, 8, 8);
            return Case{"matmul 4x8x8", [=] { return matmul(a, b); }, c.bare, c.bareBackward};
          },
          [] {
            return convCase({1, 4, 6}, 4, 3);
          },
          [] {
            return convCase({1, 4, 6, 6}, 4, 3);
          },
          [] {
            return convCase({1, 4, 4, 4, 4}, 4, 3);
          },
          [] {
            return batchNormCase({2, 4, 2, 2});
          },
          [] {
            return maxPoolCase({1, 4, 4, 4});
          },
          [] {
            return avgPoolCase({1, 4, 4, 4});
          },
          [] {
            return reluCase({4, 8});
          },
          [] {
            return addCase({4, 8});
          },
          [] { return softmaxCase(4, 8); },
          [] { return crossEntropyCase(4, 8); },
          [] { return reshapeCase(4, 8); },
          [] { return sgdCase(1, 64); }};
}

std::vector<std::function<Case()>> largeCases() {
  return {[] { return linearCase(32, 784, 256); },          [] { return linearCase(32, 256, 256); },
          [] { return linearCase(32, 256, 10); },           [] { return linearCase(64, 3136, 512); },
          [] { return linearCase(64, 512, 10); },           [] { return convCase({64, 32, 256}, 64, 5); },
          [] { return convCase({64, 32, 14, 14}, 64, 5); }, [] { return convCase({8, 16, 4, 16, 16}, 32, 3); },
          [] { return batchNormCase({128, 64, 14, 14}); },  [] { return maxPoolCase({128, 32, 28, 28}); },
          [] { return avgPoolCase({128, 32, 28, 28}); },    [] { return reluCase({128, 32, 28, 28}); },
          [] { return addCase({128, 32, 28, 28}); },        [] { return softmaxCase(128, 1000); },
          [] { return crossEntropyCase(128, 1000); },       [] { return sgdCase(20, 50000); }};
}

double now() {
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Calls of f in about half a millisecond, at least one.
int callsOf(const std::function<void()>& f) {
  for (int i = 0; i < 3; ++i) f();
  const double start = now();
  f();
  return std::clamp(static_cast<int>(5e5 / (now() - start + 1)), 1, 200);
}

/// What is measured in turn, and the times of its bursts in nanoseconds a call.
struct Contestant {
  std::function<void()> call{};
  int calls = 0;
  std::vector<double> times{};
  void burst() {
    if (!call) return;
    if (calls == 0) calls = callsOf(call);
    call();
    const double start = now();
    for (int i = 0; i < calls; ++i) call();
    times.push_back((now() - start) / calls);
  }
  double at(double quantile) {
    if (times.empty()) return 0;
    std::sort(times.begin(), times.end());
    return times[static_cast<std::size_t>(quantile * static_cast<double>(times.size() - 1))];
  }
};

void measure(const Case& c, const Options& options) {
  const Tensor sample = c.op();
  Tensor gradient;
  if (sample.defined()) gradient = Tensor(core::NDArray::full(sample.shape(), 1, DType::F32, sample.array().order()));
  Contestant recorded{[&] { c.op(); }};
  Contestant noGrad{[&] { c.op(); }};
  Contestant both, bareForward{c.bare}, bareBoth;
  if (gradient.defined()) {
    both.call = [&] {
      c.op().backward({.gradient = gradient});
      for (Tensor& t : leaves()) t.zeroGrad();
    };
    bareBoth.call = [&] { c.bare(), c.bareBackward(); };
  }
  for (int round = 0; round < options.rounds; ++round) {
    recorded.burst();
    {
      const NoGrad guard;
      noGrad.burst();
    }
    {
      const core::ComputeScope scope;  // as many threads as ember's ops
      bareForward.burst();
    }
    both.burst();
    const core::ComputeScope scope;
    bareBoth.burst();
  }
  const double q = options.quantile, whole = recorded.at(q), bare = bareForward.at(q);
  std::printf("%-26s %11.0f %11.0f %11.0f %11.0f", c.name.c_str(), whole, noGrad.at(q), bare, whole - bare);
  if (gradient.defined()) {
    std::printf(" %13.0f %11.0f %7.2f\n", both.at(q), bareBoth.at(q), both.at(q) / std::max(1.0, bareBoth.at(q)));
  } else {
    std::printf(" %13s %11s %7.2f\n", "-", "-", whole / std::max(1.0, bare));
  }
  std::fflush(stdout);
}

Options parse(int count, char** words) {
  Options options;
  const auto fail = [](const std::string& what) {
    std::fprintf(stderr, "ops: %s\n%s", what.c_str(), help);
    std::exit(2);
  };
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    const auto value = [&] {
      if (i + 1 >= count) fail(word + " wants a value");
      return words[++i];
    };
    if (word == "--help" || word == "-h") {
      std::fputs(help, stdout);
      std::exit(0);
    } else if (word == "--tiny") {
      options.large = false;
    } else if (word == "--large") {
      options.tiny = false;
    } else if (word == "--only") {
      options.only = value();
    } else if (word == "--rounds") {
      options.rounds = std::max(1, std::atoi(value()));
    } else if (word == "--quantile") {
      options.quantile = std::clamp(std::atof(value()), 0.0, 1.0);
    } else {
      fail("unknown option " + word);
    }
  }
  return options;
}

void table(const char* title, const std::vector<std::function<Case()>>& cases, const Options& options) {
  std::printf("%s, ns a call, quantile %.2f, %d threads\n%-26s %11s %11s %11s %11s %13s %11s %7s\n", title,
              options.quantile, threads(), "", "recorded", "no grad", "bare", "beyond", "+ backward", "bare", "ratio");
  for (const auto& make : cases) {
    leaves().clear();
    Case c;
    {
      const core::ComputeScope scope;  // primitives are partitioned when they are made
      c = make();
    }
    if (c.name.find(options.only) != std::string::npos) measure(c, options);
  }
}

}  // namespace

int main(int count, char** words) {
  const Options options = parse(count, words);
  if (options.tiny) table("tiny tensors", tinyCases(), options);
  if (options.large) table("large tensors", largeCases(), options);
}
