#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <ember/core/Error.h>
#include <ember/core/Random.h>
#include <ember/nn/inference/Fold.h>
#include <ember/nn/inference/FoldedPair.h>

// A net of the user's own is whatever its forward does. So it is run, without data, and every layer and norm tells what
// it gave and got: a tensor that a layer gave and a norm got makes the two a pair. That a third one read it, too, no
// hook can tell (h = conv(x); norm(h) + h), but numbers can.

namespace ember::nn {
namespace {

constexpr const char* op = "foldBatchNorm";

struct Calls {
  int count = 0;
  Tensors inputs, outputs;  ///< of the last call; kept, so that no other tensor takes their place in memory
};

/// What every module of a net got and gave in one forward on shapes.
class Watch {
 public:
  Watch(Module& net, const Shape& input, DType dtype) {
    for (const auto& [path, module] : net.namedModules()) modules_.push_back(module);
    for (Module* module : modules_) {
      module->registerForwardHook([this](Module& m, const Tensors& inputs, const Tensors& outputs) {
        Calls& calls = calls_[&m];
        ++calls.count;
        calls.inputs = inputs;
        calls.outputs = outputs;
      });
    }
    const Guard guard{modules_};
    net(Tensors{Tensor::shapeOnly(input, dtype)});
  }

  const Calls* of(const Module* module) const {
    const auto found = calls_.find(module);
    return found == calls_.end() || found->second.count != 1 ? nullptr : &found->second;
  }
  const std::vector<Module*>& modules() const { return modules_; }

 private:
  struct Guard {
    const std::vector<Module*>& modules;
    ~Guard() {
      for (Module* module : modules) module->dropForwardHook();
    }
  };
  std::vector<Module*> modules_;
  std::map<const Module*, Calls> calls_;
};

/// A layer as it was, and as it is to be.
struct Pair {
  Module* layer;
  BatchNormND* norm;
  std::unique_ptr<Module> folded;
  bool takesActivation;  ///< the norm adds no residual before its own
  core::NDArray weight = {}, bias = {};
  bool hadBias = false;
};

/// f(layer) with the layer as what it is.
template <class F>
void withLayer(Module& module, F&& f) {
  if (auto* conv = dynamic_cast<ConvND*>(&module)) return f(*conv);
  f(dynamic_cast<Linear&>(module));
}

std::vector<Pair> pairsOf(const Watch& watch) {
  std::vector<Pair> pairs;
  for (Module* module : watch.modules()) {
    auto* norm = dynamic_cast<BatchNormND*>(module);
    const Calls* got = norm && !norm->folded() ? watch.of(norm) : nullptr;
    if (!got || got->outputs.size() != 1) continue;
    for (Module* layer : watch.modules()) {
      const Calls* gave = watch.of(layer);
      const bool isLayer = dynamic_cast<ConvND*>(layer) || dynamic_cast<Linear*>(layer);
      if (!gave || !isLayer || gave->outputs[0].impl() != got->inputs[0].impl()) continue;
      if (auto folded = foldedPair(*layer, *norm))
        pairs.push_back({layer, norm, std::move(folded), got->inputs.size() == 1});
    }
  }
  return pairs;
}

void apply(Pair& pair) {
  const BatchNormNDOptions& o = pair.norm->options();
  withLayer(*pair.layer, [&](auto& layer) {
    pair.hadBias = layer.bias.defined();
    layer.extend(pair.takesActivation ? o.act : Act::None, o.slope);
    pair.weight = layer.weight.array();
    pair.bias = layer.bias.array();
    auto& folded = static_cast<std::remove_reference_t<decltype(layer)>&>(*pair.folded);
    layer.weight.setArray(folded.weight.array());
    layer.bias.setArray(folded.bias.array());
  });
  pair.norm->setFolded(true, pair.takesActivation);
}

void undo(Pair& pair) {
  withLayer(*pair.layer, [&](auto& layer) {
    layer.weight.setArray(pair.weight);
    layer.bias.setArray(pair.bias);
    layer.retract(pair.hadBias);
  });
  pair.norm->setFolded(false);
}

/// Numbers of a stream of their own: those of the program stay where they are.
Tensor numbers(const Shape& shape, DType dtype) {
  std::vector<double> values(static_cast<std::size_t>(numel(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = random::normal({0, 0xf01d, 0}, static_cast<u64>(i));
  return Tensor(core::NDArray::from<double>(values, shape).to(dtype));
}

bool agree(const Tensors& a, const Tensors& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double bound = a[i].dtype() == DType::F64 ? 1e-9 : 1e-3;
    const auto left = a[i].toVector<double>(), right = b[i].toVector<double>();
    double largest = 0, apart = 0;
    for (std::size_t k = 0; k < left.size(); ++k) {
      largest = std::max(largest, std::abs(left[k]));
      apart = std::max(apart, std::abs(left[k] - right[k]));
    }
    if (!(apart <= bound * largest)) return false;
  }
  return true;
}

}  // namespace

int foldBatchNorm(Module& net, const Shape& input, DType dtype) {
  for (const auto& [path, module] : net.namedModules()) {
    if (module->training())
      throw StateError(op, path.empty() ? "the net is in training mode" : path + " is in training mode", {},
                       "call eval() first");
  }
  const NoGrad guard;
  std::vector<Pair> pairs = pairsOf(Watch(net, input, dtype));
  const Tensors x{numbers(input, dtype)};
  const Tensors before = net(x);
  for (Pair& pair : pairs) apply(pair);
  if (!agree(before, net(x))) {
    std::for_each(pairs.rbegin(), pairs.rend(), undo);
    throw StateError(op, "the folded net computes something else", {},
                     "does anything besides the norm use the output of a convolution? fold() the other pairs by hand");
  }
  for (Pair& pair : pairs) pair.norm->dropFolded();
  return static_cast<int>(pairs.size());
}

}  // namespace ember::nn
