#include <ember/nn/ForwardState.h>

#include <ember/core/Random.h>
#include <ember/core/kernels/Elementwise.h>

namespace ember::nn {

ForwardState::ForwardState(Module& net) : programCalls_(random::programCalls()), buffers_(net.namedBuffers()) {
  for (const auto& [path, module] : net.namedModules())
    counters_.emplace_back(&module->randomCalls_, module->randomCalls_);
  for (const Parameter& buffer : buffers_) values_.push_back(buffer.tensor.clone());
}

void ForwardState::putBack() noexcept {
  const NoGrad guard;
  for (const auto& [counter, calls] : counters_) *counter = calls;
  random::setProgramCalls(programCalls_);
  // Both lie in one order: what copies takes no memory.
  for (std::size_t i = 0; i < buffers_.size(); ++i)
    core::copyInto(buffers_[i].tensor.writable("ForwardState.putBack"), values_[i].array(), nullptr);
}

}  // namespace ember::nn
