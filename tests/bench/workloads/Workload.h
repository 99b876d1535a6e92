#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// The six nets that tests/bench/compare measures, as data, with their first weights and their batch. ember, libtorch
/// and the floor (raw oneDNN) each build them in their own way; what stands here makes them compute the same losses.
///
/// A training step is: forward, mean cross-entropy, backward (no gradient of the input), SGD with momentum 0.9 as
/// PyTorch has it (v = 0.9·v + g, w -= lr·v, v from 0). Inference is the forward in eval mode, from the input to the
/// logits. Data are f32 (with --f64: f64), the input arrives dense and row-major in the shape that stands here.
namespace bench {

/// One layer. "same" padding throughout: a convolution of stride 1 keeps the spatial size.
struct Layer {
  enum class Kind {
    Conv,           ///< kernel^d taps, stride, padding = kernel/2 on both sides, bias or not
    Norm,           ///< batch norm over `out` channels: epsilon 1e-5, weight of the new statistic 0.1, biased variance
                    ///< in the forward, unbiased in the running variance
    ReLU,           ///< behind each convolution or linear layer or norm that has one
    MaxPool,        ///< window and stride 2, no padding, the last odd row or column dropped (7x7 -> 3x3)
    GlobalAvgPool,  ///< mean over all spatial axes
    Flatten,        ///< [N, C, H, W] -> [N, C·H·W] in that logical order
    Linear,         ///< y = x·wT + b, always with bias
    Residual        ///< see residual() below
  };
  Kind kind = Kind::ReLU;
  long in = 0, out = 0;
  long kernel = 1, stride = 1;
  bool bias = false;
};

/// What a Layer of kind Residual(in, out, stride) consists of:
///
///   y = relu(norm2(conv2(relu(norm1(conv1(x))))) + shortcut(x))
///
/// conv1 3x3 in -> out of that stride, conv2 3x3 out -> out, no biases; shortcut is x itself if in == out and the
/// stride is 1, else a 1x1 convolution in -> out of that stride without bias and a batch norm (no ReLU).
/// In the order of definition: conv1, norm1, [relu], conv2, norm2, shortcut convolution, shortcut norm.
inline std::vector<Layer> residual(const Layer& l) {
  std::vector<Layer> parts{{Layer::Kind::Conv, l.in, l.out, 3, l.stride},
                           {Layer::Kind::Norm, l.out, l.out},
                           {Layer::Kind::Conv, l.out, l.out, 3, 1},
                           {Layer::Kind::Norm, l.out, l.out}};
  if (l.in != l.out || l.stride != 1) {
    parts.push_back({Layer::Kind::Conv, l.in, l.out, 1, l.stride});
    parts.push_back({Layer::Kind::Norm, l.out, l.out});
  }
  return parts;
}

struct Workload {
  std::string name;         ///< "W1"
  std::string text;         ///< for people
  std::vector<long> input;  ///< of one sample: {channels, spatial...}, or {features}
  long batch = 1;           ///< the full batch
  std::vector<Layer> layers;
  int spatial() const { return static_cast<int>(input.size()) - 1; }
};

constexpr long classes = 10;

/// By name; a Workload without layers if there is none of it.
inline Workload workload(std::string_view name) {
  using K = Layer::Kind;
  Workload w{std::string(name), {}, {}, 1, {}};
  auto& layers = w.layers;
  const auto convNormRelu = [&](long in, long out, long kernel) {
    layers.insert(layers.end(), {{K::Conv, in, out, kernel}, {K::Norm, out, out}, {K::ReLU}});
  };
  const auto head = [&](long width) {
    layers.insert(layers.end(), {{K::GlobalAvgPool}, {K::Linear, width, classes, 1, 1, true}});
  };
  if (name == "W1") {
    w.text = "lenet: 5x5 convolutions 32, 64, fully connected 3136-512-10";
    w.input = {1, 28, 28}, w.batch = 64;
    layers = {{K::Conv, 1, 32, 5, 1, true},
              {K::ReLU},
              {K::MaxPool},
              {K::Conv, 32, 64, 5, 1, true},
              {K::ReLU},
              {K::MaxPool},
              {K::Flatten},
              {K::Linear, 3136, 512, 1, 1, true},
              {K::ReLU},
              {K::Linear, 512, classes, 1, 1, true}};
  } else if (name == "W2") {
    w.text = "batch-norm CNN: 3 x (2 x [conv 3x3, norm, ReLU], max pool), 32/64/128";
    w.input = {1, 28, 28}, w.batch = 128;
    for (const auto& [in, out] : {std::pair{1L, 32L}, {32L, 64L}, {64L, 128L}}) {
      convNormRelu(in, out, 3);
      convNormRelu(out, out, 3);
      layers.push_back({K::MaxPool});
    }
    head(128);
  } else if (name == "W3") {
    w.text = "resnet-20: 16/32/64, three residual blocks each";
    w.input = {3, 32, 32}, w.batch = 128;
    convNormRelu(3, 16, 3);
    long in = 16;
    for (const long out : {16L, 32L, 64L})
      for (int block = 0; block < 3; ++block) {
        layers.push_back({K::Residual, in, out, 3, in == out ? 1 : 2});
        in = out;
      }
    head(64);
  } else if (name == "W4") {
    w.text = "1-d: 3 x [conv 5, norm, ReLU, max pool], 32/64/128";
    w.input = {16, 256}, w.batch = 64;
    for (const auto& [in, out] : {std::pair{16L, 32L}, {32L, 64L}, {64L, 128L}}) {
      convNormRelu(in, out, 5);
      layers.push_back({K::MaxPool});
    }
    head(128);
  } else if (name == "W5") {
    w.text = "3-d: 2 x [conv 3x3x3, norm, ReLU, max pool], 16/32";
    w.input = {4, 16, 32, 32}, w.batch = 8;
    for (const auto& [in, out] : {std::pair{4L, 16L}, {16L, 32L}}) {
      convNormRelu(in, out, 3);
      layers.push_back({K::MaxPool});
    }
    head(32);
  } else if (name == "W6") {
    w.text = "MLP 784-256-256-10";
    w.input = {784}, w.batch = 32;
    layers = {{K::Linear, 784, 256, 1, 1, true},
              {K::ReLU},
              {K::Linear, 256, 256, 1, 1, true},
              {K::ReLU},
              {K::Linear, 256, classes, 1, 1, true}};
  }
  return w;
}

/// For curves of the time against depth and width: `depth` times [convolution 3x3, norm, ReLU] of `width` channels on
/// 28x28. Only ember runs it.
inline Workload curve(long depth, long width) {
  using K = Layer::Kind;
  Workload w{"curve", "convolutions 3x3, norm, ReLU", {width, 28, 28}, 32, {}};
  for (long i = 0; i < depth; ++i)
    w.layers.insert(w.layers.end(), {{K::Conv, width, width, 3}, {K::Norm, width, width}, {K::ReLU}});
  w.layers.insert(w.layers.end(), {{K::GlobalAvgPool}, {K::Linear, width, classes, 1, 1, true}});
  return w;
}

inline const std::vector<std::string>& workloadNames() {
  static const std::vector<std::string> names{"W1", "W2", "W3", "W4", "W5", "W6"};
  return names;
}

/// A trained array, in PyTorch's layout: convolution [out, in, kernel...], linear [out, in], the rest [out].
struct Parameter {
  enum class Kind { Weight, Bias, Gamma, Beta };
  Kind kind = Kind::Weight;
  std::vector<long> shape;
  long fanIn = 1;
  std::size_t count() const {
    std::size_t n = 1;
    for (const long s : shape) n *= static_cast<std::size_t>(s);
    return n;
  }
};

/// All parameters in the order of definition: of each layer weight, then bias; of a norm gamma, then beta.
inline std::vector<Parameter> parameters(const Workload& w) {
  std::vector<Parameter> all;
  const auto add = [&](const Layer& l) {
    if (l.kind == Layer::Kind::Conv || l.kind == Layer::Kind::Linear) {
      std::vector<long> shape{l.out, l.in};
      long fanIn = l.in;
      if (l.kind == Layer::Kind::Conv)
        for (int d = 0; d < w.spatial(); ++d) shape.push_back(l.kernel), fanIn *= l.kernel;
      all.push_back({Parameter::Kind::Weight, shape, fanIn});
      if (l.bias) all.push_back({Parameter::Kind::Bias, {l.out}, fanIn});
    } else if (l.kind == Layer::Kind::Norm) {
      all.push_back({Parameter::Kind::Gamma, {l.out}, 1});
      all.push_back({Parameter::Kind::Beta, {l.out}, 1});
    }
  };
  for (const Layer& l : w.layers) {
    if (l.kind == Layer::Kind::Residual)
      for (const Layer& part : residual(l)) add(part);
    else
      add(l);
  }
  return all;
}

/// Channels of each batch norm in the order of definition.
inline std::vector<long> norms(const Workload& w) {
  std::vector<long> all;
  for (const Parameter& p : parameters(w))
    if (p.kind == Parameter::Kind::Gamma) all.push_back(p.shape[0]);
  return all;
}

// ---- numbers: pure functions of (stream, index), the same on every machine

/// Uniform in [0, 1), 53 bits (two rounds of the finaliser of splitmix64).
inline double unit(std::uint64_t stream, std::uint64_t index) {
  const auto mix = [](std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  };
  const std::uint64_t z = mix(index * 0x9e3779b97f4a7c15ULL + mix(stream + 0x632be59bd9b4e019ULL));
  return static_cast<double>(z >> 11) * 0x1p-53;
}

/// Uniform in [low, high), computed in f64 and rounded once to T.
template <class T>
std::vector<T> uniform(std::uint64_t stream, std::size_t count, double low, double high) {
  std::vector<T> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<T>(low + (high - low) * unit(stream, i));
  return values;
}

/// First value of the parameter at that place of parameters(): weights and biases uniform in ±1/sqrt(fanIn), gamma 1,
/// beta 0. Row-major in the shape that stands there.
template <class T>
std::vector<T> initialValues(const Parameter& p, std::size_t place) {
  if (p.kind == Parameter::Kind::Gamma) return std::vector<T>(p.count(), T(1));
  if (p.kind == Parameter::Kind::Beta) return std::vector<T>(p.count(), T(0));
  const double bound = 1 / std::sqrt(static_cast<double>(p.fanIn));
  return uniform<T>(place, p.count(), -bound, bound);
}

/// Running statistics that inference starts from, of the norm at that place of norms(): such as training leaves.
/// (Training starts from mean 0 and variance 1 as usual.)
template <class T>
std::vector<T> runningMean(std::size_t place, long channels) {
  return uniform<T>(2000 + place, static_cast<std::size_t>(channels), -0.2, 0.2);
}
template <class T>
std::vector<T> runningVar(std::size_t place, long channels) {
  return uniform<T>(3000 + place, static_cast<std::size_t>(channels), 0.1, 0.4);
}

/// The batch, row-major [batch, input...], of mean 0 and variance 1; W1's in [0, 1), like pixels: where two values meet
/// in one window of a pool to the last bit, the gradient takes one way or the other, and its larger steps at variance 1
/// would make a difference of 1e-4 of that within 20 of them. A smaller batch is the beginning of a larger one.
template <class T>
std::vector<T> inputValues(const Workload& w, long batch) {
  auto count = static_cast<std::size_t>(batch);
  for (const long s : w.input) count *= static_cast<std::size_t>(s);
  const double root = std::sqrt(3.0);
  return w.name == "W1" ? uniform<T>(1000, count, 0, 1) : uniform<T>(1000, count, -root, root);
}

inline std::vector<std::int64_t> labelValues(long batch) {
  std::vector<std::int64_t> labels(static_cast<std::size_t>(batch));
  for (std::size_t i = 0; i < labels.size(); ++i)
    labels[i] = static_cast<std::int64_t>(unit(1001, i) * static_cast<double>(classes));
  return labels;
}

}  // namespace bench
