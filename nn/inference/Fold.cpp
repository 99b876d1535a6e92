#include <ember/nn/inference/Fold.h>

#include <memory>
#include <string>
#include <typeinfo>
#include <vector>

#include <ember/core/Error.h>
#include <ember/nn/Init.h>
#include <ember/nn/inference/FoldedPair.h>
#include <ember/nn/layers/Activations.h>

namespace ember::nn {
namespace {

using core::NDArray;

constexpr const char* op = "fold";

[[noreturn]] void refuse(const std::string& what, const char* help) { throw ValueError(op, what, {}, help); }

/// Ranks of the data that a norm takes.
struct Ranks {
  int min = 2, max = Shape::maxRank;

  explicit Ranks(const BatchNormND& norm) {
    if (dynamic_cast<const BatchNorm1D*>(&norm)) max = 3;
    if (dynamic_cast<const BatchNorm2D*>(&norm)) min = max = 4;
    if (dynamic_cast<const BatchNorm3D*>(&norm)) min = max = 5;
  }
};

/// Throws unless the norm is one fixed affine map a channel.
void checkNorm(const BatchNormND& norm) {
  const BatchNormNDOptions& o = norm.options();
  if (norm.training()) {
    throw StateError(op, norm.typeName() + " is in training mode, where it normalises with each batch's statistics", {},
                     "call eval() first");
  }
  if (norm.pending()) {
    throw StateError(op, norm.typeName() + " has no tensors yet", {}, "run it once, or load its state first");
  }
  // setTrackRunningStats(false) leaves the option, and the statistics, as they were; the arguments tell.
  const bool tracks = o.trackRunningStats && norm.args().get<bool>("tracking", true);
  const BatchNormOptions eval{.training = false,
                              .useGlobalStats = o.useGlobalStats,
                              .trainableStatistics = o.trainableStatistics,
                              .trackRunningStats = tracks,
                              .freeze = o.freeze};
  if (decideStatistics(eval, norm.runningMean.defined(), 2).batch) {
    const char* why = !tracks                 ? "trackRunningStats is off"
                      : o.trainableStatistics ? "trainableStatistics is on"
                                              : "useGlobalStats is False";
    refuse(norm.typeName() + " normalises with the batch's statistics in eval, too: " + why,
           "only fixed statistics can be folded");
  }
  if (o.paramDim != ParamDim::Spatial)
    refuse(norm.typeName() + " has parameters for every activation", "only parameters of a channel can be folded");
}

void checkNoActivation(const BatchNormND& norm) {
  if (norm.options().act == Act::None) return;
  refuse(norm.typeName() + " has an activation, which the folded layer cannot hold",
         "build it with act = None and put the activation behind, or use folded() on the Sequential");
}

/// An activation of the layer's own stands between it and the norm.
void checkPlain(const Module& layer, Act act) {
  if (act == Act::None) return;
  refuse(layer.typeName() + " has an activation, so the norm behind is not affine in it",
         "build the layer with act = None and put the activation behind the norm");
}

void checkAxis(const ConvND& conv, const BatchNormND& norm) {
  const int rank = conv.weight.rank();
  if (const Ranks ranks(norm); rank < ranks.min || rank > ranks.max) {
    throw ShapeError(
        op, conv.typeName() + " gives rank " + std::to_string(rank) + ", which " + norm.typeName() + " does not take");
  }
  if (const int axis = norm.channelAxis(rank); axis != 1) {
    refuse("the channels of " + norm.typeName() + " are on axis " + std::to_string(axis) + ", those of " +
               conv.typeName() + " on axis 1",
           "build the norm with channelAxis = 1");
  }
}

/// -1 for a rank at which the options of the norm make no sense.
int channelAxisAt(const BatchNormND& norm, int rank) {
  try {
    return norm.channelAxis(rank);
  } catch (const ShapeError&) {
    return -1;
  }
}

void checkAxis(const Linear&, const BatchNormND& norm) {
  const Ranks ranks(norm);
  for (int rank = ranks.min; rank <= ranks.max; ++rank) {
    if (channelAxisAt(norm, rank) == rank - 1) return;
  }
  refuse("the channels of " + norm.typeName() + " are not on the last axis, where Linear has its outputs",
         "build the norm with channelAxis = -1");
}

/// w and b with the norm in them, in f64 and rounded to the type of w; the channel is axis 0 of w.
struct Folded {
  NDArray weight, bias;
};
Folded foldedOf(const Module& layer, const Tensor& weight, const Tensor& bias, const BatchNormND& norm) {
  const std::vector<double> scale = norm.inferenceScale(), shift = norm.inferenceShift();
  const i64 channels = weight.size(0);
  if (channels != static_cast<i64>(scale.size())) {
    throw ShapeError(op, layer.typeName() + " gives " + std::to_string(channels) + " channels, " + norm.typeName() +
                             " expects " + std::to_string(scale.size()));
  }
  if (const DType type = norm.runningMean.dtype(); weight.dtype() != type) {
    throw DtypeError(op,
                     layer.typeName() + " is " + std::string(name(weight.dtype())) + ", " + norm.typeName() + " is " +
                         std::string(name(type)),
                     {}, "convert one of them with to()");
  }
  std::vector<double> w = weight.toVector<double>();
  std::vector<double> b = bias.defined() ? bias.toVector<double>() : std::vector<double>(scale.size(), 0.0);
  const std::size_t each = w.size() / scale.size();
  for (std::size_t i = 0; i < w.size(); ++i) w[i] *= scale[i / each];
  for (std::size_t c = 0; c < b.size(); ++c) b[c] = b[c] * scale[c] + shift[c];
  return {NDArray::from<double>(w, weight.shape()).to(weight.dtype()),
          NDArray::from<double>(b, {channels}).to(weight.dtype())};
}

/// fold() of a norm whose activation, if it has one, is someone else's affair.
template <class Layer>
Layer affinePart(const Layer& layer, const BatchNormND& norm) {
  checkNorm(norm);
  checkPlain(layer, layer.options().act);
  checkAxis(layer, norm);
  const Folded values = foldedOf(layer, layer.weight, layer.bias, norm);
  Args args = layer.args();
  args.set("bias", true);
  const init::Skip skip;  // both tensors are replaced
  Layer result = Layer::fromArgs(args);
  result.weight.setArray(values.weight);
  result.bias.setArray(values.bias);
  result.eval();
  return result;
}

template <class Layer>
Layer foldOf(const Layer& layer, const BatchNormND& norm) {
  checkNoActivation(norm);
  return affinePart(layer, norm);
}

template <class Layer>
std::unique_ptr<Module> affinePartIf(const Module& layer, const BatchNormND& norm) {
  // A type derived from it may compute something else.
  if (typeid(layer) != typeid(Layer)) return nullptr;
  // Its own activation stands between the two.
  if (static_cast<const Layer&>(layer).options().act != Act::None) return nullptr;
  return std::make_unique<Layer>(affinePart(static_cast<const Layer&>(layer), norm));
}

}  // namespace

std::unique_ptr<Module> foldedPair(const Module& layer, const Module& next) {
  const std::type_info& type = typeid(next);
  if (type != typeid(BatchNormND) && type != typeid(BatchNorm1D) && type != typeid(BatchNorm2D) &&
      type != typeid(BatchNorm3D)) {
    return nullptr;
  }
  const BatchNormND& norm = static_cast<const BatchNormND&>(next);
  for (const auto make : {affinePartIf<Conv1D>, affinePartIf<Conv2D>, affinePartIf<Conv3D>, affinePartIf<Linear>}) {
    if (std::unique_ptr<Module> result = make(layer, norm)) return result;
  }
  return nullptr;
}

namespace {

std::unique_ptr<Module> activationOf(const BatchNormNDOptions& o) {
  std::unique_ptr<Module> result;
  if (o.act == Act::ReLU) result = std::make_unique<ReLU>();
  if (o.act == Act::LeakyReLU) result = std::make_unique<LeakyReLU>(o.slope);
  if (result) result->eval();
  return result;
}

}  // namespace

Conv1D fold(const Conv1D& layer, const BatchNormND& norm) { return foldOf(layer, norm); }
Conv2D fold(const Conv2D& layer, const BatchNormND& norm) { return foldOf(layer, norm); }
Conv3D fold(const Conv3D& layer, const BatchNormND& norm) { return foldOf(layer, norm); }
Linear fold(const Linear& layer, const BatchNormND& norm) { return foldOf(layer, norm); }

Sequential folded(const Sequential& net) {
  if (net.training()) throw StateError("folded", "the net is in training mode", {}, "call eval() first");
  Sequential result;
  result.eval();
  const std::size_t count = net.childCount();
  for (std::size_t i = 0; i < count; ++i) {
    const Module& child = net.child(i);
    if (std::unique_ptr<Module> pair = i + 1 < count ? foldedPair(child, net.child(i + 1)) : nullptr) {
      result.addChild(child.name(), std::move(pair));
      const BatchNormND& norm = static_cast<const BatchNormND&>(net.child(++i));
      if (std::unique_ptr<Module> act = activationOf(norm.options())) result.addChild(norm.name(), std::move(act));
    } else if (typeid(child) == typeid(Sequential)) {
      result.addChild(child.name(), std::make_unique<Sequential>(folded(static_cast<const Sequential&>(child))));
    } else {
      result.addChild(child.name(), child.clone());
    }
  }
  return result;
}

}  // namespace ember::nn
