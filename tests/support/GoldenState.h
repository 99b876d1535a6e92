#pragma once
#include <ember/nn/Module.h>

#include "support/Golden.h"

/// State dictionaries of golden files: {"conv.weight": tensor, "norm.running_mean": tensor, ...}, PyTorch's names.
namespace ember::test {

/// Writes every entry into the parameter or buffer of that name; a name on one side only is an error text, else empty.
[[nodiscard]] std::string loadState(nn::Module& module, const Json& state);
/// What differs between the module's state and a golden one: names and values; empty if nothing does.
[[nodiscard]] std::string stateDifference(const nn::Module& module, const Json& state, const Tolerance& tolerance);

}  // namespace ember::test
