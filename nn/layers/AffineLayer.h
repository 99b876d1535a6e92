#pragma once
#include <utility>

#include <ember/nn/Act.h>
#include <ember/nn/Init.h>
#include <ember/nn/Module.h>

namespace ember::nn {

/// A layer with weights whose first axis is its outputs, perhaps a bias [outputs], and an activation behind: what a
/// batch norm folds into. `Options` has bias, act and slope.
template <class Options>
class AffineLayer : public Module {
 public:
  using Module::forward;
  explicit AffineLayer(Options options) : options_(std::move(options)) {}
  Tensor forward(const Tensor& x) override { return forward(x, options_.act, options_.slope); }
  /// The layer without its own activation, and that one behind, as one op.
  virtual Tensor forward(const Tensor& x, Act act, double slope) = 0;

  const Options& options() const noexcept { return options_; }
  /// Gives a layer without one a bias of zeros, and an activation, for what is folded into it.
  void extend(Act act, double slope) {
    options_.act = act;
    options_.slope = slope;
    if (options_.bias) return;
    bias = addParameter("bias", init::filled({weight.size(0)}, 0, weight.dtype()));
    bias.setRequiresGrad(weight.requiresGrad());
    options_.bias = true;
  }
  /// Takes the activation back, and the bias if there was none.
  void retract(bool hadBias) noexcept {
    options_.act = Act::None;
    if (hadBias || !options_.bias) return;
    options_.bias = false;
    dropParameter("bias");
    bias = Tensor();
  }

  Tensor weight, bias;  ///< bias undefined without

 protected:
  Options options_;
};

}  // namespace ember::nn
