#pragma once
#include <ember/nn/Act.h>
#include <ember/nn/Module.h>

namespace ember::nn {

struct LinearOptions {
  bool bias = true;
  Act act = Act::None;  ///< behind the bias, in the same op
  double slope = 0.01;  ///< of LeakyReLU
};

/// y = act(x·wᵀ + b) over the last axis: x [..., in] -> [..., out].
///
/// weight [out, in] and bias [out] start uniform in ±1/sqrt(in) (as torch.nn.Linear). Throws ValueError unless in, out
/// >= 1.
class Linear : public Module {
 public:
  using Module::forward;
  Linear(i64 in, i64 out, LinearOptions options = {});
  Tensor forward(const Tensor& x) override;
  /// act(forward(x)) as one op.
  Tensor forward(const Tensor& x, Act act, double slope);
  Args args() const override;
  static Linear fromArgs(const Args& a);
  std::string details() const override;

  const LinearOptions& options() const noexcept { return options_; }
  /// Gives a layer without one a bias of zeros, and an activation, for what is folded into it.
  void extend(Act act, double slope);
  /// Takes the activation back, and the bias if there was none.
  void retract(bool hadBias) noexcept;

  Tensor weight, bias;  ///< bias undefined without

 private:
  i64 in_, out_;
  LinearOptions options_;
};

}  // namespace ember::nn
