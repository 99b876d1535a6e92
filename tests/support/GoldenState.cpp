#include "support/GoldenState.h"

#include "support/State.h"

namespace ember::test {
namespace {

std::string namesDifference(const nn::Parameters& all, const Json& state) {
  std::string text;
  for (const nn::Parameter& p : all) {
    if (!state.contains(p.name)) text += "PyTorch has no " + p.name + "; ";
  }
  for (const auto& [name, value] : state.items()) {
    bool found = false;
    for (const nn::Parameter& p : all) found = found || p.name == name;
    if (!found) text += "the module has no " + name + "; ";
  }
  return text;
}

}  // namespace

std::string loadState(nn::Module& module, const Json& state) {
  nn::Parameters all = stateOf(module);
  const std::string text = namesDifference(all, state);
  if (!text.empty()) return text;
  const NoGrad guard;
  for (nn::Parameter& p : all) p.tensor.copy_(tensorOf(state.at(p.name)));
  return {};
}

std::string stateDifference(const nn::Module& module, const Json& state, const Tolerance& tolerance) {
  const nn::Parameters all = stateOf(module);
  std::string text = namesDifference(all, state);
  if (!text.empty()) return text;
  for (const nn::Parameter& p : all) {
    const std::string what = difference(p.tensor, tensorOf(state.at(p.name)), tolerance);
    if (!what.empty()) text += p.name + ": " + what + "; ";
  }
  return text;
}

}  // namespace ember::test
