#include <ember/nn/Checkpoint.h>

#include <ember/core/io/Checkpoint.h>
#include <ember/nn/Misfits.h>
#include <ember/nn/PlannedLoad.h>
#include <ember/nn/Registry.h>
#include <ember/nn/SelfTest.h>
#include <ember/nn/layers/Graph.h>

namespace ember {

std::string LoadReport::toString() const {
  std::string text = "took " + std::to_string(taken.size()) + (taken.size() == 1 ? " tensor" : " tensors");
  if (!cast.empty()) text += "; converted " + nn::listed(cast);
  if (!left.empty()) text += "; left " + std::to_string(left.size()) + " in the file: " + nn::listed(left);
  if (!missing.empty())
    text += "; " + std::to_string(missing.size()) + " of the net kept their values: " + nn::listed(missing);
  return text;
}

namespace nn {

io::Checkpoint checkpointOf(const Module& module, const SaveOptions& options) {
  checkBuildable(module);
  io::Checkpoint checkpoint;
  checkpoint.model = module.architecture();
  Value frozen = Value::array(), aliases = Value::object();
  for (const Parameter& parameter : module.namedParameters()) {
    checkpoint.tensors.push_back({parameter.name, "param", parameter.tensor.array()});
    if (!parameter.tensor.requiresGrad()) frozen.push(parameter.name);
  }
  for (const Parameter& buffer : module.namedBuffers())
    checkpoint.tensors.push_back({buffer.name, "buffer", buffer.tensor.array()});
  for (const auto& [name, first] : module.aliases()) aliases.append(name, first);
  if (options.selfTest) {
    SeenInputs given;
    given.note(options.sample);
    checkpoint.selfTest = selfTestOf(module, given.get());
  }
  if (frozen.size() > 0) checkpoint.extra.set("frozen", std::move(frozen));
  if (aliases.size() > 0) checkpoint.extra.set("aliases", std::move(aliases));
  return checkpoint;
}

}  // namespace nn

void save(const std::string& path, const nn::Module& module, const SaveOptions& options) {
  io::writeCheckpoint(path, nn::checkpointOf(module, options),
                      {.readable = options.readable, .keepPrevious = options.keepPrevious});
}

LoadReport load(const std::string& path, nn::Module& module, const LoadOptions& options) {
  nn::PlannedLoad plan(io::readCheckpoint(path), module, options, path);
  return plan.commit();
}

}  // namespace ember
