#pragma once
#include <ember/nn/Module.h>

namespace ember::nn {

/// In training sets each element to 0 with probability p and scales the rest by 1/(1-p) (Srivastava et al. 2014); the
/// identity in eval mode. The mask is a function of (seed, module path, call number, element): the same for any number
/// of threads.
class Dropout : public Module {
 public:
  using Module::forward;
  /// p in [0, 1], else ValueError.
  explicit Dropout(double p = 0.5);
  Tensor forward(const Tensor& x) override;
  Args args() const override { return {{"p", p_}}; }
  static Dropout fromArgs(const Args& a) { return Dropout(a.get<double>("p")); }
  std::string details() const override { return Value(p_).dump(); }

 private:
  double p_;
};

}  // namespace ember::nn
