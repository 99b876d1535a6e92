#include <ember/autograd/Deferred.h>

#include <utility>

#include <ember/autograd/Fusion.h>
#include <ember/autograd/Graph.h>
#include <ember/core/TraceSpan.h>

namespace ember::autograd {
namespace {

thread_local int depth = 0;
thread_local std::weak_ptr<TensorImpl> waiting;

/// The convolution behind a handle that nobody else has, if it still waits.
Deferred* joinable(const Tensor& t) {
  if (!t.defined() || !t.impl()->waiting.load(std::memory_order_acquire)) return nullptr;
  Deferred* d = t.impl().use_count() == 1 ? t.impl()->deferred.get() : nullptr;
  return d && d->epilogue.act.none() && fusionEnabled() ? d : nullptr;
}

}  // namespace

void TensorImpl::run() {
  const std::shared_ptr<Deferred> d = deferred;
  const std::lock_guard lock(d->mutex);
  if (!waiting.load(std::memory_order_relaxed)) return;  // another thread was first
  core::Epilogue& e = d->epilogue;
  // The block in front may have let go of its input by now: then the sum takes that memory.
  e.overwriteResidual = e.residual.defined() && e.residual.storage().use_count() == 1 &&
                        !e.residual.storage()->external() && e.residual.isDense(MemoryOrder::ChannelsLast);
  array = core::fusedConv(d->x, d->w, e, d->geometry);
  version = array.version();
  d->x = d->w = {};
  e = {};
  waiting.store(false, std::memory_order_release);
}

DeferScope::DeferScope() noexcept { ++depth; }
DeferScope::~DeferScope() { --depth; }
void DeferScope::finish() const {
  if (depth == 1) settleWaiting();
}

bool mayDefer() noexcept { return depth > 0 && fusionEnabled() && !core::tracing(); }

Tensor deferred(const core::NDArray& x, const core::NDArray& w, const core::Epilogue& epilogue,
                const core::ConvGeometry& geometry, const Shape& y) {
  settleWaiting();
  auto impl = std::make_shared<TensorImpl>();
  impl->array = core::NDArray::shapeOnly(y, x.dtype(), MemoryOrder::ChannelsLast);
  impl->opResult = true;
  impl->deferred = std::make_shared<Deferred>();
  impl->deferred->x = x;
  impl->deferred->w = w;
  impl->deferred->epilogue = epilogue;
  impl->deferred->geometry = geometry;
  impl->waiting.store(true, std::memory_order_release);
  waiting = impl;
  return Tensor(std::move(impl));
}

bool joinResidual(const Tensor& tensor, const Tensor& residual) {
  Deferred* d = joinable(tensor);
  if (!d || d->epilogue.residual.defined() || residual.shape() != tensor.shape() ||
      residual.dtype() != tensor.dtype() || residual.requiresGrad() || residual.isShapeOnly())
    return false;
  d->epilogue.residual = residual.array();
  return true;
}

bool joinActivation(const Tensor& tensor, const core::FusedAct& act) {
  Deferred* d = joinable(tensor);
  if (d) d->epilogue.act = act;
  return d != nullptr;
}

void settleWaiting() {
  if (const auto open = std::exchange(waiting, {}).lock()) open->settle();
}

}  // namespace ember::autograd
