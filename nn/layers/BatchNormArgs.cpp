// How the options of BatchNormND stand in a checkpoint. Each option has one row in fields(); those at their defaults
// are left out.
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <ember/core/Error.h>
#include <ember/nn/Pattern.h>
#include <ember/nn/layers/BatchNormND.h>

namespace ember::nn {
namespace {

template <class E>
using Words = std::vector<std::pair<E, std::string_view>>;

const Words<Act> actWords{{Act::None, "none"}, {Act::ReLU, "relu"}, {Act::LeakyReLU, "leakyRelu"}};
const Words<EpsMode> epsWords{{EpsMode::Additive, "additive"}, {EpsMode::Max, "max"}};
const Words<FactorWeighs> factorWords{{FactorWeighs::New, "new"}, {FactorWeighs::Old, "old"}};
const Words<VarEstimator> varWords{{VarEstimator::Unbiased, "unbiased"},
                                   {VarEstimator::UnbiasedLocal, "unbiasedLocal"},
                                   {VarEstimator::Biased, "biased"}};
const Words<ParamDim> paramDimWords{{ParamDim::Spatial, "spatial"}, {ParamDim::PerActivation, "perActivation"}};
const Words<DType> dtypeWords{{DType::F32, "f32"}, {DType::F64, "f64"}};
const Words<GlobalStats> globalWords{
    {GlobalStats::Auto, "auto"}, {GlobalStats::True, "true"}, {GlobalStats::False, "false"}};
const Words<StatsUpdate> updateWords{{StatsUpdate::Forward, "forward"}, {StatsUpdate::Backward, "backward"}};
const Words<SingleValue> singleWords{
    {SingleValue::Error, "error"}, {SingleValue::Zero, "zero"}, {SingleValue::PassThrough, "passThrough"}};
const Words<BatchNormBackend> backendWords{
    {BatchNormBackend::Auto, "auto"}, {BatchNormBackend::OneDNN, "oneDnn"}, {BatchNormBackend::Reference, "reference"}};

/// Calls f(key, field, words...) for every option that a file holds.
template <class Options, class F>
void fields(Options& o, F&& f) {
  f("epsilon", o.epsilon);
  f("epsMode", o.epsMode, epsWords);
  f("initFactor", o.initFactor);
  f("minFactor", o.minFactor);
  f("factorWeighs", o.factorWeighs, factorWords);
  f("momentum", o.momentum);
  f("varEstimator", o.varEstimator, varWords);
  f("affine", o.affine);
  f("useScale", o.useScale);
  f("useShift", o.useShift);
  f("fixGamma", o.fixGamma);
  f("sscale", o.sscale);
  f("scaleInit", o.scaleInit);
  f("biasInit", o.biasInit);
  f("meanInit", o.meanInit);
  f("varInit", o.varInit);
  f("paramAttr", o.paramAttr);
  f("biasAttr", o.biasAttr);
  f("act", o.act, actWords);
  f("slope", o.slope);
  f("channelAxis", o.channelAxis);
  f("reduceAxes", o.reduceAxes);
  f("dataLayout", o.dataLayout);
  f("paramDim", o.paramDim, paramDimWords);
  f("dtype", o.dtype, dtypeWords);
  f("isTest", o.isTest);
  f("useGlobalStats", o.useGlobalStats, globalWords);
  f("trainableStatistics", o.trainableStatistics);
  f("trackRunningStats", o.trackRunningStats);
  f("freeze", o.freeze);
  f("updateStatsOn", o.updateStatsOn, updateWords);
  f("singleValuePolicy", o.singleValuePolicy, singleWords);
  f("outputMeanVar", o.outputMeanVar);
  f("inplace", o.inplace);
  f("meanName", o.meanName);
  f("varName", o.varName);
  f("doModelAverage", o.doModelAverage);
  f("minCalib", o.minCalib);
  f("maxCalib", o.maxCalib);
  f("backend", o.backend, backendWords);
  f("name", o.name);
}

// ---- to a Value: null where there is nothing to say ----

Value valueOf(const Initial& initial) { return initial.toValue(); }
template <class T>
requires std::constructible_from<Value, T> Value valueOf(const T& plain) { return Value(plain); }
Value valueOf(const ParamAttr& a) {
  return {{"name", a.name},
          {"init", a.init.toValue()},
          {"lrMultiplier", a.lrMultiplier},
          {"weightDecayMultiplier", a.weightDecayMultiplier},
          {"trainable", a.trainable},
          {"doModelAverage", a.doModelAverage}};
}
template <class T>
Value valueOf(const std::optional<T>& value) {
  return value ? valueOf(*value) : Value();
}
template <class E>
Value valueOf(const E& value, const Words<E>& words) {
  for (const auto& [member, word] : words) {
    if (member == value) return word;
  }
  return {};
}

/// Key and value of every option, in order.
Value allOf(const BatchNormNDOptions& o) {
  Value all = Value::object();
  fields(o, [&](const char* key, const auto& field, const auto&... words) { all.set(key, valueOf(field, words...)); });
  return all;
}

// ---- and back ----

void read(const Value& value, Initial& field, const char*) { field = Initial::of(value); }
void read(const Value& value, ParamAttr& field, const char*) {
  field = {.name = value.get<std::string>("name"),
           .init = Initial::of(value.at("init")),
           .lrMultiplier = value.get<double>("lrMultiplier"),
           .weightDecayMultiplier = value.get<double>("weightDecayMultiplier"),
           .trainable = value.get<bool>("trainable"),
           .doModelAverage = value.get<bool>("doModelAverage")};
}
template <class T>
void read(const Value& value, T& field, const char*) {
  field = value.as<T>();
}
template <class T>
void read(const Value& value, std::optional<T>& field, const char* key) {
  field.emplace();
  read(value, *field, key);
}
template <class E>
void read(const Value& value, E& field, const char* key, const Words<E>& words) {
  const std::string word = value.as<std::string>();
  std::string known;
  for (const auto& [member, name] : words) {
    if (name == word) {
      field = member;
      return;
    }
    known += (known.empty() ? "" : ", ") + std::string(name);
  }
  throw ValueError("BatchNorm", std::string(key) + " is \"" + word + "\"", {}, "the words are " + known);
}

}  // namespace

Args BatchNormND::args() const {
  Args a{{"maps", maps_}};
  static const Value defaults = allOf({});
  const Value all = allOf(options_);
  for (const auto& [key, value] : all.members()) {
    if (!(value == defaults.at(key))) a.set(key, value);
  }
  if (!materialised_ && options_.empty) a.set("empty", true);
  if (!tracking_) a.set("tracking", false);
  if (folded_) a.set("folded", true);
  return a;
}

BatchNormNDOptions BatchNormND::optionsOf(const Args& a) {
  BatchNormNDOptions o;
  fields(o, [&](const char* key, auto& field, const auto&... words) {
    if (const Value* value = a.find(key)) read(*value, field, key, words...);
  });
  o.empty = a.get<bool>("empty", false);
  static const Value defaults = allOf({});
  for (const auto& [key, value] : a.members()) {
    if (defaults.has(key) || key == "maps" || key == "empty" || key == "tracking" || key == "folded") continue;
    std::vector<std::string> known;
    for (const auto& [name, field] : defaults.members()) known.push_back(name);
    throw ValueError("BatchNorm", "there is no option \"" + key + "\"", {}, nearestHint(key, known));
  }
  return o;
}

}  // namespace ember::nn
