#include <ember/core/TypeName.h>

#include <cxxabi.h>

#include <cstdlib>
#include <memory>

namespace ember::core {

std::string typeName(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(abi::__cxa_demangle(type.name(), nullptr, nullptr, &status),
                                                         &std::free);
  std::string name = status == 0 && text ? text.get() : type.name();
  // Not inside template arguments: "my::Net<ember::nn::ReLU>" is "Net<ember::nn::ReLU>".
  if (const auto colon = name.rfind("::", name.find('<')); colon != std::string::npos) name.erase(0, colon + 2);
  return name;
}

}  // namespace ember::core
