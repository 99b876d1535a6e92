#include "support/State.h"

#include <utility>

#include "support/Draw.h"

namespace ember::test {

nn::Parameters stateOf(const nn::Module& module) {
  nn::Parameters all = module.namedParameters();
  for (nn::Parameter& buffer : module.namedBuffers()) all.push_back(std::move(buffer));
  return all;
}

std::string stateDifference(const nn::Module& a, const nn::Module& b) {
  const nn::Parameters x = stateOf(a), y = stateOf(b);
  if (x.size() != y.size()) return std::to_string(x.size()) + " tensors and " + std::to_string(y.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const nn::ParameterSettings &s = x[i].settings, &t = y[i].settings;
    if (x[i].name != y[i].name) return x[i].name + " and " + y[i].name;
    if (!sameBits(x[i].tensor, y[i].tensor)) return "values of " + x[i].name;
    if (x[i].tensor.requiresGrad() != y[i].tensor.requiresGrad()) return x[i].name + " trains in one alone";
    if (s.lrMultiplier != t.lrMultiplier || s.weightDecayMultiplier != t.weightDecayMultiplier ||
        s.averaged != t.averaged) {
      return "settings of " + x[i].name;
    }
  }
  return {};
}

}  // namespace ember::test
