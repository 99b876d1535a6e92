#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "../workloads/Workload.h"
#include "Program.h"

namespace bench::raw {

/// A value that flows through the net, and the gradients that its consumers have left for it.
struct Value {
  View view;
  bool wantsGradient = true;
  std::vector<View> gradients{};
};
using ValuePtr = std::shared_ptr<Value>;

/// Builds the program of a net, layer by layer. In training each layer leaves on a tape how its backward is appended;
/// for inference batch norms are folded into the convolutions before them.
class Net {
 public:
  struct Settings {
    bool training = true;
    bool channelsLast = false;  ///< else oneDNN's own blocked layouts
    float lr = 0;
  };
  Net(const Workload&, long batch, Settings);

  void run() { program_.run(); }
  double loss() const { return loss_; }
  std::vector<float> logits() const { return fetch(logits_); }
  /// Initial weights, no velocity, running statistics of 0 and 1.
  void restart();
  int reorders() const { return program_.reorders(); }

 private:
  struct Filters {
    long place;      ///< in parameters(): weight, then bias or the norm's gamma and beta
    long normPlace;  ///< in norms(), of the norm that follows; or -1
    Layer layer;
    bool relu;  ///< whether one follows
  };
  struct Stored {
    View view, gradient;
    std::vector<float> first;
  };
  using StoredPtr = std::shared_ptr<const Stored>;

  ValuePtr input(long batch);
  ValuePtr convolution(const ValuePtr& x, const Filters&, const ValuePtr& addend = {});
  ValuePtr batchNorm(const ValuePtr& x, long place, bool relu);
  ValuePtr addRelu(const ValuePtr& y, const ValuePtr& addend);
  ValuePtr residual(const ValuePtr& x, const Layer&);
  ValuePtr pool(const ValuePtr& x, bool max);
  ValuePtr linear(const ValuePtr& x, const Layer&, bool relu);
  void crossEntropy(const ValuePtr& logits, long batch);

  /// A parameter in the layout that its forward wants.
  StoredPtr parameter(long place, const Desc& layout);
  StoredPtr parameter(const Desc& layout, std::vector<float> first);
  std::vector<float> initial(long place) const;
  /// The one gradient of y, behind the activation if there was one; sums those of several consumers.
  View gradientOf(const ValuePtr& y, bool relu = false);
  void backward(std::function<void()> step) {
    if (settings_.training) tape_.push_back(std::move(step));
  }
  /// Weights and biases folded with the norm behind them.
  std::pair<std::vector<float>, std::vector<float>> folded(const Filters&) const;

  Workload workload_;
  Settings settings_;
  std::vector<Parameter> parameters_;
  Program program_;
  std::vector<std::function<void()>> tape_;
  std::vector<StoredPtr> stored_;
  std::vector<std::pair<View, View>> running_;  ///< mean and variance
  View input_, logits_;
  std::vector<std::int64_t> labels_;
  long place_ = 0, normPlace_ = 0;  ///< of the next layer
  double loss_ = 0;
};

}  // namespace bench::raw
