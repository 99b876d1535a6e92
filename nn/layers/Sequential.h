#pragma once
#include <ember/nn/layers/Numbered.h>

namespace ember::nn {

/// Modules one behind the other, named "0", "1", ... unless given a name; nests.
///
///   nn::Sequential net(nn::Linear(784, 64), nn::ReLU(), nn::Linear(64, 10));
///
/// Every output of a module is the input of the next, so modules of several tensors chain as well. Convolution, linear
/// layer or batch norm with an activation behind run as one op (nn/Fusion.h).
class Sequential : public Numbered {
 public:
  using Module::forward;
  Sequential() = default;
  template <class First, class... Rest>
  requires ModulesFor<Sequential, First, Rest...> explicit Sequential(First&& first, Rest&&... rest) {
    append(std::forward<First>(first));
    (append(std::forward<Rest>(rest)), ...);
  }

  Tensors forward(const Tensors& inputs) override;
  Args args() const override;
  static Sequential fromArgs(const Args& args);
};

}  // namespace ember::nn
