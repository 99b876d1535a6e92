#pragma once
#include <ember/optim/Optimizer.h>

namespace ember::optim {

struct NAdamOptions {
  double lr = 2e-3;             ///< per step
  double beta1 = 0.9;           ///< in [0, 1)
  double beta2 = 0.999;         ///< in [0, 1)
  double epsilon = 1e-8;        ///< above 0
  double momentumDecay = 4e-3;  ///< 0 or more: how fast the momentum grows from beta1/2 to beta1
  double weightDecay = 0;       ///< L2: added to the gradient
  std::vector<Group> groups = {};
};

/// Adam with Nesterov's momentum (Dozat 2016; semantics as torch.optim.NAdam since PyTorch 2.0).
///
///   g = grad + weightDecay·p,   m = beta1·m + (1-beta1)·g,   v = beta2·v + (1-beta2)·g²
///   mu_t = beta1·(1 - 0.96^(t·momentumDecay)/2),   M_t = mu_1 · ... · mu_t
///   p -= lr · ((1-mu_t)/(1-M_t)·g + mu_(t+1)/(1-M_(t+1))·m) / (sqrt(v/(1-beta2^t)) + epsilon)
class NAdam : public Optimizer {
 public:
  explicit NAdam(nn::Parameters parameters, NAdamOptions options = {});
  std::string typeName() const override { return "NAdam"; }
  Value options() const override;
  static NAdamOptions optionsOf(const Value& options);

 protected:
  void update(const Chunk&) const override;
  double stepValue(i64 step) const override;

 private:
  NAdamOptions options_;
};

}  // namespace ember::optim
