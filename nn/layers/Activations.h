#pragma once
#include <limits>
#include <string>

#include <ember/autograd/ops/ActivationChecks.h>
#include <ember/nn/Module.h>

/// Activations as modules; each applies the function of the same name from autograd/ops elementwise and keeps the
/// shape.
namespace ember::nn {

/// An activation without options.
#define EMBER_ACTIVATION(Type)                           \
  class Type : public Module {                           \
   public:                                               \
    using Module::forward;                               \
    Tensor forward(const Tensor& x) override;            \
    static Type fromArgs(const Args&) { return Type(); } \
  };
EMBER_ACTIVATION(ReLU)     ///< max(x, 0)
EMBER_ACTIVATION(Sigmoid)  ///< 1 / (1 + exp(-x))
EMBER_ACTIVATION(Tanh)
EMBER_ACTIVATION(SiLU)   ///< x·sigmoid(x)
EMBER_ACTIVATION(ReLU6)  ///< min(max(x, 0), 6)
EMBER_ACTIVATION(SELU)   ///< scale·(x > 0 ? x : alpha·(exp(x) - 1)) with the fixed numbers of Klambauer et al. 2017
EMBER_ACTIVATION(Mish)   ///< x·tanh(softplus(x))
EMBER_ACTIVATION(Softsign)     ///< x / (1 + |x|)
EMBER_ACTIVATION(Hardsigmoid)  ///< min(max(x/6 + 1/2, 0), 1)
EMBER_ACTIVATION(Hardswish)    ///< x·min(max(x + 3, 0), 6)/6
EMBER_ACTIVATION(LogSigmoid)   ///< log(sigmoid(x))
EMBER_ACTIVATION(Tanhshrink)   ///< x - tanh(x)
#undef EMBER_ACTIVATION

/// An activation with one number; one out of range is the ValueError of its function, at construction.
#define EMBER_ACTIVATION(Type, number, standard)                                 \
  class Type : public Module {                                                   \
   public:                                                                       \
    using Module::forward;                                                       \
    explicit Type(double number = standard);                                     \
    Tensor forward(const Tensor& x) override;                                    \
    Args args() const override { return {{#number, number##_}}; }                \
    static Type fromArgs(const Args& a) { return Type(a.get<double>(#number)); } \
    std::string details() const override { return autograd::toText(number##_); } \
    double number() const noexcept { return number##_; }                         \
                                                                                 \
   private:                                                                      \
    double number##_;                                                            \
  };
EMBER_ACTIVATION(LeakyReLU, slope, 0.01)   ///< x > 0 ? x : slope·x
EMBER_ACTIVATION(ELU, alpha, 1)            ///< x > 0 ? x : alpha·(exp(x) - 1)
EMBER_ACTIVATION(CELU, alpha, 1)           ///< x > 0 ? x : alpha·(exp(x/alpha) - 1)
EMBER_ACTIVATION(Softshrink, lambda, 0.5)  ///< x - lambda above lambda, x + lambda below -lambda, else 0
EMBER_ACTIVATION(Hardshrink, lambda, 0.5)  ///< x where |x| > lambda, else 0
#undef EMBER_ACTIVATION

constexpr double unbounded = std::numeric_limits<double>::infinity();

/// An activation with two numbers, likewise.
#define EMBER_ACTIVATION(Type, one, standardOne, two, standardTwo)                                              \
  class Type : public Module {                                                                                  \
   public:                                                                                                      \
    using Module::forward;                                                                                      \
    explicit Type(double one standardOne, double two standardTwo);                                              \
    Tensor forward(const Tensor& x) override;                                                                   \
    Args args() const override { return {{#one, one##_}, {#two, two##_}}; }                                     \
    static Type fromArgs(const Args& a) { return Type(a.get<double>(#one), a.get<double>(#two)); }              \
    std::string details() const override { return autograd::toText(one##_) + ", " + autograd::toText(two##_); } \
    double one() const noexcept { return one##_; }                                                              \
    double two() const noexcept { return two##_; }                                                              \
                                                                                                                \
   private:                                                                                                     \
    double one##_, two##_;                                                                                      \
  };
EMBER_ACTIVATION(Softplus, beta, = 1, threshold, = 20)  ///< log(1 + exp(beta·x))/beta; x where beta·x > threshold
EMBER_ACTIVATION(Hardtanh, min, = -1, max, = 1)         ///< min(max(x, min), max); gradient 0 at the bounds
EMBER_ACTIVATION(Clip, low, = -unbounded, high, = unbounded)  ///< the same with gradient 1 at the bounds, as clamp
EMBER_ACTIVATION(Threshold, threshold, , value, )             ///< x where x > threshold, else value
#undef EMBER_ACTIVATION

/// x > 0 ? x : weight·x with a learned slope: one, or one a channel of x [N, C, ...].
///
/// weight [channels] starts at `start`. ValueError unless channels >= 1. He et al. 2015.
class PReLU : public Module {
 public:
  using Module::forward;
  explicit PReLU(i64 channels = 1, double start = 0.25);
  Tensor forward(const Tensor& x) override;
  Args args() const override { return {{"channels", channels_}, {"start", start_}}; }
  static PReLU fromArgs(const Args& a) { return PReLU(a.get<i64>("channels"), a.get<double>("start")); }
  std::string details() const override { return std::to_string(channels_); }

  Tensor weight;

 private:
  i64 channels_;
  double start_;
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

/// An activation along an axis.
#define EMBER_ACTIVATION(Type, standard)                                             \
  class Type : public Module {                                                       \
   public:                                                                           \
    using Module::forward;                                                           \
    explicit Type(int axis = standard) : axis_(axis) {}                              \
    Tensor forward(const Tensor& x) override;                                        \
    Args args() const override { return {{"axis", axis_}}; }                         \
    static Type fromArgs(const Args& a) { return Type(a.get<int>("axis")); }         \
    std::string details() const override { return "axis " + std::to_string(axis_); } \
    int axis() const noexcept { return axis_; }                                      \
                                                                                     \
   private:                                                                          \
    int axis_;                                                                       \
  };
EMBER_ACTIVATION(Softmax, 1)     ///< exp(x) / sum(exp(x))
EMBER_ACTIVATION(LogSoftmax, 1)  ///< log(softmax(x))
EMBER_ACTIVATION(GLU, -1)        ///< the first half times the sigmoid of the second; ShapeError if the axis is odd
#undef EMBER_ACTIVATION

}  // namespace ember::nn
