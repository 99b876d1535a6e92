// A net from its file alone. The file says what layers there are and of what size; it is built of shapes first, which
// costs nothing, so that only what the tensors of the file fill is ever taken from the system.

#include <ember/core/Error.h>
#include <ember/core/Memory.h>
#include <ember/core/Shortage.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/core/io/Text.h>
#include <ember/nn/Checkpoint.h>
#include <ember/nn/Init.h>
#include <ember/nn/PlannedLoad.h>
#include <ember/nn/Registry.h>

namespace ember::nn {
namespace {

constexpr const char* op = "load";
/// What constructors of the program's own modules may take beside what the file has: tables that are not saved.
constexpr i64 spareBytes = i64{64} << 20;

i64 bytesOf(const io::Checkpoint& checkpoint) {
  i64 bytes = 0;
  for (const io::CheckpointTensor& tensor : checkpoint.tensors) bytes += tensor.array.bytes();
  return bytes;
}

std::unique_ptr<Module> builtFrom(const io::Checkpoint& checkpoint, const std::string& path) {
  const memory::Budget limit(2 * bytesOf(checkpoint) + spareBytes);
  const init::Skip skip;  // every value comes from the file
  BuildScope scope;
  const auto build = [&] {
    std::unique_ptr<Module> net = nn::build(checkpoint.model);
    checkBuildable(*net);
    return net;
  };
  try {
    try {
      const init::ShapesOnly shapes;
      return build();
    } catch (const StateError&) {
      // The constructor of a type of the program's own looks at values.
      scope.restart();
      return build();
    }
  } catch (const std::exception& error) {
    memory::passShortage();
    const std::string text = error.what();
    throw IoError(op, io::inQuotes(path) + " holds a net that cannot be built here",
                  {{"layer", scope.path()}, {"reason", text.substr(0, text.find('\n'))}},
                  "call nn::registerModule(NAME, factory) for types of your own, or build the net in code and load() "
                  "the file into it");
  }
}

}  // namespace

std::unique_ptr<Module> load(const std::string& path, const BuildOptions& options) {
  return netOf(io::readCheckpoint(path), path, options);
}

std::unique_ptr<Module> netOf(const io::Checkpoint& checkpoint, const std::string& path, const BuildOptions& options) {
  if (checkpoint.model.isNull()) {
    throw IoError(op, io::inQuotes(path) + " has no architecture to build a net from", {},
                  "build the net in code and load() the file into it");
  }
  std::unique_ptr<Module> module = builtFrom(checkpoint, path);
  PlannedLoad plan(checkpoint, *module, {.compareModel = false, .selfTest = options.selfTest}, path,
                   PlannedLoad::Into::Built);
  plan.commit();
  for (Parameter& parameter : module->namedParameters()) {
    const bool trains = !plan.frozen().contains(parameter.name);
    if (parameter.tensor.requiresGrad() != trains) parameter.tensor.setRequiresGrad(trains);
  }
  return module;
}

}  // namespace ember::nn
