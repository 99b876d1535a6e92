// What BatchNormND refuses at construction, and where its options put the channel axis.
#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

#include <ember/core/Error.h>
#include <ember/core/io/Text.h>
#include <ember/nn/layers/BatchNormND.h>

namespace ember::nn {
namespace {

struct Layout {
  std::string_view word;
  int rank;
  bool last;  ///< channels last
};
constexpr Layout layouts[] = {{"NC", 2, false}, {"NCL", 3, false}, {"NCHW", 4, false}, {"NCDHW", 5, false},
                              {"NLC", 3, true}, {"NHWC", 4, true}, {"NDHWC", 5, true}};

const Layout* layoutOf(const std::string& word) {
  for (const Layout& layout : layouts) {
    if (layout.word == word) return &layout;
  }
  return nullptr;
}

/// -1 unless the axes are all of that rank but one.
int complementOf(const std::vector<int>& axes, int rank) {
  std::vector<bool> reduced(static_cast<std::size_t>(rank), false);
  for (const int axis : axes) {
    const int place = axis < 0 ? axis + rank : axis;
    if (place < 0 || place >= rank || reduced[static_cast<std::size_t>(place)]) return -1;
    reduced[static_cast<std::size_t>(place)] = true;
  }
  if (std::count(reduced.begin(), reduced.end(), false) != 1) return -1;
  return static_cast<int>(std::find(reduced.begin(), reduced.end(), false) - reduced.begin());
}

std::string listed(const std::vector<int>& axes) {
  std::string text = "{";
  for (std::size_t i = 0; i < axes.size(); ++i) text += (i ? ", " : "") + std::to_string(axes[i]);
  return text + "}";
}

}  // namespace

int BatchNormND::axisFor(int rank) const {
  int axis = -1;
  const auto agree = [&](int other) {
    const bool fits = other >= 0 && other < rank && (axis == -1 || axis == other);
    axis = fits ? other : rank;  // rank: contradicted, and nothing agrees with it again
  };
  if (options_.channelAxis) agree(*options_.channelAxis < 0 ? *options_.channelAxis + rank : *options_.channelAxis);
  if (const Layout* layout = layoutOf(options_.dataLayout)) {
    const bool flat = rank == 2 && layout->rank <= 3;  // [N, C] is what both NCL and NLC leave of it
    agree(flat ? 1 : layout->rank != rank ? rank : layout->last ? rank - 1 : 1);
  }
  if (!options_.reduceAxes.empty()) {
    const int rest = complementOf(options_.reduceAxes, rank);
    agree(rest < 0 ? rank : rest);
  }
  if (axis == -1) return 1;
  return axis == rank ? -1 : axis;
}

void BatchNormND::checkAxes() const {
  const auto refuse = [&](const std::string& what, const char* help) { throw ValueError(type_, what, {}, help); };
  const BatchNormNDOptions& o = options_;
  if (!o.dataLayout.empty() && !layoutOf(o.dataLayout))
    refuse("dataLayout is \"" + o.dataLayout + "\"", "the words are NC, NCL, NCHW, NCDHW, NLC, NHWC, NDHWC");
  if (o.channelAxis && (*o.channelAxis < -maxRank_ || *o.channelAxis >= maxRank_))
    refuse("channelAxis is " + std::to_string(*o.channelAxis), "use an axis of the input, 1 or -1 as a rule");
  for (int rank = minRank_; rank <= maxRank_; ++rank) {
    const int axis = axisFor(rank);
    if (axis == 0 && o.paramDim == ParamDim::PerActivation) continue;
    if (axis >= 0) return;
  }
  std::string given;
  if (o.channelAxis) given += " channelAxis " + std::to_string(*o.channelAxis);
  if (!o.dataLayout.empty()) given += " dataLayout " + o.dataLayout;
  if (!o.reduceAxes.empty()) given += " reduceAxes " + listed(o.reduceAxes);
  refuse("no input of this layer fits" + given,
         "reduceAxes names every axis but that of the channels; give one of the three, or let them agree");
}

void BatchNormND::checkOptions() const {
  const auto refuse = [&](const std::string& what, const char* help) { throw ValueError(type_, what, {}, help); };
  const BatchNormNDOptions& o = options_;
  if (maps_ < 0)
    refuse("maps is " + std::to_string(maps_), "use the number of channels, or 0 to take it from the first input");
  if (o.dtype != DType::F32 && o.dtype != DType::F64)
    refuse("dtype is " + std::string(ember::name(o.dtype)), "use f32, also for bf16 data, or f64");
  checkAxes();

  // The op knows the rest; a counter stands for the one that the layer will have.
  checkBatchNormOptions(type_, functional(1, Tensor::zeros({}, DType::I64)));
  if (!o.trackRunningStats && o.useGlobalStats == GlobalStats::True)
    refuse("useGlobalStats = True needs running statistics, trackRunningStats is off", "drop one of them");
  if (!o.trackRunningStats && o.trainableStatistics)
    refuse("trainableStatistics updates running statistics, trackRunningStats is off", "drop one of them");
  if (o.backend == BatchNormBackend::OneDNN && o.dtype == DType::F64)
    refuse("backend OneDNN has no f64", "use backend = Auto");

  if (!(o.sscale >= 0) || std::isinf(o.sscale))
    refuse("sscale is " + std::to_string(o.sscale), "use a standard deviation of 0 or more");
  if (o.fixGamma && !hasScale()) refuse("fixGamma keeps a scale that useScale or affine turns off", "drop one of them");
  if (o.fixGamma && (o.scaleInit.given() || (o.paramAttr && o.paramAttr->init.given())))
    refuse("fixGamma sets the scale to 1, an initialiser is given for it", "drop one of them");
  const auto checkAttr = [&](const std::optional<ParamAttr>& attr, const Initial& initial, bool exists,
                             const std::string& field, const char* initField) {
    if (!exists && attr) refuse(field + " is given for a parameter that the layer has not", "drop it");
    if (!exists && initial.given())
      refuse(std::string(initField) + " is given for a parameter that the layer has not", "drop it");
    if (!attr) return;
    if (attr->init.given() && initial.given())
      refuse(field + ".init and " + initField + " are both given", "give one of them");
    for (const double multiplier : {attr->lrMultiplier, attr->weightDecayMultiplier}) {
      if (!(multiplier >= 0) || std::isinf(multiplier))
        refuse(field + " has the multiplier " + std::to_string(multiplier), "use a finite number of 0 or more");
    }
  };
  checkAttr(o.paramAttr, o.scaleInit, hasScale(), "paramAttr", "scaleInit");
  checkAttr(o.biasAttr, o.biasInit, hasShift(), "biasAttr", "biasInit");
  std::vector<std::string> names;
  const auto checkName = [&](const std::string& own) {
    const std::string problem = own.find('.') != own.npos ? "has a dot" : io::nameProblem(own);
    if (!problem.empty())
      refuse("the name " + io::inQuotes(own) + " " + problem,
             "names are 1 to 1024 bytes of printable UTF-8 without a dot");
    if (std::find(names.begin(), names.end(), own) != names.end())
      refuse("two tensors are called \"" + own + "\"", "give each a name of its own");
    names.push_back(own);
  };
  const auto named = [](const std::optional<ParamAttr>& attr, const char* otherwise) {
    return attr && !attr->name.empty() ? attr->name : otherwise;
  };
  if (hasScale()) checkName(named(o.paramAttr, "weight"));
  if (hasShift()) checkName(named(o.biasAttr, "bias"));
  if (o.trackRunningStats) {
    for (const std::string& own : {o.meanName, o.varName, std::string("num_batches_tracked")}) checkName(own);
  }
  if (!o.trackRunningStats && (o.meanInit.given() || o.varInit.given()))
    refuse("meanInit and varInit are for running statistics, trackRunningStats is off", "drop one of them");

  if (o.minCalib.has_value() != o.maxCalib.has_value())
    refuse("only one of minCalib and maxCalib is given", "give the whole range, or none");
  if (o.minCalib && !(std::isfinite(*o.minCalib) && std::isfinite(*o.maxCalib) && *o.minCalib < *o.maxCalib))
    refuse("minCalib and maxCalib are no range", "give finite numbers in growing order");
  if (o.minCalib && (!o.trackRunningStats || o.useGlobalStats == GlobalStats::False || o.trainableStatistics))
    refuse("minCalib and maxCalib serve inference in 8 bits, which needs running statistics", "drop one of them");
  if (o.minCalib && o.act == Act::LeakyReLU)
    refuse("minCalib and maxCalib serve inference in 8 bits, which has no LeakyReLU", "use None or ReLU");
  if (o.minCalib && o.paramDim == ParamDim::PerActivation)
    refuse("minCalib and maxCalib serve inference in 8 bits, which works channel by channel", "use paramDim Spatial");
}

}  // namespace ember::nn
