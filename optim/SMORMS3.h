#pragma once
#include <ember/optim/Optimizer.h>

namespace ember::optim {

struct SMORMS3Options {
  double lr = 1e-3;        ///< largest step, in units of gradient over its root mean square
  double epsilon = 1e-16;  ///< above 0
  double weightDecay = 0;  ///< L2: added to the gradient
  std::vector<Group> groups = {};
};

/// SMORMS3, "squared mean over root mean squared cubed" (Funk 2015, "RMSprop loses to SMORMS3 - beware the epsilon!"):
/// the memory of each element grows while its gradients agree little, and its rate is their signal-to-noise ratio,
/// at most lr.
///
///   g = grad + weightDecay·p,   r = 1/(k + 1),   m = (1-r)·m + r·g,   v = (1-r)·v + r·g²
///   x = m²/(v + epsilon),   k = 1 + k·(1 - x)   (k = 1 at first),   p -= g · min(lr, x)/(sqrt(v) + epsilon)
class SMORMS3 : public Optimizer {
 public:
  explicit SMORMS3(nn::Parameters parameters, SMORMS3Options options = {});
  std::string typeName() const override { return "SMORMS3"; }
  Value options() const override;
  static SMORMS3Options optionsOf(const Value& options);

 protected:
  void update(const Chunk&) const override;

 private:
  SMORMS3Options options_;
};

}  // namespace ember::optim
