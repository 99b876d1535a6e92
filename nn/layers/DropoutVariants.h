#pragma once
#include <string>

#include <ember/nn/Module.h>

/// Dropouts and noise as modules: in training they draw from the module's own stream (seed, module path, call number),
/// in eval mode they are the identity.
namespace ember::nn {

/// A dropout with probability p in [0, 1], else ValueError; the function stands in autograd/ops/DropoutVariants.h.
class DropoutVariant : public Module {
 public:
  using Module::forward;
  using Function = Tensor (*)(const Tensor& x, double p, bool training);
  Tensor forward(const Tensor& x) override;
  Args args() const override { return {{"p", p_}}; }
  std::string details() const override;
  double p() const noexcept { return p_; }

 protected:
  /// x must have `rank` axes; 0: any number.
  DropoutVariant(const char* type, Function function, int rank, double p);

 private:
  const char* type_;
  Function function_;
  int rank_;
  double p_;
};

#define EMBER_DROPOUT(Type)                                                  \
  class Type : public DropoutVariant {                                       \
   public:                                                                   \
    explicit Type(double p = 0.5);                                           \
    static Type fromArgs(const Args& a) { return Type(a.get<double>("p")); } \
  };
EMBER_DROPOUT(Dropout1D)            ///< drops whole channels of x [N, C, L]
EMBER_DROPOUT(Dropout2D)            ///< of x [N, C, H, W]
EMBER_DROPOUT(Dropout3D)            ///< of x [N, C, D, H, W]
EMBER_DROPOUT(AlphaDropout)         ///< behind SELU: keeps mean 0 and variance 1
EMBER_DROPOUT(FeatureAlphaDropout)  ///< the same for whole channels of x [N, C, ...]
EMBER_DROPOUT(DropPath)             ///< drops whole samples: stochastic depth
#undef EMBER_DROPOUT

/// In training adds a normal number of standard deviation `std` to each element. ValueError unless std >= 0.
class GaussianNoise : public Module {
 public:
  using Module::forward;
  explicit GaussianNoise(double std = 0.1);
  Tensor forward(const Tensor& x) override;
  Args args() const override { return {{"std", std_}}; }
  static GaussianNoise fromArgs(const Args& a) { return GaussianNoise(a.get<double>("std")); }
  std::string details() const override;

 private:
  double std_;
};

/// In training adds a number from [low, high) to each element. ValueError unless low <= high.
class UniformNoise : public Module {
 public:
  using Module::forward;
  explicit UniformNoise(double low = -0.1, double high = 0.1);
  Tensor forward(const Tensor& x) override;
  Args args() const override { return {{"low", low_}, {"high", high_}}; }
  static UniformNoise fromArgs(const Args& a) { return UniformNoise(a.get<double>("low"), a.get<double>("high")); }
  std::string details() const override;

 private:
  double low_, high_;
};

}  // namespace ember::nn
