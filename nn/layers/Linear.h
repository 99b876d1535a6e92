#pragma once
#include <ember/nn/layers/AffineLayer.h>

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
class Linear : public AffineLayer<LinearOptions> {
 public:
  using AffineLayer::forward;
  Linear(i64 in, i64 out, LinearOptions options = {});
  Tensor forward(const Tensor& x, Act act, double slope) override;
  Args args() const override;
  static Linear fromArgs(const Args& a);
  std::string details() const override;

 private:
  i64 in_, out_;
};

}  // namespace ember::nn
