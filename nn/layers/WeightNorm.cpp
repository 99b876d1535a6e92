#include <ember/nn/layers/WeightNorm.h>

#include <limits>
#include <mutex>
#include <vector>

#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Math.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/core/Error.h>
#include <ember/nn/Registry.h>
#include <ember/nn/layers/ConvND.h>
#include <ember/nn/layers/ConvTransposeND.h>
#include <ember/nn/layers/Embedding.h>
#include <ember/nn/layers/Linear.h>

namespace ember::nn {

/// The layer's handle on its weight, and of which g and v its value is.
struct WeightNorm::Current {
  struct Origin {
    std::shared_ptr<core::Storage> storage;
    u64 version = 0;
    explicit Origin(const Tensor& t) : storage(t.array().storage()), version(t.array().version()) {}
    Origin() = default;
    bool operator==(const Origin&) const = default;
  };
  std::mutex mutex;  // forwards in eval mode may run side by side
  Tensor* weight = nullptr;
  Origin g, v;
  bool recorded = false;
};

namespace {

/// |v| over all axes but `axis`, kept. Bounded under the root, whose derivative at 0 would be infinite.
Tensor lengths(const Tensor& v, std::optional<int> axis) {
  std::vector<int> axes;
  for (int i = 0; i < v.rank(); ++i) {
    if (!axis || i != *axis) axes.push_back(i);
  }
  // Without an axis to sum there is |v| of each number.
  const Tensor squares = axes.empty() ? v * v : sum(v * v, axes, axis.has_value());
  return sqrt(clamp(squares, std::numeric_limits<float>::min(), std::numeric_limits<double>::infinity()));
}

/// Where a layer keeps its weight; null for other types. A forward looks there: another tensor may stand in.
Tensor* weightOf(Module& layer) {
  if (auto* affine = dynamic_cast<AffineLayer<LinearOptions>*>(&layer)) return &affine->weight;
  if (auto* affine = dynamic_cast<AffineLayer<ConvOptions>*>(&layer)) return &affine->weight;
  if (auto* transposed = dynamic_cast<ConvTransposeND*>(&layer)) return &transposed->weight;
  if (auto* grouped = dynamic_cast<GroupedLinear*>(&layer)) return &grouped->weight;
  if (auto* table = dynamic_cast<Embedding*>(&layer)) return &table->weight;
  return nullptr;
}

}  // namespace

WeightNorm::WeightNorm(std::unique_ptr<Module> layer, std::optional<int> axis)
    : layer_(std::move(layer)), current_(std::make_shared<Current>()) {
  constexpr const char* op = "weightNorm";
  if (!layer_) throw ValueError(op, "the layer is null");
  current_->weight = weightOf(*layer_);
  if (!current_->weight) {
    throw ValueError(op, layer_->typeName() + " has no weight to be normed", {},
                     "apply it to Linear, a convolution, GroupedLinear or Embedding");
  }
  // The layer's own parameter becomes the direction.
  v = *current_->weight;
  if (axis) axis_ = normalizeAxis(*axis, v.rank(), op);
  const auto adopt = [this](const std::string& name, Tensor t, const ParameterSettings& settings) {
    const bool trains = t.requiresGrad();
    addParameter(name, t, settings).setRequiresGrad(trains);
  };
  const Parameters parameters = layer_->namedParameters();
  for (const Parameter& p : parameters) {
    if (p.name != "weight") adopt(p.name, p.tensor, p.settings);
  }
  {
    const NoGrad guard;
    g = addParameter("weight_g", lengths(v, axis_)).setRequiresGrad(v.requiresGrad());
  }
  for (const Parameter& p : parameters) {
    if (p.name == "weight") adopt("weight_v", p.tensor, p.settings);
  }
}

Tensor WeightNorm::compute() const { return v * (g / lengths(v, axis_)); }

void WeightNorm::refresh() {
  const std::lock_guard lock(current_->mutex);
  if (layer_->training() != training()) layer_->train(training());
  const Current::Origin ofG(g), ofV(v);
  const bool recorded = gradEnabled() && (g.requiresGrad() || v.requiresGrad());
  // Of a graph that is gone, w serves only where nothing is recorded.
  const bool current = !recorded && !(current_->recorded && gradEnabled());
  if (current && ofG == current_->g && ofV == current_->v) return;
  *current_->weight = compute();
  current_->g = ofG;
  current_->v = ofV;
  current_->recorded = recorded;
}

Tensors WeightNorm::forward(const Tensors& inputs) {
  if (!layer_) throw StateError("weightNorm", "the layer was released");
  refresh();
  return layer_->forward(inputs);
}

std::unique_ptr<Module> WeightNorm::release() {
  if (!layer_) throw StateError("weightNorm", "the layer was released already");
  {
    const NoGrad guard;
    v.setArray(compute().array());
  }
  *current_->weight = v;
  layer_->train(training());
  return std::move(layer_);
}

Args WeightNorm::args() const {
  Args a{{"layer", layer_ ? layer_->architecture() : Value()}};
  if (axis_) a.set("axis", *axis_);
  return a;
}

WeightNorm WeightNorm::fromArgs(const Args& a) {
  std::optional<int> axis;
  if (a.has("axis")) axis = a.get<int>("axis");
  return WeightNorm(build(a.at("layer")), axis);
}

std::string WeightNorm::details() const {
  if (!layer_) return "released";
  return layer_->typeName() + "(" + layer_->details() + ")";
}

}  // namespace ember::nn
