#include <atomic>
#include <utility>

#include <ember/autograd/Graph.h>

namespace ember {
namespace {
thread_local bool recording = true;
std::atomic<int> anomalyScopes{0};
}  // namespace

bool gradEnabled() noexcept { return recording; }

NoGrad::NoGrad() noexcept : before_(std::exchange(recording, false)) {}
NoGrad::~NoGrad() { recording = before_; }

autograd::Recording::Recording() noexcept : before_(std::exchange(recording, true)) {}
autograd::Recording::~Recording() { recording = before_; }

AnomalyMode::AnomalyMode() noexcept { ++anomalyScopes; }
AnomalyMode::~AnomalyMode() { --anomalyScopes; }
bool AnomalyMode::enabled() noexcept { return anomalyScopes.load(std::memory_order_relaxed) > 0; }

}  // namespace ember
