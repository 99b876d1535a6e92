#include <ember/autograd/Deferred.h>

#include <utility>

#include <ember/autograd/Fusion.h>
#include <ember/autograd/Graph.h>
#include <ember/core/Error.h>
#include <ember/core/TraceSpan.h>

namespace ember::autograd {
namespace {

thread_local int depth = 0;
thread_local std::weak_ptr<TensorImpl> waiting;

bool external(const core::NDArray& a) { return a.defined() && a.storage()->external(); }

u64 versionsOf(const Deferred& d) {
  u64 sum = 0;
  for (const core::NDArray* a : {&d.x, &d.w, &d.epilogue.bias, &d.epilogue.residual}) {
    if (a->defined()) sum += a->version();
  }
  return sum;
}

/// What the writers of the operands are called.
Error::Details writersOf(const Deferred& d) {
  Error::Details writers;
  const std::pair<const char*, const core::NDArray*> all[] = {
      {"input", &d.x}, {"filters", &d.w}, {"bias", &d.epilogue.bias}, {"residual", &d.epilogue.residual}};
  for (const auto& [name, a] : all) {
    if (a->defined() && !a->storage()->lastWriter().empty())
      writers.push_back({name, toString(a->shape()) + ", last written by " + a->storage()->lastWriter()});
  }
  return writers;
}

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
  if (versionsOf(*d) != d->versions) {
    throw StateError(
        "conv", "an operand was written by another thread while the convolution waited for what follows it",
        writersOf(*d), "write before or after the module's call, or turn fusion off with setFusion(false)");
  }
  // The block in front may have let go of its input by now: then the sum takes that memory.
  e.overwriteResidual = e.residual.defined() && e.residual.storage().use_count() == 1 &&
                        !e.residual.storage()->external() && e.residual.isDense(MemoryOrder::ChannelsLast);
  // Shape and type stay as they are: other threads may be reading them.
  array.takeStorage(core::fusedConv(d->x, d->w, e, d->geometry).contiguous(MemoryOrder::ChannelsLast));
  version = array.version();
  d->x = d->w = {};
  e = {};
  waiting.store(false, std::memory_order_release);
}

DeferScope::DeferScope() noexcept { ++depth; }
DeferScope::~DeferScope() {
  // Only an exception leaves something waiting; whoever still has it may read it, but no write needs to wait for it.
  if (--depth == 0) waiting.reset();
}
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
  impl->deferred->versions = versionsOf(*impl->deferred);
  impl->waiting.store(true, std::memory_order_release);
  waiting = impl;
  if (external(x) || external(w) || external(epilogue.bias)) settleWaiting();
  return Tensor(std::move(impl));
}

bool joinResidual(const Tensor& tensor, const Tensor& residual) {
  Deferred* d = joinable(tensor);
  if (!d || d->epilogue.residual.defined() || residual.shape() != tensor.shape() ||
      residual.dtype() != tensor.dtype() || residual.requiresGrad() || residual.isShapeOnly() ||
      external(residual.array()))
    return false;
  d->epilogue.residual = residual.array();
  d->versions += d->epilogue.residual.version();
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
