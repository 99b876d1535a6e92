#pragma once
#include <ember/optim/Optimizer.h>

namespace ember::optim {

struct RMSPropOptions {
  double lr = 0.01;        ///< per step
  double alpha = 0.99;     ///< smoothing of the squared gradient, in [0, 1)
  double epsilon = 1e-8;   ///< above 0
  double weightDecay = 0;  ///< L2: added to the gradient
  double momentum = 0;     ///< in [0, 1)
  bool centered = false;   ///< divides by the standard deviation instead of the root mean square (Graves 2013)
  std::vector<Group> groups = {};
  bool epsilonInside = false;  ///< sqrt(s - a² + epsilon) as TensorFlow and Keras, not sqrt(s - a²) + epsilon
};

/// RMSProp (Tieleman & Hinton 2012; semantics as torch.optim.RMSprop).
///
///   g = grad + weightDecay·p,  s = alpha·s + (1-alpha)·g²,  a = alpha·a + (1-alpha)·g  (centered)
///   d = g / (sqrt(s - a²) + epsilon),   b = momentum·b + d,   p -= lr·b   (lr·d without momentum)
class RMSProp : public Optimizer {
 public:
  explicit RMSProp(nn::Parameters parameters, RMSPropOptions options = {});
  std::string typeName() const override { return "RMSProp"; }
  Value options() const override;
  static RMSPropOptions optionsOf(const Value& options);

 protected:
  void update(const Chunk&) const override;

 private:
  RMSPropOptions options_;
};

}  // namespace ember::optim
