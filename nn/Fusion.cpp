#include <ember/nn/Fusion.h>

#include <optional>
#include <typeinfo>

#include <ember/autograd/Fusion.h>
#include <ember/core/Error.h>
#include <ember/nn/SummaryRecorder.h>
#include <ember/nn/layers/Activations.h>
#include <ember/nn/layers/BatchNormND.h>
#include <ember/nn/layers/ConvND.h>
#include <ember/nn/layers/Linear.h>

namespace ember::nn {
namespace {

struct Activation {
  Act act = Act::None;
  double slope = 0;
};

Activation activationOf(const Module& module) {
  // By address: == would compare the names of what is no activation. At worst a pair is not fused.
  const std::type_info* type = &typeid(module);
  if (type == &typeid(ReLU)) return {Act::ReLU, 0};
  if (type == &typeid(LeakyReLU)) return {Act::LeakyReLU, static_cast<const LeakyReLU&>(module).slope()};
  return {};
}

// A type derived from a layer may compute something else.
bool isConv(const Module& m) {
  return typeid(m) == typeid(Conv2D) || typeid(m) == typeid(Conv1D) || typeid(m) == typeid(Conv3D);
}
bool isLinear(const Module& m) { return typeid(m) == typeid(Linear); }
bool isNorm(const Module& m) {
  const std::type_info& type = typeid(m);
  return type == typeid(BatchNorm2D) || type == typeid(BatchNorm1D) || type == typeid(BatchNorm3D) ||
         type == typeid(BatchNormND);
}

bool takes(const Module& layer, const Activation& activation) {
  const bool bySign = activation.act == Act::ReLU || activation.slope >= 0;
  if (isConv(layer)) return bySign && static_cast<const ConvND&>(layer).options().act == Act::None;
  if (isLinear(layer)) return bySign && static_cast<const Linear&>(layer).options().act == Act::None;
  return isNorm(layer) && static_cast<const BatchNormND&>(layer).canActivate();
}

}  // namespace

std::size_t fusedModules(const Module& container, std::size_t first) {
  if (first + 1 >= container.childCount()) return 1;
  return runAsOne(container.child(first), container.child(first + 1)) ? 2 : 1;
}

bool runAsOne(const Module& layer, const Module& next) {
  const Activation activation = activationOf(next);
  if (activation.act == Act::None || !takes(layer, activation)) return false;
  const bool watched = layer.hasForwardHooks() || next.hasForwardHooks() || SummaryRecorder::recording();
  return !watched && fusionEnabled();
}

void putActivation(Args& args, Act act, double slope) {
  if (act == Act::None) return;
  args.set("act", act == Act::ReLU ? "relu" : "leakyRelu");
  if (act == Act::LeakyReLU) args.set("slope", slope);
}

Act activationOf(const Args& args) {
  const std::string name = args.get<std::string>("act", "");
  if (name.empty()) return Act::None;
  if (name == "relu") return Act::ReLU;
  if (name == "leakyRelu") return Act::LeakyReLU;
  throw ValueError("act", "no activation is called \"" + name + "\"", {}, "use relu or leakyRelu");
}

std::string describeActivation(Act act, double slope) {
  return act == Act::None ? "" : act == Act::ReLU ? ", relu" : ", leakyRelu " + Value(slope).dump();
}

Tensors runFused(Module& layer, const Module& next, const Tensors& inputs) {
  const Activation a = activationOf(next);
  return layer.callAs(inputs, [&]() -> Tensors {
    const Tensor& x = inputs[0];
    if (isConv(layer)) return {static_cast<ConvND&>(layer).forward(x, a.act, a.slope)};
    if (isLinear(layer)) return {static_cast<Linear&>(layer).forward(x, a.act, a.slope)};
    return {static_cast<BatchNormND&>(layer).forward(x, a.act, a.slope)};
  });
}

}  // namespace ember::nn
