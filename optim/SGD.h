#pragma once
#include <ember/optim/Optimizer.h>

namespace ember::optim {

struct SGDOptions {
  double lr = 0.01;        ///< per step
  double momentum = 0;     ///< in [0, 1)
  double dampening = 0;    ///< in [0, 1]
  double weightDecay = 0;  ///< L2: added to the gradient as weightDecay·p
  bool nesterov = false;   ///< needs momentum > 0 and dampening 0
  std::vector<Group> groups = {};
};

/// Stochastic gradient descent with momentum (Sutskever et al. 2013; semantics as torch.optim.SGD).
///
///   g = grad + weightDecay·p,   v = momentum·v + (1 - dampening)·g  (v = g at the first step)
///   p -= lr · (nesterov ? g + momentum·v : v)
class SGD : public Optimizer {
 public:
  explicit SGD(nn::Parameters parameters, SGDOptions options = {});
  std::string typeName() const override { return "SGD"; }
  Value options() const override;
  static SGDOptions optionsOf(const Value& options);

 protected:
  void update(const Chunk&) const override;

 private:
  SGDOptions options_;
};

}  // namespace ember::optim
