#pragma once
#include <ember/optim/Optimizer.h>

namespace ember::optim {

struct AdagradOptions {
  double lr = 0.01;               ///< per step
  double lrDecay = 0;             ///< 0 or more: step t has the rate lr/(1 + (t-1)·lrDecay)
  double initialAccumulator = 0;  ///< 0 or more: what the sum of squares starts from
  double epsilon = 1e-10;         ///< above 0
  double weightDecay = 0;         ///< L2: added to the gradient
  std::vector<Group> groups = {};
};

/// Adagrad (Duchi, Hazan & Singer 2011; semantics as torch.optim.Adagrad): the rate of each element falls with all
/// gradients that it has had.
///
///   g = grad + weightDecay·p,   s = s + g²,   p -= lr/(1 + (t-1)·lrDecay) · g / (sqrt(s) + epsilon)
class Adagrad : public Optimizer {
 public:
  explicit Adagrad(nn::Parameters parameters, AdagradOptions options = {});
  std::string typeName() const override { return "Adagrad"; }
  Value options() const override;
  static AdagradOptions optionsOf(const Value& options);

 protected:
  void update(const Chunk&) const override;

 private:
  AdagradOptions options_;
};

}  // namespace ember::optim
