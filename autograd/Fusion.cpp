#include <ember/autograd/Fusion.h>

#include <atomic>
#include <utility>

#include <ember/autograd/Graph.h>

namespace ember {
namespace {
std::atomic<bool> fusionOn{true};
thread_local bool fusionOnHere = true;
}  // namespace

void setFusion(bool on) noexcept { fusionOn.store(on, std::memory_order_relaxed); }
bool fusionEnabled() noexcept {
  return fusionOn.load(std::memory_order_relaxed) && fusionOnHere && !AnomalyMode::enabled();
}

NoFusion::NoFusion() noexcept : before_(std::exchange(fusionOnHere, false)) {}
NoFusion::~NoFusion() { fusionOnHere = before_; }

namespace autograd {

bool mayOverwrite(const Tensor& x) {
  if (!x.defined() || x.impl().use_count() != 1 || !fusionEnabled()) return false;
  const TensorImpl& impl = *x.impl();
  // Views and what a node saved hold the storage, too.
  return impl.opResult && impl.array.hasStorage() && impl.array.storage().use_count() == 1 &&
         !impl.array.storage()->external() && impl.version == impl.array.version() &&
         (impl.array.isDense(MemoryOrder::RowMajor) || impl.array.isDense(MemoryOrder::ChannelsLast));
}

bool ownsGradient(const Tensor& gradient) {
  const TensorImpl& impl = *gradient.impl();
  return gradient.impl().use_count() == 1 && !impl.node && !gradEnabled() && impl.array.hasStorage() &&
         impl.array.storage().use_count() == 1 && !impl.array.storage()->external() && fusionEnabled();
}

}  // namespace autograd
}  // namespace ember
