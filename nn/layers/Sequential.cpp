#include <ember/nn/layers/Sequential.h>

#include <ember/nn/Fusion.h>
#include <ember/nn/Registry.h>

namespace ember::nn {

Tensors Sequential::forward(const Tensors& inputs) {
  Tensors values = inputs;
  for (std::size_t i = 0; i < childCount();) {
    const std::size_t count = values.size() == 1 ? fusedModules(*this, i) : 1;
    values = count == 1 ? child(i)(values) : runFused(*this, i, values);
    i += count;
  }
  return values;
}

Args Sequential::args() const {
  Value layers = Value::array();
  for (std::size_t i = 0; i < childCount(); ++i) {
    Value entry = Value::object();
    entry.set("name", child(i).name());
    const Value architecture = child(i).architecture();
    for (const auto& [key, value] : architecture.members()) entry.set(key, value);
    layers.push(std::move(entry));
  }
  Args args = Args::object();
  args.set("layers", std::move(layers));
  return args;
}

Sequential Sequential::fromArgs(const Args& args) {
  Sequential net;
  for (const Value& entry : args.at("layers").elements()) net.addChild(entry.get<std::string>("name"), build(entry));
  return net;
}

}  // namespace ember::nn
