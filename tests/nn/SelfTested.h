#pragma once
#include <functional>
#include <string>
#include <utility>

#include <ember/core/io/Checkpoint.h>
#include <ember/ember.h>

/// Nets that are saved with a self-test, and files that are changed behind it.
namespace ember::test {

/// Takes [N, 1, 4, 4].
inline nn::Sequential fiveClasses(u64 seedValue = 1) {
  seed(seedValue);
  return nn::Sequential(nn::Conv2D(1, 3, {.kernel = 3, .padding = 1, .bias = false}), nn::BatchNorm2D(3), nn::ReLU(),
                        nn::Dropout(0.25), nn::Flatten(), nn::Linear(3 * 4 * 4, 5));
}

inline Value testOf(const std::string& path) { return io::readCheckpoint(path).selfTest; }

/// Rewrites a file with other values under right check sums, which no check sum tells.
inline void change(const std::string& path, const std::function<void(io::Checkpoint&)>& how) {
  io::Checkpoint checkpoint = io::readCheckpoint(path);
  how(checkpoint);
  io::writeCheckpoint(path, checkpoint);
}

inline void fill(io::Checkpoint& checkpoint, const std::string& name, double value) {
  for (io::CheckpointTensor& tensor : checkpoint.tensors) {
    if (tensor.name == name) tensor.array = core::NDArray::full(tensor.array.shape(), value, tensor.array.dtype());
  }
}

/// A module of the user's whose forward is given.
struct Own : nn::Module {
  explicit Own(std::function<Tensor(const Tensor&)> f) : body(std::move(f)) {}
  std::function<Tensor(const Tensor&)> body;
  nn::Linear& inner = add("inner", nn::Linear(2, 2));
  Tensor forward(const Tensor& x) override { return body(inner(x)); }
};

}  // namespace ember::test
