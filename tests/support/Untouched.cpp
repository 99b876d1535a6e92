#include "support/Untouched.h"

#include <cstdint>

#include <ember/core/Random.h>

namespace ember::test {
namespace {

std::string bytesOf(const Tensor& t) {
  if (!t.defined()) return "undefined";
  std::string text = toString(t.shape()) + std::string(name(t.dtype()));
  if (t.isShapeOnly()) return text + " without values";
  const core::NDArray dense = t.array().contiguous();
  return text + std::string(static_cast<const char*>(dense.raw()), static_cast<std::size_t>(dense.bytes()));
}

}  // namespace

std::string fingerprint(const nn::Module& net) {
  std::string text;
  for (const auto& [path, module] : net.namedModules()) {
    text += path + ":" + (module->training() ? "trains" : "eval") + (module->pending() ? ", pending" : "") + "\n";
    for (const Tensor& t : module->seenInputs().get()) text += toString(t.shape()) + std::string(name(t.dtype()));
  }
  for (const auto& [path, calls] : net.streams()) text += path + "=" + std::to_string(calls) + "\n";
  text += std::to_string(currentSeed()) + "," + std::to_string(random::programCalls()) + "\n";
  bool pending = false;
  for (const auto& [path, module] : net.namedModules()) pending = pending || module->pending();
  if (pending) return text;
  for (const nn::Parameters& list : {net.namedParameters(), net.namedBuffers()}) {
    for (const nn::Parameter& p : list) {
      text += p.name + (p.tensor.requiresGrad() ? " requires a gradient" : "") + bytesOf(p.tensor);
      text += bytesOf(p.tensor.grad());
      if (p.tensor.isShapeOnly()) continue;
      const core::NDArray& array = p.tensor.array();
      text += std::to_string(reinterpret_cast<std::uintptr_t>(array.raw())) + "v" + std::to_string(array.version());
    }
  }
  return text;
}

std::string fingerprint(const optim::Optimizer& optimizer) {
  std::string text = optimizer.state().dump();
  for (const nn::Parameter& slot : optimizer.namedSlots()) text += slot.name + bytesOf(slot.tensor);
  return text;
}

std::string contentOf(const TempFolder& folder) {
  std::string text;
  std::string names = folder.list() + " ";
  for (std::size_t at = 0; at + 1 < names.size();) {
    const std::size_t end = names.find(' ', at);
    const std::string name = names.substr(at, end - at);
    text += name + "\n" + readFile(folder / name) + "\n";
    at = end + 1;
  }
  return text;
}

}  // namespace ember::test
