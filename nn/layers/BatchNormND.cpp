#include <ember/nn/layers/BatchNormND.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>

#include <ember/core/Error.h>
#include <ember/nn/Init.h>

namespace ember::nn {
namespace {

template <class E>
using Words = std::array<std::pair<E, std::string_view>, 3>;
constexpr Words<Act> actWords{{{Act::None, "none"}, {Act::ReLU, "relu"}, {Act::LeakyReLU, "leakyRelu"}}};
constexpr Words<GlobalStats> globalWords{
    {{GlobalStats::Auto, "auto"}, {GlobalStats::True, "true"}, {GlobalStats::False, "false"}}};
constexpr std::string_view newWord = "new", oldWord = "old", unbiasedWord = "unbiased", biasedWord = "biased";

template <class E>
std::string_view wordOf(const Words<E>& words, E value) {
  return std::find_if(words.begin(), words.end(), [&](const auto& w) { return w.first == value; })->second;
}
template <class E>
E valueOf(const Words<E>& words, std::string_view word, const char* field) {
  for (const auto& [value, name] : words) {
    if (name == word) return value;
  }
  throw ValueError("BatchNorm", std::string(field) + " is \"" + std::string(word) + "\"", {},
                   "the words are " + std::string(words[0].second) + ", " + std::string(words[1].second) + ", " +
                       std::string(words[2].second));
}
bool isFirst(std::string_view first, std::string_view second, std::string_view word, const char* field) {
  if (word == first || word == second) return word == first;
  throw ValueError("BatchNorm", std::string(field) + " is \"" + std::string(word) + "\"", {},
                   "the words are " + std::string(first) + ", " + std::string(second));
}

template <class T>
std::optional<T> optionalOf(const Args& a, std::string_view key) {
  return a.has(key) ? std::optional<T>(a.get<T>(key)) : std::nullopt;
}

const char* axesOf(int rank) {
  constexpr const char* names[] = {"[N, C]", "[N, C, L]", "[N, C, H, W]", "[N, C, D, H, W]"};
  return names[rank - 2];
}

}  // namespace

BatchNormND::BatchNormND(const char* type, int minRank, int maxRank, i64 maps, const BatchNormNDOptions& options)
    : type_(type), minRank_(minRank), maxRank_(maxRank), maps_(maps), options_(options) {
  const auto refuse = [&](const std::string& what, const char* help) { throw ValueError(type_, what, {}, help); };
  if (maps < 1) refuse("maps is " + std::to_string(maps), "use the number of channels, 1 or more");
  if (options.momentum && (options.initFactor || options.minFactor)) {
    refuse("momentum is given together with initFactor or minFactor",
           "momentum alone is a constant weight of the old statistic: choose one of the two");
  }
  if (options.momentum && options.factorWeighs == FactorWeighs::Old) {
    refuse("momentum is given together with factorWeighs = Old", "momentum already weighs the old statistic");
  }
  if (const double f = options.initFactor.value_or(1); !(f >= 0) || std::isinf(f))
    refuse("initFactor is " + std::to_string(f), "use a finite number of 0 or more");
  if (const double f = options.minFactor.value_or(0.1); !(f >= 0 && f <= 1))
    refuse("minFactor is " + std::to_string(f), "use a number from 0 to 1");
  if (!(options.sscale >= 0) || std::isinf(options.sscale))
    refuse("sscale is " + std::to_string(options.sscale), "use a standard deviation of 0 or more");
  if (options.fixGamma && !options.useScale.value_or(options.affine))
    refuse("fixGamma keeps a scale that useScale or affine turns off", "drop one of them");
  if (!options.trackRunningStats && options.useGlobalStats == GlobalStats::True) {
    refuse("useGlobalStats = True needs running statistics, trackRunningStats is off", "drop one of them");
  }
  if (!options.trackRunningStats && options.trainableStatistics) {
    refuse("trainableStatistics updates running statistics, trackRunningStats is off", "drop one of them");
  }
  if (options.channelAxis < -maxRank || options.channelAxis >= maxRank) {
    refuse("channelAxis is " + std::to_string(options.channelAxis), "use an axis of the input, 1 or -1 as a rule");
  }
  checkBatchNormOptions(type_, functional(1));

  if (options.useScale.value_or(options.affine)) {
    weight = addParameter("weight", Tensor::empty({maps}));
    if (options.fixGamma || options.freeze) weight.setRequiresGrad(false);
  }
  if (options.useShift.value_or(options.affine)) {
    bias = addParameter("bias", Tensor::empty({maps}));
    if (options.freeze) bias.setRequiresGrad(false);
  }
  if (options.trackRunningStats) {
    runningMean = addBuffer("running_mean", Tensor::empty({maps}));
    runningVar = addBuffer("running_var", Tensor::empty({maps}));
    numBatchesTracked = addBuffer("num_batches_tracked", Tensor::empty({}, DType::I64));
  }
  resetParameters();
  if (options.isTest) train(false);
}

void BatchNormND::resetRunningStats() {
  if (!runningMean.defined()) return;
  runningMean.fill_(0);
  runningVar.fill_(1);
  numBatchesTracked.fill_(0);
}

void BatchNormND::resetParameters() {
  if (weight.defined()) {
    if (options_.sscale == 0 || options_.fixGamma) {
      init::constant_(weight, 1);
    } else {
      init::normal_(weight, 1, options_.sscale);
    }
  }
  if (bias.defined()) init::constant_(bias, 0);
  resetRunningStats();
}

/// The options of the op for the update that makes `batches` batches.
BatchNormOptions BatchNormND::functional(i64 batches) const {
  BatchNormOptions o{.training = training(),
                     .epsilon = options_.epsilon,
                     .varEstimator = options_.varEstimator,
                     .fixGamma = options_.fixGamma,
                     .channelAxis = options_.channelAxis,
                     .useGlobalStats = options_.useGlobalStats,
                     .trainableStatistics = options_.trainableStatistics,
                     .trackRunningStats = options_.trackRunningStats,
                     .freeze = options_.freeze,
                     .inplace = options_.inplace,
                     .act = options_.act,
                     .slope = options_.slope};
  if (options_.momentum) {
    o.momentum = options_.momentum;
  } else {
    const double f = std::min(1.0, std::max(options_.initFactor.value_or(1) / static_cast<double>(batches),
                                            options_.minFactor.value_or(0.1)));
    o.factor = options_.factorWeighs == FactorWeighs::New ? f : 1 - f;
  }
  return o;
}

Tensor BatchNormND::forward(const Tensor& x) {
  if (x.rank() < minRank_ || x.rank() > maxRank_) {
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
  const i64 batches = numBatchesTracked.defined() ? static_cast<i64>(numBatchesTracked.item()) + 1 : 1;
  const BatchNormOptions o = functional(batches);
  const BatchNormResult result = batchNorm(x, weight, bias, runningMean, runningVar, o);
  // Only now: a forward that threw was no batch.
  if (decideStatistics(o, runningMean.defined(), x.numel() / maps_).update && !x.isShapeOnly())
    numBatchesTracked.fill_(static_cast<double>(batches));
  return result.y;
}

// Every field that a default-constructed layer would not have by itself; absent ones keep their defaults.
Args BatchNormND::args() const {
  const BatchNormNDOptions& o = options_;
  Args a{{"maps", maps_}, {"epsilon", o.epsilon}};
  const auto put = [&](const char* key, const auto& value) {
    if (value) a.set(key, *value);
  };
  put("initFactor", o.initFactor);
  put("minFactor", o.minFactor);
  a.set("factorWeighs", o.factorWeighs == FactorWeighs::New ? newWord : oldWord);
  put("momentum", o.momentum);
  a.set("varEstimator", o.varEstimator == VarEstimator::Unbiased ? unbiasedWord : biasedWord);
  a.set("affine", o.affine);
  put("useScale", o.useScale);
  put("useShift", o.useShift);
  a.set("fixGamma", o.fixGamma).set("sscale", o.sscale).set("act", wordOf(actWords, o.act)).set("slope", o.slope);
  a.set("channelAxis", o.channelAxis)
      .set("isTest", o.isTest)
      .set("useGlobalStats", wordOf(globalWords, o.useGlobalStats));
  a.set("trainableStatistics", o.trainableStatistics).set("trackRunningStats", o.trackRunningStats);
  a.set("freeze", o.freeze).set("inplace", o.inplace);
  return a;
}

BatchNormNDOptions BatchNormND::optionsOf(const Args& a) {
  BatchNormNDOptions o;
  o.epsilon = a.get<double>("epsilon", o.epsilon);
  o.initFactor = optionalOf<double>(a, "initFactor");
  o.minFactor = optionalOf<double>(a, "minFactor");
  o.factorWeighs = isFirst(newWord, oldWord, a.get<std::string>("factorWeighs", std::string(newWord)), "factorWeighs")
                       ? FactorWeighs::New
                       : FactorWeighs::Old;
  o.momentum = optionalOf<double>(a, "momentum");
  o.varEstimator =
      isFirst(unbiasedWord, biasedWord, a.get<std::string>("varEstimator", std::string(unbiasedWord)), "varEstimator")
          ? VarEstimator::Unbiased
          : VarEstimator::Biased;
  o.affine = a.get<bool>("affine", o.affine);
  o.useScale = optionalOf<bool>(a, "useScale");
  o.useShift = optionalOf<bool>(a, "useShift");
  o.fixGamma = a.get<bool>("fixGamma", o.fixGamma);
  o.sscale = a.get<double>("sscale", o.sscale);
  o.act = valueOf(actWords, a.get<std::string>("act", "none"), "act");
  o.slope = a.get<double>("slope", o.slope);
  o.channelAxis = a.get<int>("channelAxis", o.channelAxis);
  o.isTest = a.get<bool>("isTest", o.isTest);
  o.useGlobalStats = valueOf(globalWords, a.get<std::string>("useGlobalStats", "auto"), "useGlobalStats");
  o.trainableStatistics = a.get<bool>("trainableStatistics", o.trainableStatistics);
  o.trackRunningStats = a.get<bool>("trackRunningStats", o.trackRunningStats);
  o.freeze = a.get<bool>("freeze", o.freeze);
  o.inplace = a.get<bool>("inplace", o.inplace);
  return o;
}

std::string BatchNormND::details() const {
  std::string text = std::to_string(maps_);
  if (options_.epsilon != 1e-5) text += ", epsilon " + Value(options_.epsilon).dump();
  if (options_.momentum) text += ", momentum " + Value(*options_.momentum).dump();
  if (!weight.defined()) text += ", no scale";
  if (!bias.defined()) text += ", no shift";
  if (options_.act == Act::ReLU) text += ", relu";
  if (options_.act == Act::LeakyReLU) text += ", leakyRelu " + Value(options_.slope).dump();
  if (options_.freeze) text += ", frozen";
  if (options_.inplace) text += ", in place";
  return text;
}

}  // namespace ember::nn
