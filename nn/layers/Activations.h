#pragma once
#include <ember/nn/Module.h>

/// Activations as modules; each applies the function of the same name from autograd/ops elementwise and keeps the
/// shape.
namespace ember::nn {

/// An activation without options.
#define EMBER_ACTIVATION(Type)                                \
  class Type : public Module {                                \
   public:                                                    \
    using Module::forward;                                    \
    Tensor forward(const Tensor& x) override;                 \
    static Type fromArgs(const Args&) { return Type(); }      \
  };
EMBER_ACTIVATION(ReLU)     ///< max(x, 0)
EMBER_ACTIVATION(Sigmoid)  ///< 1 / (1 + exp(-x))
EMBER_ACTIVATION(Tanh)
EMBER_ACTIVATION(SiLU)     ///< x·sigmoid(x)
#undef EMBER_ACTIVATION

/// x > 0 ? x : slope·x.
class LeakyReLU : public Module {
 public:
  using Module::forward;
  explicit LeakyReLU(double slope = 0.01) : slope_(slope) {}
  Tensor forward(const Tensor& x) override;
  Args args() const override { return {{"slope", slope_}}; }
  static LeakyReLU fromArgs(const Args& a) { return LeakyReLU(a.get<double>("slope")); }
  std::string details() const override { return Value(slope_).dump(); }
  double slope() const noexcept { return slope_; }

 private:
  double slope_;
};

/// x·Phi(x), Phi the normal distribution function; with tanhForm its approximation by tanh (Hendrycks & Gimpel 2016).
class GELU : public Module {
 public:
  using Module::forward;
  explicit GELU(bool tanhForm = false) : tanhForm_(tanhForm) {}
  Tensor forward(const Tensor& x) override;
  Args args() const override { return {{"tanhForm", tanhForm_}}; }
  static GELU fromArgs(const Args& a) { return GELU(a.get<bool>("tanhForm")); }
  std::string details() const override { return tanhForm_ ? "tanh form" : ""; }

 private:
  bool tanhForm_;
};

/// exp(x) / sum(exp(x)) along `axis`.
class Softmax : public Module {
 public:
  using Module::forward;
  explicit Softmax(int axis = 1) : axis_(axis) {}
  Tensor forward(const Tensor& x) override;
  Args args() const override { return {{"axis", axis_}}; }
  static Softmax fromArgs(const Args& a) { return Softmax(a.get<int>("axis")); }
  std::string details() const override { return "axis " + std::to_string(axis_); }

 private:
  int axis_;
};

/// log(softmax(x)) along `axis`.
class LogSoftmax : public Module {
 public:
  using Module::forward;
  explicit LogSoftmax(int axis = 1) : axis_(axis) {}
  Tensor forward(const Tensor& x) override;
  Args args() const override { return {{"axis", axis_}}; }
  static LogSoftmax fromArgs(const Args& a) { return LogSoftmax(a.get<int>("axis")); }
  std::string details() const override { return "axis " + std::to_string(axis_); }

 private:
  int axis_;
};

}  // namespace ember::nn
