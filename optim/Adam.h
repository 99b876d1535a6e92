#pragma once
#include <ember/optim/Optimizer.h>

namespace ember::optim {

struct AdamOptions {
  double lr = 1e-3;        ///< per step
  double beta1 = 0.9;      ///< in [0, 1)
  double beta2 = 0.999;    ///< in [0, 1)
  double epsilon = 1e-8;   ///< above 0
  /// Adam: L2, added to the gradient, 0 if unset; AdamW: decoupled, 0.01 if unset.
  std::optional<double> weightDecay = {};
  std::vector<Group> groups = {};
  bool amsgrad = false;  ///< divides by the largest v so far (Reddi, Kale & Kumar 2018), so no rate ever rises
};

/// Adam (Kingma & Ba 2015, algorithm 1; semantics as torch.optim.Adam).
///
///   g = grad + weightDecay·p,  m = beta1·m + (1-beta1)·g,  v = beta2·v + (1-beta2)·g²
///   p -= lr · m/(1-beta1^t) / (sqrt(v/(1-beta2^t)) + epsilon),   amsgrad: with max(v so far) for v
class Adam : public Optimizer {
 public:
  explicit Adam(nn::Parameters parameters, AdamOptions options = {})
      : Adam(std::move(parameters), std::move(options), false) {}
  std::string typeName() const override { return "Adam"; }
  Value options() const override;
  static AdamOptions optionsOf(const Value& options);

 protected:
  Adam(nn::Parameters parameters, AdamOptions options, bool decoupled);
  void update(const Chunk&) const override;

 private:
  AdamOptions options_;
  bool decoupled_;
};

/// Adam with decoupled weight decay (Loshchilov & Hutter 2019): p shrinks by lr·weightDecay·p, the gradient stays as it
/// is.
class AdamW : public Adam {
 public:
  explicit AdamW(nn::Parameters parameters, AdamOptions options = {})
      : Adam(std::move(parameters), std::move(options), true) {}
  std::string typeName() const override { return "AdamW"; }
};

}  // namespace ember::optim
