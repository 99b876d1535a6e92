#include <ember/core/kernels/onednn/Convolution.h>

#include <ember/core/kernels/onednn/ConvPlan.h>

namespace ember::core::onednn {
namespace {

/// Packed weights, from the weights' storage or made now; null if the kernel takes them as they are.
std::shared_ptr<Storage> packed(const ConvPlan& plan, const NDArray& w) {
  if (!plan.packWeights) return nullptr;
  const u64 key = (plan.packedForm ^ static_cast<u64>(w.offset())) * 0x9e3779b97f4a7c15;
  if (auto kept = w.storage()->derived(key)) return kept;
  auto made = std::make_shared<Storage>(plan.packedBytes);
  plan.packWeights.run({w.raw(), made->data()});
  w.storage()->setDerived(key, made);
  return made;
}

}  // namespace

bool convForward(const ConvProblem& p, const NDArray& x, const NDArray& w, const NDArray& bias, const NDArray& y) {
  const auto plan = convPlan(p, ConvDirection::Forward);
  if (!plan->usable) return false;
  const auto weights = packed(*plan, w);
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
  const auto weights = packed(*plan, w);
  plan->kernel.run({dx.raw(), weights ? weights->data() : w.raw(), dy.raw()});
  return true;
}

bool convBackwardWeights(const ConvProblem& p, const NDArray& dy, const NDArray& x, const NDArray& dw) {
  const auto plan = convPlan(p, ConvDirection::BackwardWeights);
  if (!plan->usable) return false;
  const Scratch packedW(plan->packedBytes);
  plan->kernel.run({x.raw(), plan->packWeights ? packedW.data() : dw.raw(), dy.raw()});
  if (plan->packWeights) plan->packWeights.run({packedW.data(), dw.raw()});
  return true;
}

}  // namespace ember::core::onednn
