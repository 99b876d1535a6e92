#pragma once
#include <cstddef>
#include <string>

#include <ember/nn/Act.h>
#include <ember/nn/Module.h>

namespace ember::nn {

/// How many of a container's modules from `first` on run as one: 2 for a convolution, linear layer or batch norm with a
/// ReLU or LeakyReLU behind it, else 1. Only where nobody can tell: fusion is on (autograd/Fusion.h), neither module
/// has a forward hook, no summary looks at them, and neither type is derived from ember's.
std::size_t fusedModules(const Module& container, std::size_t first);
/// Whether these two, of which the second alone reads what the first gives, run as one.
bool runAsOne(const Module& layer, const Module& next);

/// A layer's own activation in its arguments ("act": "relu" or "leakyRelu", "slope"; nothing for None), and printed.
void putActivation(Args& args, Act act, double slope);
Act activationOf(const Args& args);
std::string describeActivation(Act act, double slope);

/// Runs two modules that are to run as one on one tensor, under the path of the first.
Tensors runFused(Module& layer, const Module& next, const Tensors& inputs);

}  // namespace ember::nn
