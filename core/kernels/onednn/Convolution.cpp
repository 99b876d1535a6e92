#include <ember/core/kernels/onednn/Convolution.h>

#include <algorithm>
#include <functional>

#include <ember/core/kernels/onednn/ConvPlan.h>

namespace ember::core::onednn {
namespace {

std::shared_ptr<const ConvPlan> usablePlan(const ConvProblem& p, ConvDirection direction, bool winograd) {
  auto plan = convPlan(p, direction, winograd);
  return plan->usable ? plan : nullptr;
}

bool wantsWinograd(const ConvProblem& p, ConvDirection direction, ConvAlgorithm algorithm) {
  if (algorithm == ConvAlgorithm::Auto) return winogradPays(p, direction);
  return algorithm == ConvAlgorithm::Winograd && winogradPossible(p);
}

/// Packed weights, from the weights' storage or made now.
std::shared_ptr<Storage> packed(const ConvPlan& plan, const NDArray& w) {
  const u64 key = (plan.packedForm ^ static_cast<u64>(w.offset())) * 0x9e3779b97f4a7c15;
  if (auto kept = w.storage()->derived(key)) return kept;
  auto made = std::make_shared<Storage>(plan.packedBytes);
  plan.packWeights.run({w.raw(), made->data()});
  w.storage()->setDerived(key, made);
  return made;
}

ConvProblem images(ConvProblem p, i64 count) {
  p.x[0] = p.y[0] = count;
  return p;
}

/// Runs `piece(plan, first image)` over the batch in chunks: all of it if `winograd` is false. False if there is no
/// plan.
template <class F>
bool inChunks(const ConvProblem& p, ConvDirection direction, bool winograd, F&& piece) {
  const i64 batch = p.x[0], chunk = winograd ? winogradChunk(p) : batch;
  // Ask for all plans before anything is written.
  const auto plan = usablePlan(images(p, chunk), direction, winograd);
  const auto last = batch % chunk == 0 ? plan : usablePlan(images(p, batch % chunk), direction, winograd);
  if (!plan || !last) return false;
  for (i64 first = 0; first < batch; first += chunk) piece(first + chunk <= batch ? *plan : *last, first);
  return true;
}

template <class F>
bool winogradOrDirect(const ConvProblem& p, ConvDirection direction, ConvAlgorithm algorithm, F&& piece) {
  if (wantsWinograd(p, direction, algorithm) && inChunks(p, direction, true, piece)) return true;
  return inChunks(p, direction, false, piece);
}

float* image(const NDArray& array, i64 index) { return array.data<float>() + index * (array.numel() / array.size(0)); }

}  // namespace

bool convForward(const ConvProblem& p, const NDArray& x, const NDArray& w, const NDArray& bias, const NDArray& y,
                 ConvAlgorithm algorithm) {
  return winogradOrDirect(p, ConvDirection::Forward, algorithm, [&](const ConvPlan& plan, i64 first) {
    const auto weights = plan.packWeights ? packed(plan, w) : nullptr;
    const Scratch blockedX(plan.xBytes), blockedY(plan.yBytes);
    const void* source = image(x, first);
    void* target = image(y, first);
    if (plan.moveX) plan.moveX.run({source, blockedX.data()});
    const void* kernelX = plan.moveX ? blockedX.data() : source;
    const void* kernelY = plan.moveY ? blockedY.data() : target;
    const void* kernelW = weights ? weights->data() : w.raw();
    if (p.bias) {
      plan.kernel.run({kernelX, kernelW, bias.raw(), kernelY});
    } else {
      plan.kernel.run({kernelX, kernelW, kernelY});
    }
    if (plan.moveY) plan.moveY.run({blockedY.data(), target});
    if (!plan.actLeft.none()) finish(y.slice(0, first, std::min(first + winogradChunk(p), p.y[0])), {}, plan.actLeft);
  });
}

bool convBackwardData(const ConvProblem& p, const NDArray& dy, const NDArray& w, const NDArray& dx,
                      ConvAlgorithm algorithm) {
  return winogradOrDirect(p, ConvDirection::BackwardData, algorithm, [&](const ConvPlan& plan, i64 first) {
    const auto weights = plan.packWeights ? packed(plan, w) : nullptr;
    const Scratch blockedX(plan.xBytes), blockedY(plan.yBytes);
    const void* source = image(dy, first);
    void* target = image(dx, first);
    if (plan.moveY) plan.moveY.run({source, blockedY.data()});
    plan.kernel.run({plan.moveX ? blockedX.data() : target, weights ? weights->data() : w.raw(),
                     plan.moveY ? blockedY.data() : source});
    if (plan.moveX) plan.moveX.run({blockedX.data(), target});
  });
}

bool convBackwardWeights(const ConvProblem& p, const NDArray& dy, const NDArray& x, const NDArray& dw,
                         ConvAlgorithm algorithm) {
  float* total = dw.data<float>();
  return winogradOrDirect(p, ConvDirection::BackwardWeights, algorithm, [&](const ConvPlan& plan, i64 first) {
    const Scratch blockedX(plan.xBytes), blockedY(plan.yBytes), blockedW(plan.packedBytes);
    const Scratch partial(first == 0 ? 0 : static_cast<std::size_t>(dw.bytes()));
    const void* sourceX = image(x, first);
    const void* sourceY = image(dy, first);
    float* target = first == 0 ? total : static_cast<float*>(partial.data());
    if (plan.moveX) plan.moveX.run({sourceX, blockedX.data()});
    if (plan.moveY) plan.moveY.run({sourceY, blockedY.data()});
    plan.kernel.run({plan.moveX ? blockedX.data() : sourceX, plan.packWeights ? blockedW.data() : target,
                     plan.moveY ? blockedY.data() : sourceY});
    if (plan.packWeights) plan.packWeights.run({blockedW.data(), target});
    if (first > 0) std::transform(target, target + dw.numel(), total, total, std::plus<>());
  });
}

}  // namespace ember::core::onednn
