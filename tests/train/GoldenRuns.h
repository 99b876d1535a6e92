#pragma once
#include <memory>
#include <string>
#include <vector>

#include <ember/core/io/Checkpoint.h>
#include <ember/ember.h>

/// What the golden checkpoints hold (tests/golden/checkpoints): it must stay as it is, or the files could not be made
/// or checked again.
namespace ember::test {

/// A net with a parameter or buffer of every kind a small one has, its values made by a formula.
inline std::unique_ptr<nn::Sequential> goldenNet() {
  auto net = std::make_unique<nn::Sequential>(nn::Conv2D(1, 2, {.kernel = 3, .padding = 1}), nn::BatchNorm2D(2),
                                              nn::ReLU(), nn::Dropout(0.25), nn::Flatten(), nn::Linear(32, 3));
  const NoGrad guard;
  int n = 0;
  for (auto& parameter : net->namedParameters()) {
    std::vector<float> values;
    for (i64 i = 0; i < parameter.tensor.numel(); ++i)
      values.push_back(static_cast<float>((n++ * 37) % 101 - 50) / 128);
    parameter.tensor.copy_(Tensor(core::NDArray::from<float>(values, parameter.tensor.shape())));
  }
  return net;
}

/// Twenty pictures of 4 x 4 in three classes.
inline data::TensorDataset goldenPictures() {
  std::vector<float> pixels;
  std::vector<i64> labels;
  for (int i = 0; i < 20; ++i) {
    labels.push_back(i % 3);
    for (int p = 0; p < 16; ++p) pixels.push_back(static_cast<float>((i * 31 + p * 17) % 29) / 32);
  }
  return data::TensorDataset(Tensor(core::NDArray::from<float>(pixels, {20, 1, 4, 4})), Tensor::of<i64>(labels));
}

/// A net with a parameter under two names, and a frozen one: a file of it has "aliases" and "frozen".
struct GoldenTied : nn::Module {
  GoldenTied() {
    back = addParameter("back", in.weight);
    in.bias.setRequiresGrad(false);
  }
  nn::Linear& in = add("in", nn::Linear(2, 3));
  Tensor back;
  Tensor forward(const Tensor& x) override { return matmul(in(x), back); }
};

/// Has seen an input, so that a save adds a self-test.
inline std::unique_ptr<GoldenTied> goldenTied() {
  nn::registerModule("GoldenTied", [](const nn::Args&) { return GoldenTied(); });
  auto net = std::make_unique<GoldenTied>();
  {
    const NoGrad guard;
    net->in.weight.copy_(Tensor::of({0.5, -0.25, 1, 0.125, -0.75, 2}).reshape({3, 2}));
    net->in.bias.copy_(Tensor::of({0.1, 0.2, -0.3}));
  }
  (*net)(Tensor::ones({4, 2}));
  return net;
}

/// A run with "sgd" or "adam" of two epochs of five steps. Complete: with all else that a run may carry; the file of a
/// run has a self-test, for it has run its net.
struct GoldenRun {
  explicit GoldenRun(const std::string& kind, bool complete = false) : net(goldenNet()), data(goldenPictures()) {
    optim::TrainerOptions options{.epochs = 2, .batchSize = 4, .seed = 5, .prefetch = false};
    if (kind == "sgd") {
      optimizer = std::make_unique<optim::SGD>(net->namedParameters(),
                                               optim::SGDOptions{.lr = 0.05, .momentum = 0.9, .weightDecay = 1e-3});
      options.emaDecay = 0.9;
    } else {
      optimizer = std::make_unique<optim::Adam>(net->namedParameters(), optim::AdamOptions{.lr = 0.01});
      options.schedule = optim::schedule::cosine(10);
    }
    if (complete) {
      net->freeze("0.bias");
      options.best = optim::BestOptions{};
      options.plateau = optim::PlateauOptions{.factor = 0.5, .patience = 0, .threshold = 0.9};
      options.transforms = {data::RandomCrop(1), data::RandomFlip()};
      options.clipNorm = 1;
    }
    trainer = std::make_unique<optim::Trainer>(*net, *optimizer, data, options);
  }

  /// Runs to the end: {"losses": of each step, "tensors": {NAME: elements}} of net, slots and averages.
  Value goOn() {
    Value losses = Value::array(), tensors = Value::object();
    trainer->afterStep([&](const optim::StepInfo& info) { losses.push(info.loss); });
    trainer->run();
    nn::Parameters all = net->namedParameters();
    for (const nn::Parameters& more : {net->namedBuffers(), optimizer->namedSlots()})
      all.insert(all.end(), more.begin(), more.end());
    if (trainer->ema()) {
      for (const nn::Parameter& p : trainer->ema()->averages()) all.push_back({"ema/" + p.name, p.tensor, {}});
    }
    for (const nn::Parameter& p : all) tensors.append(p.name, p.tensor.toVector<double>());
    return {{"losses", losses}, {"tensors", tensors}};
  }

  std::unique_ptr<nn::Sequential> net;
  data::TensorDataset data;
  std::unique_ptr<optim::Optimizer> optimizer;
  std::unique_ptr<optim::Trainer> trainer;
};

/// Every element type, with what is special in it, no element, one, and axes of 1.
inline io::Checkpoint goldenTypes() {
  io::Checkpoint file;
  const auto add = [&](const char* name, const core::NDArray& array) {
    file.tensors.push_back({name, "buffer", array});
  };
  add("f32", core::NDArray::from<float>({0.1f, -0.0f, 1e-45f, 3.4028235e38f, -1.5f, 16777216.0f}, {2, 3}));
  add("f64", core::NDArray::from<double>({0.1, -0.0, 5e-324, 1.7976931348623157e308}, {4, 1}));
  add("bf16", core::NDArray::from<float>({0.5f, -3.0f, 1e-3f, 3e38f}, {4}).to(DType::BF16));
  add("i64", core::NDArray::from<i64>({-9007199254740991, 9007199254740991, 0}, {3}));
  add("i32", core::NDArray::from<i32>({-2147483647 - 1, 2147483647}, {1, 2, 1}));
  add("i8", core::NDArray::from<i8>({-128, 127}, {2}));
  add("u8", core::NDArray::from<u8>({0, 255}, {2}));
  add("bool", core::NDArray::from<bool>({true, false, true}, {3}));
  add("scalar", core::NDArray::from<float>({2.5f}, {}));
  add("empty", core::NDArray::from<float>({}, {0, 3}));
  // Base64 even where decimals are asked for.
  constexpr float infinity = std::numeric_limits<float>::infinity();
  add("special", core::NDArray::from<float>({std::numeric_limits<float>::quiet_NaN(), infinity, -infinity}, {3}));
  add("large", core::NDArray::from<i64>({std::numeric_limits<i64>::min(), std::numeric_limits<i64>::max()}, {2}));
  file.train = {{"seed", std::numeric_limits<u64>::max()},
                {"best", std::numeric_limits<double>::quiet_NaN()},
                {"limit", std::numeric_limits<double>::infinity()}};
  return file;
}

}  // namespace ember::test
