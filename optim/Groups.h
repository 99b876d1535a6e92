#pragma once
#include <vector>

#include <ember/nn/Module.h>
#include <ember/optim/Optimizer.h>

namespace ember::optim {

/// Groups without weight decay for the biases and norms of a net: every parameter whose own name is "bias", that has at
/// most one axis, or that stands in a module whose type's name has "Norm" in it.
///
///   optim::AdamW adamw(net.namedParameters(), {.weightDecay = 0.05, .groups = optim::noDecay(net)});
///
/// By patterns instead: noDecay({"*.bias", "*norm*"}). The first group that matches a parameter has it, so what is to
/// have a rate of its own as well goes in front. Empty if the net has no such parameter.
std::vector<Group> noDecay(const nn::Module& net);
std::vector<Group> noDecay(const std::vector<std::string>& patterns);

}  // namespace ember::optim
