#pragma once
#include <concepts>
#include <string>
#include <type_traits>
#include <utility>

#include <ember/nn/Module.h>

namespace ember::nn {

/// What Sequential, Parallel and ModuleList share: modules named "0", "1", ... unless given a name.
class Numbered : public Module {
 public:
  using Module::forward;
  /// Adds a module behind the last, under its own name if it was built with one, else under its position; returns it.
  template <class M>
  std::decay_t<M>& append(M&& module) {
    const std::string own(module.preferredName());
    return add(own.empty() ? std::to_string(childCount()) : own, std::forward<M>(module));
  }

 protected:
  Numbered() = default;
};

/// Whether these are modules that a container of type C takes, not a container of that type to move from.
template <class C, class First, class... Rest>
concept ModulesFor = std::derived_from<std::remove_cvref_t<First>, Module> &&
                     (std::derived_from<std::remove_cvref_t<Rest>, Module> && ...) &&
                     !(sizeof...(Rest) == 0 && std::same_as<std::remove_cvref_t<First>, C>);

}  // namespace ember::nn
