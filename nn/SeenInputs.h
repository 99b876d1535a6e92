#pragma once
#include <atomic>
#include <utility>

#include <ember/autograd/Tensor.h>

namespace ember::nn {

/// Shapes and types of a module's last inputs, without values. Noting the same ones again, as forwards do from any
/// number of threads, costs a few loads.
class SeenInputs {
 public:
  SeenInputs() = default;
  ~SeenInputs();
  SeenInputs(SeenInputs&& other) noexcept : state_(other.state_.exchange(nullptr)) {}
  SeenInputs& operator=(SeenInputs&& other) noexcept;
  SeenInputs(const SeenInputs&) = delete;
  SeenInputs& operator=(const SeenInputs&) = delete;

  /// The first axis is taken for the batch, and noted as 1, if all inputs have two axes at least and the same size
  /// there. Does nothing without inputs or if one is undefined. Thread-safe.
  void note(const Tensors& inputs);
  /// Shape-only tensors; none before the first note. Thread-safe.
  Tensors get() const;
  /// Whether anything was noted.
  bool any() const noexcept { return state_.load(std::memory_order_acquire) != nullptr; }
  /// Floating inputs are of that type from now on.
  void convert(DType dtype);

 private:
  struct State;
  std::atomic<State*> state_{nullptr};

  void set(Tensors shapes, u64 mark);
};

}  // namespace ember::nn
