#pragma once
#include <concepts>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include <ember/nn/Module.h>

namespace ember::nn {

/// Modules one behind the other, named "0", "1", ... unless given a name; nests.
///
///   nn::Sequential net(nn::Linear(784, 64), nn::ReLU(), nn::Linear(64, 10));
///
/// Every output of a module is the input of the next, so modules of several tensors chain as well. Convolution, linear
/// layer or batch norm with an activation behind run as one op (nn/Fusion.h).
class Sequential : public Module {
 public:
  using Module::forward;
  Sequential() = default;
  template <class First, class... Rest>
  requires(std::derived_from<std::remove_cvref_t<First>, Module> &&
           (std::derived_from<std::remove_cvref_t<Rest>, Module> && ...) &&
           !(sizeof...(Rest) == 0 &&
             std::same_as<std::remove_cvref_t<First>, Sequential>)) explicit Sequential(First&& first, Rest&&... rest) {
    append(std::forward<First>(first));
    (append(std::forward<Rest>(rest)), ...);
  }

  /// Adds a module behind the last, under its own name if it was built with one, else under its position; returns it.
  template <class M> std::decay_t<M>& append(M&& module) {
    const std::string own(module.preferredName());
    return add(own.empty() ? std::to_string(childCount()) : own, std::forward<M>(module));
  }

  Tensors forward(const Tensors& inputs) override;
  Args args() const override;
  static Sequential fromArgs(const Args& args);
};

}  // namespace ember::nn
