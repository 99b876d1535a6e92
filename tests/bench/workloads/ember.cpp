// The six workloads in ember, written as a user would; a program under tests/bench/compare (Child.h).
#include <memory>
#include <utility>

#include <ember/core/kernels/Conv.h>
#include <ember/ember.h>

#include "Child.h"

using namespace ember;

namespace {

/// Two 3x3 convolutions with a shortcut around them: [N, in, H, W] -> [N, out, H/stride, W/stride].
struct Residual : nn::Module {
  using Module::forward;
  Residual(i64 inChannels, i64 outChannels) : in(inChannels), out(outChannels), stride(in == out ? 1 : 2) {}
  i64 in, out, stride;
  nn::Conv2D& conv1 = add("conv1", nn::Conv2D(in, out, {.kernel = 3, .stride = stride, .padding = 1, .bias = false}));
  nn::BatchNorm2D& norm1 = add("norm1", nn::BatchNorm2D(out, {.momentum = 0.9, .act = nn::Act::ReLU}));
  nn::Conv2D& conv2 = add("conv2", nn::Conv2D(out, out, {.kernel = 3, .padding = 1, .bias = false}));
  nn::BatchNorm2D& norm2 = add("norm2", nn::BatchNorm2D(out, {.momentum = 0.9, .act = nn::Act::ReLU}));
  nn::Sequential& shortcut = add("shortcut", makeShortcut());
  Tensor forward(const Tensor& x) override { return norm2(conv2(norm1(conv1(x))), shortcut(x)); }

 private:
  nn::Sequential makeShortcut() const {
    if (stride == 1) return nn::Sequential();  // the input itself
    return nn::Sequential(nn::Conv2D(in, out, {.kernel = 1, .stride = stride, .bias = false}),
                          nn::BatchNorm2D(out, {.momentum = 0.9}));
  }
};

/// The same for inference, its norms folded.
struct FoldedResidual : nn::Module {
  using Module::forward;
  explicit FoldedResidual(const Residual& block)
      : body(add("body", foldedBody(block))), shortcut(add("shortcut", nn::folded(block.shortcut))) {}
  nn::Sequential &body, &shortcut;
  Tensor forward(const Tensor& x) override { return relu(body(x) + shortcut(x)); }

 private:
  static nn::Sequential foldedBody(const Residual& block) {
    nn::BatchNorm2D norm2(block.out);  // without the activation, which comes behind the addition
    const nn::Parameters from = block.norm2.namedParameters(), statistics = block.norm2.namedBuffers();
    nn::Parameters to = norm2.namedParameters(), toStatistics = norm2.namedBuffers();
    for (std::size_t i = 0; i < from.size(); ++i) to[i].tensor.copy_(from[i].tensor);
    for (std::size_t i = 0; i < statistics.size(); ++i) toStatistics[i].tensor.copy_(statistics[i].tensor);
    nn::Sequential body;
    for (const char* name : {"conv1", "norm1", "conv2"}) body.addChild(name, block.child(name).clone());
    body.append(std::move(norm2));
    body.eval();
    return nn::folded(body);
  }
};

nn::Sequential lenet() {
  return nn::Sequential(nn::Conv2D(1, 32, {.kernel = 5, .padding = 2}), nn::ReLU(), nn::MaxPool2D({.kernel = 2}),
                        nn::Conv2D(32, 64, {.kernel = 5, .padding = 2}), nn::ReLU(), nn::MaxPool2D({.kernel = 2}),
                        nn::Flatten(), nn::Linear(3136, 512), nn::ReLU(), nn::Linear(512, 10));
}

nn::Sequential convNorm(i64 in, i64 out) {
  return nn::Sequential(nn::Conv2D(in, out, {.kernel = 3, .padding = 1, .bias = false}),
                        nn::BatchNorm2D(out, {.momentum = 0.9, .act = nn::Act::ReLU}));
}

nn::Sequential normNet() {
  nn::Sequential net;
  for (const auto& [in, out] : {std::pair{1, 32}, {32, 64}, {64, 128}}) {
    net.append(convNorm(in, out));
    net.append(convNorm(out, out));
    net.append(nn::MaxPool2D({.kernel = 2}));
  }
  net.append(nn::GlobalAvgPool());
  net.append(nn::Linear(128, 10));
  return net;
}

nn::Sequential resnet20() {
  return nn::Sequential(convNorm(3, 16), Residual(16, 16), Residual(16, 16), Residual(16, 16),  // 32x32
                        Residual(16, 32), Residual(32, 32), Residual(32, 32),                   // 16x16
                        Residual(32, 64), Residual(64, 64), Residual(64, 64),                   // 8x8
                        nn::GlobalAvgPool(), nn::Linear(64, 10));
}

nn::Sequential signalNet() {
  nn::Sequential net;
  for (const auto& [in, out] : {std::pair{16, 32}, {32, 64}, {64, 128}}) {
    net.append(nn::Sequential(nn::Conv1D(in, out, {.kernel = 5, .padding = 2, .bias = false}),
                              nn::BatchNorm1D(out, {.momentum = 0.9, .act = nn::Act::ReLU})));
    net.append(nn::MaxPool1D({.kernel = 2}));
  }
  net.append(nn::GlobalAvgPool());
  net.append(nn::Linear(128, 10));
  return net;
}

nn::Sequential volumeNet() {
  nn::Sequential net;
  for (const auto& [in, out] : {std::pair{4, 16}, {16, 32}}) {
    net.append(nn::Sequential(nn::Conv3D(in, out, {.kernel = 3, .padding = 1, .bias = false}),
                              nn::BatchNorm3D(out, {.momentum = 0.9, .act = nn::Act::ReLU})));
    net.append(nn::MaxPool3D({.kernel = 2}));
  }
  net.append(nn::GlobalAvgPool());
  net.append(nn::Linear(32, 10));
  return net;
}

nn::Sequential mlp() {
  return nn::Sequential(nn::Linear(784, 256), nn::ReLU(), nn::Linear(256, 256), nn::ReLU(), nn::Linear(256, 10));
}

/// For curves: `depth` convolutions of `width` channels on 28x28.
nn::Sequential curveNet(i64 depth, i64 width) {
  nn::Sequential net(convNorm(width, width));
  for (i64 i = 1; i < depth; ++i) net.append(convNorm(width, width));
  net.append(nn::GlobalAvgPool());
  net.append(nn::Linear(width, 10));
  return net;
}

nn::Sequential netOf(const bench::Options& o) {
  const std::string& name = o.workload.name;
  if (name == "W1") return lenet();
  if (name == "W2") return normNet();
  if (name == "W3") return resnet20();
  if (name == "W4") return signalNet();
  if (name == "W5") return volumeNet();
  if (name == "W6") return mlp();
  return curveNet(o.depth, o.width);
}

/// The net in eval mode with every norm folded, those of residual blocks too.
nn::Sequential foldedNet(const nn::Sequential& net) {
  nn::Sequential result;
  for (std::size_t i = 0; i < net.childCount(); ++i) {
    const nn::Module& part = net.child(i);
    if (const auto* block = dynamic_cast<const Residual*>(&part))
      result.append(FoldedResidual(*block));
    else if (const auto* list = dynamic_cast<const nn::Sequential*>(&part))
      result.append(nn::folded(*list));
    else
      result.addChild(part.name(), part.clone());
  }
  result.eval();
  return result;
}

class EmberSession : public bench::Session {
 public:
  explicit EmberSession(const bench::Options& o) : options_(o), net_(netOf(o)) {
    setThreads(o.threads);
    if (o.direct) setConvAlgorithm(ConvAlgorithm::Direct);
    net_.to(dtype());
    Shape shape{o.batch};
    for (const long s : o.workload.input) shape.push(s);
    images_ = o.f64 ? Tensor::of(bench::inputValues<double>(o.workload, o.batch), shape)
                    : Tensor::of(bench::inputValues<float>(o.workload, o.batch), shape);
    labels_ = Tensor::of(bench::labelValues(o.batch));
    restart();
    if (o.infer) prepareInference();
  }

  void step() override {
    if (options_.infer) {
      const NoGrad guard;
      result_ = net_(images_);
      return;
    }
    result_ = nn::crossEntropy(net_(images_), labels_);
    sgd_->zeroGrad();
    result_.backward();
    sgd_->step();
  }

  double loss() override { return result_.item(); }
  std::vector<double> logits() override { return result_.toVector<double>(); }

  void restart() override {
    const NoGrad guard;
    const std::vector<bench::Parameter> known = bench::parameters(options_.workload);
    nn::Parameters mine = net_.namedParameters();
    if (mine.size() != known.size()) throw StateError("bench", "the net has other parameters than the workload");
    for (std::size_t i = 0; i < known.size(); ++i)
      mine[i].tensor.copy_(tensorOf(bench::initialValues<double>(known[i], i), mine[i].tensor.shape()));
    for (const auto& [name, module] : net_.namedModules())
      if (auto* norm = dynamic_cast<nn::BatchNormND*>(module)) norm->resetRunningStats();
    sgd_ = std::make_unique<optim::SGD>(net_.namedParameters(), optim::SGDOptions{.lr = options_.lr, .momentum = 0.9});
  }

 private:
  bench::Options options_;
  nn::Sequential net_;
  std::unique_ptr<optim::SGD> sgd_;
  Tensor images_, labels_, result_;

  DType dtype() const { return options_.f64 ? DType::F64 : DType::F32; }
  Tensor tensorOf(const std::vector<double>& values, const Shape& shape) const {
    return Tensor::of(values, shape).to(dtype());
  }

  void prepareInference() {
    const NoGrad guard;
    std::size_t place = 0;
    for (const auto& [name, module] : net_.namedModules()) {
      auto* norm = dynamic_cast<nn::BatchNormND*>(module);
      if (!norm) continue;
      const Shape channels{norm->maps()};
      norm->runningMean.copy_(tensorOf(bench::runningMean<double>(place, norm->maps()), channels));
      norm->runningVar.copy_(tensorOf(bench::runningVar<double>(place, norm->maps()), channels));
      ++place;
    }
    net_.eval();
    net_ = foldedNet(net_);
    sgd_.reset();
  }
};

}  // namespace

int main(int argc, char** argv) {
  return bench::serve(argc, argv, [](const bench::Options& o) { return std::make_unique<EmberSession>(o); });
}
