#pragma once
#include <ember/optim/Optimizer.h>

namespace ember::optim {

struct LionOptions {
  double lr = 1e-4;        ///< per step: every element moves by it, so about a tenth of AdamW's
  double beta1 = 0.9;      ///< in [0, 1)
  double beta2 = 0.99;     ///< in [0, 1)
  double weightDecay = 0;  ///< decoupled: p shrinks by lr·weightDecay·p
  std::vector<Group> groups = {};
};

/// Lion, evolved sign momentum (Chen et al. 2023, arXiv:2302.06675, program 1).
///
///   p -= lr · (sign(beta1·m + (1-beta1)·grad) + weightDecay·p),   then m = beta2·m + (1-beta2)·grad
class Lion : public Optimizer {
 public:
  explicit Lion(nn::Parameters parameters, LionOptions options = {});
  std::string typeName() const override { return "Lion"; }
  Value options() const override;
  static LionOptions optionsOf(const Value& options);

 protected:
  void update(const Chunk&) const override;

 private:
  LionOptions options_;
};

}  // namespace ember::optim
