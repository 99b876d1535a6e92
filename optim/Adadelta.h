#pragma once
#include <ember/optim/Optimizer.h>

namespace ember::optim {

struct AdadeltaOptions {
  double lr = 1;           ///< per step
  double rho = 0.9;        ///< smoothing of both squares, in [0, 1)
  double epsilon = 1e-6;   ///< above 0
  double weightDecay = 0;  ///< L2: added to the gradient
  std::vector<Group> groups = {};
};

/// Adadelta (Zeiler 2012, arXiv:1212.5701; semantics as torch.optim.Adadelta): steps in units of the parameter.
///
///   g = grad + weightDecay·p,   s = rho·s + (1-rho)·g²
///   d = sqrt(a + epsilon) / sqrt(s + epsilon) · g,   a = rho·a + (1-rho)·d²,   p -= lr·d
class Adadelta : public Optimizer {
 public:
  explicit Adadelta(nn::Parameters parameters, AdadeltaOptions options = {});
  std::string typeName() const override { return "Adadelta"; }
  Value options() const override;
  static AdadeltaOptions optionsOf(const Value& options);

 protected:
  void update(const Chunk&) const override;

 private:
  AdadeltaOptions options_;
};

}  // namespace ember::optim
