#include <ember/nn/layers/BatchNormND.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include <ember/autograd/ops/Activation.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/BatchNorm.h>
#include <ember/autograd/ops/BatchNormStatistics.h>
#include <ember/core/Error.h>
#include <ember/nn/Init.h>
#include <ember/nn/inference/Fold.h>

namespace ember::nn {
namespace {

const char* axesOf(int rank) {
  constexpr const char* names[] = {"[N, C]", "[N, C, L]", "[N, C, H, W]", "[N, C, D, H, W]"};
  return names[rank - 2];
}

std::string nameOr(const std::optional<ParamAttr>& attr, const char* fallback) {
  return attr && !attr->name.empty() ? attr->name : fallback;
}

ParameterSettings settingsOf(const std::optional<ParamAttr>& attr) {
  if (!attr) return {};
  return {.lrMultiplier = attr->lrMultiplier,
          .weightDecayMultiplier = attr->weightDecayMultiplier,
          .averaged = attr->doModelAverage};
}

/// The first of the two that says how a parameter starts.
const Initial& startOf(const Initial& own, const std::optional<ParamAttr>& attr) {
  return own.given() || !attr ? own : attr->init;
}

bool trains(const std::optional<ParamAttr>& attr) { return !attr || attr->trainable; }

}  // namespace

BatchNormND::BatchNormND(const char* type, int minRank, int maxRank, i64 maps, const BatchNormNDOptions& options)
    : type_(type), minRank_(minRank), maxRank_(maxRank), maps_(maps), mapsGiven_(maps), options_(options) {
  checkOptions();
  if (!options.name.empty()) setName(options.name);
  if (options.isTest) train(false);
  const bool shapeKnown = maps > 0 && options.paramDim == ParamDim::Spatial;
  if (shapeKnown && !options.empty) materialise({maps});
}

// ---- tensors ----

void BatchNormND::materialise(const Shape& parameters) {
  const auto refuse = [&](const std::string& what, const char* help) { throw ShapeError(type_, what, {}, help); };
  if (materialised_)
    throw StateError(type_, "the layer has its tensors already", {}, "build a new one for other shapes");
  const bool spatial = options_.paramDim == ParamDim::Spatial;
  if (parameters.empty() || numel(parameters) < 1 || (spatial && parameters.rank() != 1)) {
    refuse("the layer cannot have parameters " + ember::toString(parameters),
           spatial ? "give {channels}" : "give the shape of one sample, {channels, ...}");
  }
  const int axis = spatial ? 1 : channelAxis(parameters.rank() + 1);
  if (axis == 0) refuse("parameters cannot be " + ember::toString(parameters), "the channels must not be on axis 0");
  const i64 channels = parameters[axis - 1];
  if (maps_ != 0 && channels != maps_) {
    refuse("the input has " + std::to_string(channels) + " channels, the layer was built for " + std::to_string(maps_),
           "build the layer with that number of channels");
  }
  const auto made = [&] { return init::blank(parameters, options_.dtype); };
  try {
    if (hasScale()) {
      ParameterSettings settings = settingsOf(options_.paramAttr);
      // Whatever unfreezes it, no optimiser moves or decays it.
      if (options_.fixGamma) settings.lrMultiplier = settings.weightDecayMultiplier = 0;
      weight = addParameter(nameOr(options_.paramAttr, "weight"), made(), settings);
      weight.setRequiresGrad(!options_.fixGamma && !options_.freeze && trains(options_.paramAttr));
    }
    if (hasShift()) {
      bias = addParameter(nameOr(options_.biasAttr, "bias"), made(), settingsOf(options_.biasAttr));
      bias.setRequiresGrad(!options_.freeze && trains(options_.biasAttr));
    }
    if (options_.trackRunningStats) {
      const ParameterSettings settings{.averaged = options_.doModelAverage};
      runningMean = addBuffer(options_.meanName, made(), settings);
      runningVar = addBuffer(options_.varName, made(), settings);
      numBatchesTracked = addBuffer("num_batches_tracked", init::blank({}, DType::I64));
    }
    resetParameters();
  } catch (...) {
    dematerialise();
    throw;
  }
  maps_ = channels;
  materialised_ = true;
}

void BatchNormND::dematerialise() {
  dropTensors();
  weight = bias = runningMean = runningVar = numBatchesTracked = Tensor();
  materialised_ = false;
  maps_ = mapsGiven_;
}

bool BatchNormND::materialiseFrom(const ShapeOf& shapeOf) {
  for (const std::string& name :
       {nameOr(options_.paramAttr, "weight"), nameOr(options_.biasAttr, "bias"), options_.meanName}) {
    // Another number of channels is left to the load to report, with the shapes of all tensors.
    const std::optional<Shape> shape = shapeOf(name);
    if (!shape || shape->empty() || numel(*shape) < 1) continue;
    const bool spatial = options_.paramDim == ParamDim::Spatial;
    if (spatial && shape->rank() != 1) continue;
    if (maps_ != 0 && spatial && (*shape)[0] != maps_) {
      materialise({maps_});
    } else {
      materialise(*shape);
    }
    return true;
  }
  return false;
}

bool BatchNormND::ignoresStored(std::string_view name, const core::NDArray& values) const {
  const auto allAre = [&](double expected) {
    const std::vector<double> list = values.toVector<double>();
    return std::all_of(list.begin(), list.end(), [&](double v) { return v == expected; });
  };
  if (!hasScale() && name == nameOr(options_.paramAttr, "weight")) return allAre(1);
  return !hasShift() && name == nameOr(options_.biasAttr, "bias") && allAre(0);
}

namespace {

/// Values for `target`, drawn beside it: an initialiser that throws leaves the layer as it is.
struct Start {
  Tensor target, values;
  Start(const Tensor& t, const Initial& given, const Initial& otherwise, const char* owner, const char* field)
      : target(t) {
    if (!t.defined() || t.isShapeOnly()) return;
    values = Tensor::empty(t.shape(), t.dtype());
    (given.given() ? given : otherwise).fill(values, owner, field);
  }
  void write() {
    if (values.defined()) target.copy_(values, "initialiser");
  }
};

}  // namespace

void BatchNormND::resetRunningStats() {
  if (!runningMean.defined()) return;
  Start mean(runningMean, options_.meanInit, 0.0, type_, "meanInit"),
      var(runningVar, options_.varInit, 1.0, type_, "varInit");
  mean.write();
  var.write();
  init::constant_(numBatchesTracked, 0);
}

bool BatchNormND::setCumulativeStats(bool on) {
  if (!runningMean.defined() || folded_) return false;
  ember::BatchNormOptions o = functional(1, numBatchesTracked);
  o.training = true;
  if (!decideStatistics(o, true, 2).update) return false;
  cumulative_ = on;
  if (on) resetRunningStats();
  return true;
}

void BatchNormND::resetParameters() {
  const NoGrad guard;
  Initial scale = 1.0;
  if (options_.sscale != 0 && !options_.fixGamma) {
    scale = Initial([std = options_.sscale](Tensor& t) { init::normal_(t, 1, std); });
  }
  Start weights(weight, startOf(options_.scaleInit, options_.paramAttr), scale, type_, "scaleInit"),
      biases(bias, startOf(options_.biasInit, options_.biasAttr), 0.0, type_, "biasInit");
  resetRunningStats();
  weights.write();
  biases.write();
}

// ---- running ----

int BatchNormND::channelAxis(int rank) const {
  const int axis = axisFor(rank);
  if (axis >= 0) return axis;
  throw ShapeError(type_, "the options name no channel axis for an input of rank " + std::to_string(rank), {},
                   "give channelAxis alone");
}

ember::BatchNormOptions BatchNormND::functional(int axis, const Tensor& batches) const {
  ember::BatchNormOptions o{.training = training(),
                            .epsilon = options_.epsilon,
                            .epsMode = options_.epsMode,
                            .momentum = options_.momentum,
                            .initFactor = options_.initFactor,
                            .minFactor = options_.minFactor,
                            .factorWeighs = options_.factorWeighs,
                            .batches = batches,
                            .varEstimator = options_.varEstimator,
                            .fixGamma = options_.fixGamma,
                            .channelAxis = axis,
                            .paramDim = options_.paramDim,
                            .useGlobalStats = options_.useGlobalStats,
                            .trainableStatistics = options_.trainableStatistics,
                            .trackRunningStats = options_.trackRunningStats && tracking_,
                            .freeze = options_.freeze,
                            .updateStatsOn = options_.updateStatsOn,
                            .singleValuePolicy = options_.singleValuePolicy,
                            .inplace = options_.inplace,
                            .act = options_.act,
                            .slope = options_.slope,
                            .syncGroup = options_.syncGroup,
                            .backend = options_.backend};
  if (cumulative_) {  // the n-th batch weighs 1/n
    o.momentum.reset();
    o.initFactor = 1;
    o.minFactor = 0;
    o.factorWeighs = FactorWeighs::New;
    o.updateStatsOn = StatsUpdate::Forward;
  }
  // Without statistics to update there is nothing to weigh.
  if (!batches.defined()) {
    o.initFactor = o.minFactor = {};
    o.factorWeighs = FactorWeighs::New;
  }
  return o;
}

void BatchNormND::checkRank(const Tensor& x) const {
  if (x.rank() >= minRank_ && x.rank() <= maxRank_) return;
  std::string expected = axesOf(minRank_);
  if (maxRank_ == minRank_ + 1) expected += std::string(" or ") + axesOf(maxRank_);
  if (maxRank_ > minRank_ + 1) expected = "[N, C, ...]";
  const char* fitting = x.rank() == 4                    ? "use BatchNorm2D for this input"
                        : x.rank() == 5                  ? "use BatchNorm3D for this input"
                        : x.rank() == 2 || x.rank() == 3 ? "use BatchNorm1D for this input"
                                                         : "reshape the input";
  throw ShapeError(type_, "expected " + expected + ", got " + ember::toString(x.shape()),
                   {{"input", "x " + ember::toString(x.shape())}}, fitting);
}

void BatchNormND::checkInput(const Tensor& x) const {
  checkRank(x);
  const i64 channels = x.size(channelAxis(x.rank()));
  if (maps_ == 0 || channels == maps_) return;
  throw ShapeError(
      type_, "input has " + std::to_string(channels) + " channels, the layer expects " + std::to_string(maps_),
      {{"input", "x " + ember::toString(x.shape())}},
      "build the layer with " + std::to_string(channels) + " channels, or name the channel axis by channelAxis");
}

BatchNormResult BatchNormND::run(const Tensor& x, const Tensor& residual, Act act, double slope) {
  const auto normalised = [&] {
    ember::BatchNormOptions o = functional(channelAxis(x.rank()), numBatchesTracked);
    o.residual = residual;
    o.act = act;
    o.slope = slope;
    return batchNorm(x, weight, bias, runningMean, runningVar, o);
  };
  checkInput(x);
  if (!materialised_) {
    if (options_.empty) {
      throw StateError(type_, "the layer was built empty and has no tensors yet", {},
                       "load() a file or call materialise() before the first forward");
    }
    const int axis = channelAxis(x.rank());
    Shape parameters = x.shape();
    if (options_.paramDim == ParamDim::PerActivation) {
      parameters.erase(0);
    } else {
      parameters = {x.size(axis)};
    }
    materialise(parameters);
    // An input that is refused decides nothing.
    try {
      return normalised();
    } catch (...) {
      dematerialise();
      throw;
    }
  }
  return normalised();
}

Tensor BatchNormND::runFolded(const Tensor& x, const Tensor& residual) const {
  if (training()) {
    throw StateError(type_, "the layer was folded into the one in front of it, and does not train", {},
                     "train the net as it was before foldBatchNorm(), or build it anew");
  }
  checkInput(x);
  const Act act = actFolded_ ? Act::None : options_.act;
  if (!residual.defined() && act == Act::None) return x;
  Tensor y = residual.defined() ? x + residual : x;
  if (act == Act::None) return y;
  return act == Act::ReLU ? relu(std::move(y)) : leakyRelu(std::move(y), options_.slope);
}

void BatchNormND::dropFolded() {
  dropTensors();
  weight = bias = runningMean = runningVar = numBatchesTracked = Tensor();
  materialised_ = true;
  if (actFolded_) options_.act = Act::None;
}

Tensor BatchNormND::forward(const Tensor& x) { return folded_ ? runFolded(x) : run(x).y; }
Tensor BatchNormND::forward(const Tensor& x, Act act, double slope) { return run(x, {}, act, slope).y; }

Tensors BatchNormND::forward(const Tensors& inputs) {
  if (inputs.size() == 1 && !options_.outputMeanVar) return Module::forward(inputs);
  if (inputs.empty() || inputs.size() > 2) {
    throw StateError(type_, "forward takes x, or x and a residual, got " + std::to_string(inputs.size()) + " tensors");
  }
  if (inputs.size() == 2 && !inputs[1].defined())
    throw StateError(type_, "the residual is an undefined tensor", {},
                     "give it a value, or call the layer with x alone");
  if (folded_) return {runFolded(inputs[0], inputs.size() == 2 ? inputs[1] : Tensor())};
  const BatchNormResult result = run(inputs[0], inputs.size() == 2 ? inputs[1] : Tensor());
  if (!options_.outputMeanVar) return {result.y};
  return {result.y, result.mean(), result.invstd()};
}

// ---- modes of the layer itself ----

void BatchNormND::setFreeze(bool on) {
  if (on && !tracking_)
    throw ValueError(type_, "freeze needs running statistics, which setTrackRunningStats(false) turned off", {},
                     "call setTrackRunningStats(true) first");
  const bool before = std::exchange(options_.freeze, on);
  try {
    checkOptions();
  } catch (...) {
    options_.freeze = before;
    throw;
  }
  if (weight.defined()) weight.setRequiresGrad(!on && !options_.fixGamma && trains(options_.paramAttr));
  if (bias.defined()) bias.setRequiresGrad(!on && trains(options_.biasAttr));
}

void BatchNormND::setTrackRunningStats(bool on) {
  if (on && !options_.trackRunningStats) {
    throw StateError(type_, "there are no running statistics: the layer was built with trackRunningStats = false", {},
                     "build it with trackRunningStats = true");
  }
  if (!on && options_.freeze)
    throw ValueError(type_, "freeze needs running statistics", {}, "call setFreeze(false) first");
  tracking_ = on;
}

void BatchNormND::setSyncGroup(std::shared_ptr<Communicator> group) {
  std::swap(options_.syncGroup, group);
  try {
    checkOptions();
  } catch (...) {
    options_.syncGroup = std::move(group);
    throw;
  }
}

void BatchNormND::takeOver(const Module& original) {
  const BatchNormND& other = static_cast<const BatchNormND&>(original);
  const BatchNormNDOptions& from = other.options_;
  options_.syncGroup = from.syncGroup;
  options_.scaleInit = from.scaleInit;
  options_.biasInit = from.biasInit;
  options_.meanInit = from.meanInit;
  options_.varInit = from.varInit;
  options_.paramAttr = from.paramAttr;
  options_.biasAttr = from.biasAttr;
  if (!pending() || other.pending()) return;
  const init::Skip skip;  // the values are copied next
  const Tensor& sample = other.weight.defined() ? other.weight : other.bias.defined() ? other.bias : other.runningMean;
  materialise(sample.shape());
}

// ---- inference ----

void BatchNormND::checkInference() const {
  if (!materialised_) throw StateError(type_, "the layer has no tensors yet", {}, "run one forward, or load() a file");
  ember::BatchNormOptions o = functional(1, numBatchesTracked);
  o.training = false;
  if (runningMean.defined() && !decideStatistics(o, true, 2).batch) return;
  throw StateError(type_, "the layer normalises with each batch's statistics in eval, too", {},
                   "inference by one map a channel needs running statistics, and options that use them");
}

std::vector<double> BatchNormND::inferenceScale() const {
  checkInference();
  const ember::BatchNormOptions o{.epsilon = options_.epsilon, .epsMode = options_.epsMode};
  std::vector<double> scale = autograd::batchnorm::invstdOf(runningVar.array(), o).toVector<double>();
  if (!weight.defined() || options_.fixGamma) return scale;
  const std::vector<double> gamma = weight.toVector<double>();
  for (std::size_t i = 0; i < scale.size(); ++i) scale[i] *= gamma[i];
  return scale;
}

std::vector<double> BatchNormND::inferenceShift() const {
  const std::vector<double> scale = inferenceScale(), mean = runningMean.toVector<double>();
  std::vector<double> shift = bias.defined() ? bias.toVector<double>() : std::vector<double>(scale.size(), 0.0);
  for (std::size_t i = 0; i < scale.size(); ++i) shift[i] -= mean[i] * scale[i];
  return shift;
}

Conv1D BatchNormND::foldInto(const Conv1D& layer) const { return fold(layer, *this); }
Conv2D BatchNormND::foldInto(const Conv2D& layer) const { return fold(layer, *this); }
Conv3D BatchNormND::foldInto(const Conv3D& layer) const { return fold(layer, *this); }
Linear BatchNormND::foldInto(const Linear& layer) const { return fold(layer, *this); }

Int8BatchNormResult BatchNormND::forwardInt8(const Tensor& x, double minData, double maxData) const {
  checkInput(x);
  if (!options_.minCalib || !options_.maxCalib) {
    throw StateError(type_, "the range of the 8-bit output is not known", {},
                     "build the layer with minCalib and maxCalib, the range that its output takes on sample data");
  }
  checkInference();
  return batchNormInt8(x, minData, maxData, weight, bias, runningMean, runningVar,
                       {.epsilon = options_.epsilon,
                        .minCalib = *options_.minCalib,
                        .maxCalib = *options_.maxCalib,
                        .channelAxis = channelAxis(x.rank()),
                        .act = options_.act,
                        .fixGamma = options_.fixGamma,
                        .epsMode = options_.epsMode});
}

std::string BatchNormND::details() const {
  std::string text = maps_ == 0 ? "maps from the first input" : std::to_string(maps_);
  if (options_.epsilon != 1e-5) text += ", epsilon " + Value(options_.epsilon).dump();
  if (options_.momentum) text += ", momentum " + Value(*options_.momentum).dump();
  if (!hasScale()) text += ", no scale";
  if (!hasShift()) text += ", no shift";
  if (options_.act == Act::ReLU) text += ", relu";
  if (options_.act == Act::LeakyReLU) text += ", leakyRelu " + Value(options_.slope).dump();
  if (options_.freeze) text += ", frozen";
  if (options_.inplace) text += ", in place";
  if (options_.syncGroup) text += ", synchronised";
  return text;
}

}  // namespace ember::nn
