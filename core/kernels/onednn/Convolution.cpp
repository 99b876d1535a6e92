#include <ember/core/kernels/onednn/Convolution.h>

#include <ember/core/kernels/onednn/ConvPlan.h>

namespace ember::core::onednn {
bool convRuns(const ConvProblem& p) {
  const auto plan = convPlan(p, ConvDirection::Forward);
  return plan->usable && plan->kernel.name().find("gemm") == std::string::npos;
}

bool convForward(const ConvProblem& p, const NDArray& x, const NDArray& w, const NDArray& bias, const NDArray& y) {
  const auto plan = convPlan(p, ConvDirection::Forward);
  if (!plan->usable) return false;
  const auto weights = plan->weights.of(w);
  const void* kernelW = weights ? weights->data() : w.raw();
  if (p.bias) {
    plan->kernel.run({x.raw(), kernelW, bias.raw(), y.raw()});
  } else {
    plan->kernel.run({x.raw(), kernelW, y.raw()});
  }
  return true;
}

bool convBackwardData(const ConvProblem& p, const NDArray& dy, const NDArray& w, const NDArray& dx) {
  const auto plan = convPlan(p, ConvDirection::BackwardData);
  if (!plan->usable) return false;
  const auto weights = plan->weights.of(w);
  plan->kernel.run({dx.raw(), weights ? weights->data() : w.raw(), dy.raw()});
  return true;
}

bool convBackwardWeights(const ConvProblem& p, const NDArray& dy, const NDArray& x, const NDArray& dw) {
  const auto plan = convPlan(p, ConvDirection::BackwardWeights);
  if (!plan->usable) return false;
  const Scratch packedW(plan->packedBytes);
  plan->kernel.run({x.raw(), plan->unpack ? packedW.data() : dw.raw(), dy.raw()});
  if (plan->unpack) plan->unpack.run({packedW.data(), dw.raw()});
  return true;
}

}  // namespace ember::core::onednn
