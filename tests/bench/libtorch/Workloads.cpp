// The six workloads in libtorch's C++ API; a program under tests/bench/compare (../workloads/Child.h).
#include <memory>
#include <utility>

#include <torch/torch.h>

#include "../workloads/Child.h"

namespace {

using torch::Tensor;
namespace nn = torch::nn;

nn::ReLU reluInPlace() { return nn::ReLU(nn::ReLUOptions(true)); }

nn::Conv2d conv2d(long in, long out, long kernel, long stride = 1) {
  return nn::Conv2d(nn::Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).bias(false));
}

/// Two 3x3 convolutions with a shortcut around them.
struct ResidualImpl : nn::Module {
  ResidualImpl(long in, long out)
      : conv1(register_module("conv1", conv2d(in, out, 3, in == out ? 1 : 2))),
        norm1(register_module("norm1", nn::BatchNorm2d(out))),
        conv2(register_module("conv2", conv2d(out, out, 3))),
        norm2(register_module("norm2", nn::BatchNorm2d(out))) {
    if (in != out) shortcut = register_module("shortcut", nn::Sequential(conv2d(in, out, 1, 2), nn::BatchNorm2d(out)));
  }
  Tensor forward(const Tensor& x) {
    Tensor y = norm2(conv2(norm1(conv1(x)).relu_()));
    y += shortcut ? shortcut->forward(x) : x;
    return y.relu_();
  }
  nn::Conv2d conv1;
  nn::BatchNorm2d norm1;
  nn::Conv2d conv2;
  nn::BatchNorm2d norm2;
  nn::Sequential shortcut{nullptr};
};
TORCH_MODULE(Residual);

nn::Sequential lenet() {
  const auto conv = [](long in, long out) { return nn::Conv2d(nn::Conv2dOptions(in, out, 5).padding(2)); };
  return nn::Sequential(conv(1, 32), reluInPlace(), nn::MaxPool2d(2), conv(32, 64), reluInPlace(), nn::MaxPool2d(2),
                        nn::Flatten(), nn::Linear(3136, 512), reluInPlace(), nn::Linear(512, 10));
}

void convNorm2d(nn::Sequential& net, long in, long out) {
  net->push_back(conv2d(in, out, 3));
  net->push_back(nn::BatchNorm2d(out));
  net->push_back(reluInPlace());
}

void head(nn::Sequential& net, nn::AnyModule pool, long width) {
  net->push_back(std::move(pool));
  net->push_back(nn::Flatten());
  net->push_back(nn::Linear(width, 10));
}

nn::Sequential normNet() {
  nn::Sequential net;
  for (const auto& [in, out] : {std::pair{1, 32}, {32, 64}, {64, 128}}) {
    convNorm2d(net, in, out);
    convNorm2d(net, out, out);
    net->push_back(nn::MaxPool2d(2));
  }
  head(net, nn::AnyModule(nn::AdaptiveAvgPool2d(1)), 128);
  return net;
}

nn::Sequential resnet20() {
  nn::Sequential net;
  convNorm2d(net, 3, 16);
  for (const auto& [in, out] : {std::pair{16, 16}, {16, 32}, {32, 64}}) {
    net->push_back(Residual(in, out));
    net->push_back(Residual(out, out));
    net->push_back(Residual(out, out));
  }
  head(net, nn::AnyModule(nn::AdaptiveAvgPool2d(1)), 64);
  return net;
}

nn::Sequential signalNet() {
  nn::Sequential net;
  for (const auto& [in, out] : {std::pair{16, 32}, {32, 64}, {64, 128}}) {
    net->push_back(nn::Conv1d(nn::Conv1dOptions(in, out, 5).padding(2).bias(false)));
    net->push_back(nn::BatchNorm1d(out));
    net->push_back(reluInPlace());
    net->push_back(nn::MaxPool1d(2));
  }
  head(net, nn::AnyModule(nn::AdaptiveAvgPool1d(1)), 128);
  return net;
}

nn::Sequential volumeNet() {
  nn::Sequential net;
  for (const auto& [in, out] : {std::pair{4, 16}, {16, 32}}) {
    net->push_back(nn::Conv3d(nn::Conv3dOptions(in, out, 3).padding(1).bias(false)));
    net->push_back(nn::BatchNorm3d(out));
    net->push_back(reluInPlace());
    net->push_back(nn::MaxPool3d(2));
  }
  head(net, nn::AnyModule(nn::AdaptiveAvgPool3d(1)), 32);
  return net;
}

nn::Sequential mlp() {
  return nn::Sequential(nn::Linear(784, 256), reluInPlace(), nn::Linear(256, 256), reluInPlace(), nn::Linear(256, 10));
}

nn::Sequential netOf(const std::string& name) {
  if (name == "W1") return lenet();
  if (name == "W2") return normNet();
  if (name == "W3") return resnet20();
  if (name == "W4") return signalNet();
  if (name == "W5") return volumeNet();
  if (name == "W6") return mlp();
  throw std::invalid_argument(name + " is ember's alone");
}

class TorchSession : public bench::Session {
 public:
  explicit TorchSession(const bench::Options& o) : options_(o), net_(netOf(o.workload.name)) {
    at::set_num_threads(o.threads);
    if (o.layout != "" && o.layout != "contiguous" && o.layout != "channels_last")
      throw std::invalid_argument("--layout is contiguous or channels_last");
    net_->to(dtype());
    for (Tensor& p : net_->parameters()) p.set_data(inLayout(p));
    std::vector<int64_t> shape{o.batch};
    shape.insert(shape.end(), o.workload.input.begin(), o.workload.input.end());
    images_ = tensorOf(bench::inputValues<double>(o.workload, o.batch)).view(shape);
    labels_ = torch::tensor(bench::labelValues(o.batch));
    restart();
    if (o.infer) {
      prepareInference();
      net_->eval();
    }
  }

  void step() override {
    if (options_.infer) {
      const torch::InferenceMode guard;
      result_ = net_->forward(inLayout(images_));
      return;
    }
    result_ = torch::cross_entropy_loss(net_->forward(inLayout(images_)), labels_);
    sgd_->zero_grad();
    result_.backward();
    sgd_->step();
  }

  double loss() override { return result_.item<double>(); }

  std::vector<double> logits() override {
    const Tensor values = result_.to(torch::kFloat64).contiguous();
    return {values.data_ptr<double>(), values.data_ptr<double>() + values.numel()};
  }

  void restart() override {
    const torch::NoGradGuard guard;
    const std::vector<bench::Parameter> known = bench::parameters(options_.workload);
    std::vector<Tensor> mine = net_->parameters();
    if (mine.size() != known.size()) throw std::runtime_error("the net has other parameters than the workload");
    for (std::size_t i = 0; i < known.size(); ++i)
      mine[i].copy_(tensorOf(bench::initialValues<double>(known[i], i)).view(mine[i].sizes()));
    for (auto& b : net_->named_buffers()) b.value().fill_(b.key().find("running_var") != std::string::npos ? 1 : 0);
    sgd_ = std::make_unique<torch::optim::SGD>(net_->parameters(), torch::optim::SGDOptions(options_.lr).momentum(0.9));
  }

 private:
  bench::Options options_;
  nn::Sequential net_;
  std::unique_ptr<torch::optim::SGD> sgd_;
  Tensor images_, labels_, result_;

  at::ScalarType dtype() const { return options_.f64 ? torch::kFloat64 : torch::kFloat32; }

  Tensor inLayout(const Tensor& x) const {
    if (options_.layout != "channels_last" || x.dim() < 4) return x;
    return x.contiguous(x.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::ChannelsLast3d);
  }

  Tensor tensorOf(const std::vector<double>& values) const {
    return torch::tensor(values, torch::kFloat64).to(dtype());
  }

  void prepareInference() {
    std::size_t means = 0, vars = 0;
    for (auto& b : net_->named_buffers()) {
      const auto ends = [&](const char* with) { return b.key().find(with) != std::string::npos; };
      if (ends("running_mean")) b.value().copy_(tensorOf(bench::runningMean<double>(means++, b.value().numel())));
      if (ends("running_var")) b.value().copy_(tensorOf(bench::runningVar<double>(vars++, b.value().numel())));
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  return bench::serve(argc, argv, [](const bench::Options& o) { return std::make_unique<TorchSession>(o); });
}
