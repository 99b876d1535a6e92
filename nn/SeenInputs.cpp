#include <ember/nn/SeenInputs.h>

#include <algorithm>
#include <mutex>

namespace ember::nn {

// The mark is a hash of the shapes: as long as it stays, nothing is locked or written. The state lives as long as the
// module, so who has found it may look at it.
struct SeenInputs::State {
  std::atomic<u64> mark{0};
  Tensors shapes;  // guarded by `guard`
};

namespace {

std::mutex guard;  // of all states: they change once in a program's life, mostly

bool firstAxisIsBatch(const Tensors& inputs) {
  return std::all_of(inputs.begin(), inputs.end(),
                     [&](const Tensor& t) { return t.rank() >= 2 && t.size(0) == inputs[0].size(0); });
}

u64 markOf(const Tensors& inputs, bool batch) {
  u64 mark = inputs.size();
  const auto mix = [&](u64 value) { mark = (mark ^ value) * 0x9e3779b97f4a7c15u + (mark >> 29); };
  for (const Tensor& t : inputs) {
    mix(static_cast<u64>(t.dtype()) + 1);
    for (int i = 0; i < t.rank(); ++i) mix(i == 0 && batch ? 1 : static_cast<u64>(t.size(i)));
  }
  return mark | 1;  // never that of a state that has noted nothing
}

}  // namespace

SeenInputs::~SeenInputs() { delete state_.load(); }

SeenInputs& SeenInputs::operator=(SeenInputs&& other) noexcept {
  if (this != &other) delete state_.exchange(other.state_.exchange(nullptr));
  return *this;
}

void SeenInputs::set(Tensors shapes, u64 mark) {
  const std::lock_guard lock(guard);
  State* state = state_.load(std::memory_order_relaxed);
  if (!state) {
    state = new State;
    state_.store(state, std::memory_order_release);
  }
  state->shapes = std::move(shapes);
  state->mark.store(mark, std::memory_order_relaxed);
}

void SeenInputs::note(const Tensors& inputs) {
  if (inputs.empty()) return;
  for (const Tensor& t : inputs) {
    if (!t.defined()) return;
  }
  const bool batch = firstAxisIsBatch(inputs);
  const u64 mark = markOf(inputs, batch);
  const State* state = state_.load(std::memory_order_acquire);
  if (state && state->mark.load(std::memory_order_relaxed) == mark) return;
  Tensors shapes;
  for (const Tensor& t : inputs) {
    Shape shape = t.shape();
    if (batch) shape[0] = 1;
    shapes.push_back(Tensor::shapeOnly(shape, t.dtype()));
  }
  set(std::move(shapes), mark);
}

Tensors SeenInputs::get() const {
  const std::lock_guard lock(guard);
  const State* state = state_.load(std::memory_order_relaxed);
  return state ? state->shapes : Tensors();
}

void SeenInputs::convert(DType dtype) {
  Tensors shapes;
  for (const Tensor& t : get())
    shapes.push_back(Tensor::shapeOnly(t.shape(), isFloating(t.dtype()) ? dtype : t.dtype()));
  note(shapes);
}

}  // namespace ember::nn
