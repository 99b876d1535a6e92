#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <ember/optim/Optimizer.h>

namespace ember::optim {

/// The names of Optim.def.
std::vector<std::string> optimizerTypes();

/// Makes an optimiser by name: makeOptimizer("SGD", net.namedParameters(), {{"lr", 0.1}, {"momentum", 0.9}}). Options
/// that are not given keep their defaults. Throws ValueError for an unknown type or option, naming the nearest, and for
/// values out of range.
std::unique_ptr<Optimizer> makeOptimizer(std::string_view type, nn::Parameters parameters,
                                         const Value& options = Value::object());

}  // namespace ember::optim
