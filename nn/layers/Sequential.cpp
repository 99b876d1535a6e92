#include <ember/nn/layers/Sequential.h>

#include <ember/nn/Fusion.h>
#include <ember/nn/Registry.h>

namespace ember::nn {

Tensors Sequential::forward(const Tensors& inputs) {
  Tensors values = inputs;
  for (std::size_t i = 0; i < childCount();) {
    const std::size_t count = values.size() == 1 ? fusedModules(*this, i) : 1;
    values = count == 1 ? child(i)(values) : runFused(child(i), child(i + 1), values);
    i += count;
  }
  return values;
}

Args Sequential::args() const { return {{"layers", describeChildren(*this)}}; }

Sequential Sequential::fromArgs(const Args& args) {
  Sequential net;
  addChildren(net, args.at("layers"));
  return net;
}

}  // namespace ember::nn
