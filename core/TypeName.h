#pragma once
#include <string>
#include <typeinfo>

namespace ember::core {

/// The C++ name of a class without its namespaces: "Residual", "Net<ember::nn::ReLU>".
std::string typeName(const std::type_info& type);

}  // namespace ember::core
