#pragma once
#include <ember/optim/Optimizer.h>

namespace ember::optim {

struct AdamaxOptions {
  double lr = 2e-3;        ///< per step
  double beta1 = 0.9;      ///< in [0, 1)
  double beta2 = 0.999;    ///< in [0, 1)
  double epsilon = 1e-8;   ///< above 0
  double weightDecay = 0;  ///< L2: added to the gradient
  std::vector<Group> groups = {};
};

/// Adamax, Adam with the maximum norm (Kingma & Ba 2015, algorithm 2; semantics as torch.optim.Adamax).
///
///   g = grad + weightDecay·p,   m = beta1·m + (1-beta1)·g,   u = max(beta2·u, |g| + epsilon)
///   p -= lr/(1-beta1^t) · m/u
class Adamax : public Optimizer {
 public:
  explicit Adamax(nn::Parameters parameters, AdamaxOptions options = {});
  std::string typeName() const override { return "Adamax"; }
  Value options() const override;
  static AdamaxOptions optionsOf(const Value& options);

 protected:
  void update(const Chunk&) const override;

 private:
  AdamaxOptions options_;
};

}  // namespace ember::optim
