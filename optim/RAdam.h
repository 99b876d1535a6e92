#pragma once
#include <ember/optim/Optimizer.h>

namespace ember::optim {

struct RAdamOptions {
  double lr = 1e-3;        ///< per step
  double beta1 = 0.9;      ///< in [0, 1)
  double beta2 = 0.999;    ///< in [0, 1)
  double epsilon = 1e-8;   ///< above 0
  double weightDecay = 0;  ///< L2: added to the gradient
  std::vector<Group> groups = {};
};

/// Rectified Adam (Liu et al. 2020, arXiv:1908.03265; semantics as torch.optim.RAdam): as long as too few gradients
/// were seen to know their variance, it is momentum alone.
///
///   g = grad + weightDecay·p,   m = beta1·m + (1-beta1)·g,   v = beta2·v + (1-beta2)·g²
///   R = 2/(1-beta2) - 1,   r = R - 2·t·beta2^t/(1-beta2^t)
///   p -= lr · m/(1-beta1^t) · (r > 5 ? sqrt((r-4)(r-2)R / ((R-4)(R-2)r)) · sqrt(1-beta2^t)/(sqrt(v) + epsilon) : 1)
class RAdam : public Optimizer {
 public:
  explicit RAdam(nn::Parameters parameters, RAdamOptions options = {});
  std::string typeName() const override { return "RAdam"; }
  Value options() const override;
  static RAdamOptions optionsOf(const Value& options);

 protected:
  void update(const Chunk&) const override;

 private:
  RAdamOptions options_;
};

}  // namespace ember::optim
