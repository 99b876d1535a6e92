#include <ember/nn/layers/Norms.h>

#include <limits>

#include <ember/autograd/ops/ActivationChecks.h>
#include <ember/autograd/ops/Normalisation.h>
#include <ember/core/Error.h>
#include <ember/nn/Init.h>

namespace ember::nn {
namespace {

void checkSizes(const char* layer, const Shape& normalized) {
  bool fine = !normalized.empty();
  for (const i64 size : normalized) fine = fine && size >= 1;
  if (!fine) {
    throw ValueError(layer, "the normalised shape is " + ember::toString(normalized), {},
                     "give the sizes of the last axes of the input, each 1 or more");
  }
}

void checkEpsilon(const char* layer, double epsilon) {
  autograd::checkFinite(layer, "epsilon", epsilon);
  if (epsilon < 0) throw ValueError(layer, "epsilon is " + autograd::toText(epsilon) + ", must be 0 or more");
}

}  // namespace

LayerNorm::LayerNorm(const Shape& normalized, LayerNormOptions options) : normalized_(normalized), options_(options) {
  checkSizes("LayerNorm", normalized);
  checkEpsilon("LayerNorm", options.epsilon);
  if (!options.affine) return;
  weight = addParameter("weight", init::filled(normalized, 1));
  if (options.bias) bias = addParameter("bias", init::filled(normalized, 0));
}

Tensor LayerNorm::forward(const Tensor& x) { return layerNorm(x, normalized_, weight, bias, options_.epsilon); }

Args LayerNorm::args() const {
  return {{"normalized", normalized_.vector()},
          {"epsilon", options_.epsilon},
          {"affine", options_.affine},
          {"bias", options_.bias}};
}

LayerNorm LayerNorm::fromArgs(const Args& a) {
  return LayerNorm(Shape(a.get<std::vector<i64>>("normalized")),
                   {.epsilon = a.get<double>("epsilon"), .affine = a.get<bool>("affine"), .bias = a.get<bool>("bias")});
}

RMSNorm::RMSNorm(const Shape& normalized, RMSNormOptions options) : normalized_(normalized), options_(options) {
  checkSizes("RMSNorm", normalized);
  if (options.epsilon) checkEpsilon("RMSNorm", *options.epsilon);
  if (options.affine) weight = addParameter("weight", init::filled(normalized, 1));
}

Tensor RMSNorm::forward(const Tensor& x) {
  const bool wide = x.defined() && x.dtype() == DType::F64;
  const double own = wide ? std::numeric_limits<double>::epsilon() : std::numeric_limits<float>::epsilon();
  return rmsNorm(x, normalized_, weight, options_.epsilon.value_or(own));
}

Args RMSNorm::args() const {
  Args a{{"normalized", normalized_.vector()}, {"affine", options_.affine}};
  if (options_.epsilon) a.set("epsilon", *options_.epsilon);
  return a;
}

RMSNorm RMSNorm::fromArgs(const Args& a) {
  RMSNormOptions options{.affine = a.get<bool>("affine")};
  if (a.has("epsilon")) options.epsilon = a.get<double>("epsilon");
  return RMSNorm(Shape(a.get<std::vector<i64>>("normalized")), options);
}

GroupNorm::GroupNorm(i64 groups, i64 channels, GroupNormOptions options)
    : groups_(groups), channels_(channels), options_(options) {
  if (groups < 1 || channels < 1 || channels % groups != 0) {
    throw ValueError("GroupNorm", std::to_string(groups) + " groups of " + std::to_string(channels) + " channels", {},
                     "both must be 1 or more, and the groups divide the channels");
  }
  checkEpsilon("GroupNorm", options.epsilon);
  if (!options.affine) return;
  weight = addParameter("weight", init::filled({channels}, 1));
  bias = addParameter("bias", init::filled({channels}, 0));
}

Tensor GroupNorm::forward(const Tensor& x) {
  if (x.defined() && (x.rank() < 2 || x.size(1) != channels_)) {
    throw ShapeError("groupNorm",
                     "x is " + ember::toString(x.shape()) + ", expected [N, " + std::to_string(channels_) + ", ...]");
  }
  return groupNorm(x, groups_, weight, bias, options_.epsilon);
}

Args GroupNorm::args() const {
  return {{"groups", groups_}, {"channels", channels_}, {"epsilon", options_.epsilon}, {"affine", options_.affine}};
}

GroupNorm GroupNorm::fromArgs(const Args& a) {
  return GroupNorm(a.get<i64>("groups"), a.get<i64>("channels"),
                   {.epsilon = a.get<double>("epsilon"), .affine = a.get<bool>("affine")});
}

std::string GroupNorm::details() const {
  return std::to_string(groups_) + " of " + std::to_string(channels_) + (options_.affine ? "" : ", not affine");
}

LocalResponseNorm::LocalResponseNorm(i64 size, LocalResponseNormOptions options) : size_(size), options_(options) {
  // The function's own checks; nothing is computed.
  (void)localResponseNorm(Tensor::shapeOnly({0, 1, 1}), size, options.alpha, options.beta, options.k);
}

Tensor LocalResponseNorm::forward(const Tensor& x) {
  return localResponseNorm(x, size_, options_.alpha, options_.beta, options_.k);
}

Args LocalResponseNorm::args() const {
  return {{"size", size_}, {"alpha", options_.alpha}, {"beta", options_.beta}, {"k", options_.k}};
}

LocalResponseNorm LocalResponseNorm::fromArgs(const Args& a) {
  return LocalResponseNorm(a.get<i64>("size"),
                           {.alpha = a.get<double>("alpha"), .beta = a.get<double>("beta"), .k = a.get<double>("k")});
}

}  // namespace ember::nn
