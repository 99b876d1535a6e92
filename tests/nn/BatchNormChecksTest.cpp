// Where batch norm finds the channel axis, and what it refuses at construction.
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ember/core/comm/InProcess.h>
#include <ember/ember.h>

#include "support/Draw.h"
#include "support/Golden.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

namespace {

using Options = nn::BatchNormNDOptions;
using nn::GlobalStats;

Tensor input(const Shape& shape) { return draw("input", shape, -1, 3).to(DType::F32); }

void refuses(const Options& options, const char* reason, const char* help = "") {
  const std::string text = messageOf([&] { nn::BatchNormND norm(3, options); });
  CHECK_MESSAGE(text.find("[BatchNormND] ValueError: ") == 0, reason << ": " << text);
  CHECK_MESSAGE(text.find(reason) != std::string::npos, text);
  CHECK_MESSAGE(text.find(help) != std::string::npos, text);
}

}  // namespace

TEST_CASE("channelAxis, dataLayout and reduceAxes name the same axis for every rank") {
  for (const Shape& shape : {Shape{4, 3}, Shape{4, 3, 5}, Shape{2, 3, 4, 4}, Shape{2, 3, 2, 3, 2}}) {
    const int rank = shape.rank();
    std::vector<int> lastOrder{0}, reduced, reducedFromEnd;
    for (int i = 2; i < rank; ++i) lastOrder.push_back(i);
    lastOrder.push_back(1);
    for (int i = 0; i + 1 < rank; ++i) reduced.push_back(i), reducedFromEnd.push_back(i - rank);
    const char* words[] = {"NC", "NLC", "NHWC", "NDHWC"};
    const Tensor x = input(shape), last = x.permute(lastOrder);
    nn::BatchNormND first(3, {.sscale = 0});
    const Tensor expected = first(x).permute(lastOrder);
    for (const Options& options :
         {Options{.sscale = 0, .channelAxis = -1}, Options{.sscale = 0, .channelAxis = rank - 1},
          Options{.sscale = 0, .reduceAxes = reduced}, Options{.sscale = 0, .reduceAxes = reducedFromEnd},
          Options{.sscale = 0, .dataLayout = words[rank - 2]},
          Options{.sscale = 0, .channelAxis = -1, .reduceAxes = reduced, .dataLayout = words[rank - 2]}}) {
      nn::BatchNormND norm(3, options);
      CHECK(norm.channelAxis(rank) == rank - 1);
      CHECK_CLOSE(norm(last), expected, toleranceF32, "channels last");
      CHECK_CLOSE(norm.runningVar, first.runningVar, toleranceF32, "running variance");
    }
  }
}

TEST_CASE("the words of dataLayout say rank and place, and a matrix fits the words of sequences") {
  struct Word {
    const char* word;
    int rank, axis;
  };
  for (const Word& w : {Word{"NC", 2, 1}, Word{"NCL", 3, 1}, Word{"NCHW", 4, 1}, Word{"NCDHW", 5, 1}, Word{"NLC", 3, 2},
                        Word{"NHWC", 4, 3}, Word{"NDHWC", 5, 4}, Word{"NCL", 2, 1}, Word{"NLC", 2, 1}}) {
    const nn::BatchNormND norm(3, {.dataLayout = w.word});
    CHECK(norm.channelAxis(w.rank) == w.axis);
  }
  const nn::BatchNormND pictures(3, {.dataLayout = "NHWC"});
  CHECK_THROWS_AS(pictures.channelAxis(3), ShapeError);
  nn::BatchNormND sequences(3, {.dataLayout = "NLC"});
  CHECK_THROWS_AS(sequences(input({2, 4, 4, 3})), ShapeError);
  // Any axis but 1 and the last, by number.
  nn::BatchNormND middle(3, {.channelAxis = 2});
  CHECK((middle(input({2, 4, 3, 5})).shape() == Shape{2, 4, 3, 5}));
  CHECK((middle.runningMean.shape() == Shape{3}));
}

TEST_CASE("axes that contradict each other or the rank of the layer are refused at construction") {
  refuses({.dataLayout = "NWC"}, "dataLayout is \"NWC\"", "NLC, NHWC, NDHWC");
  refuses({.channelAxis = 1, .dataLayout = "NHWC"}, "no input of this layer fits channelAxis 1 dataLayout NHWC");
  refuses({.channelAxis = 1, .reduceAxes = {0, 1, 2}}, "no input of this layer fits");
  refuses({.reduceAxes = {0, 1}, .dataLayout = "NCL"}, "no input of this layer fits");
  refuses({.reduceAxes = {0, 0, 2}}, "reduceAxes {0, 0, 2}", "every axis but that of the channels");
  refuses({.channelAxis = 8}, "channelAxis is 8");
  CHECK_THROWS_AS(nn::BatchNorm1D(3, {.channelAxis = 3}), ValueError);
  CHECK_THROWS_AS(nn::BatchNorm1D(3, {.dataLayout = "NCHW"}), ValueError);
  CHECK_THROWS_AS(nn::BatchNorm2D(3, {.dataLayout = "NLC"}), ValueError);
  CHECK_THROWS_AS(nn::BatchNorm2D(3, {.reduceAxes = {0, 1}}), ValueError);  // leaves two axes
  CHECK_THROWS_AS(nn::BatchNorm3D(3, {.dataLayout = "NHWC"}), ValueError);
  CHECK_THROWS_AS(nn::BatchNorm2D(3, {.channelAxis = 0, .paramDim = nn::ParamDim::PerActivation}), ValueError);
  CHECK(nn::BatchNorm2D(3, {.channelAxis = -3, .dataLayout = "NCHW"}).channelAxis(4) == 1);
  CHECK(nn::BatchNorm1D(3, {.channelAxis = -1, .dataLayout = "NC"}).channelAxis(2) == 1);
}

TEST_CASE("every pair of options that exclude each other is refused at construction with its reason") {
  const auto comm = inProcess(1)[0];
  refuses({.initFactor = 1, .momentum = 0.9}, "momentum is given together with initFactor");
  refuses({.minFactor = 0.1, .momentum = 0.9}, "momentum is given together with initFactor or minFactor");
  refuses({.factorWeighs = nn::FactorWeighs::Old, .momentum = 0.9}, "factorWeighs = Old");
  refuses({.useScale = false, .fixGamma = true}, "fixGamma keeps a scale");
  refuses({.fixGamma = true, .scaleInit = 2}, "fixGamma sets the scale to 1");
  refuses({.fixGamma = true, .paramAttr = nn::ParamAttr{.init = 2}}, "fixGamma sets the scale to 1");
  refuses({.affine = false, .scaleInit = 2}, "scaleInit is given for a parameter");
  refuses({.affine = false, .biasInit = 2}, "biasInit is given for a parameter");
  refuses({.useScale = false, .paramAttr = nn::ParamAttr{}}, "paramAttr is given for a parameter");
  refuses({.useShift = false, .biasAttr = nn::ParamAttr{}}, "biasAttr is given for a parameter");
  refuses({.scaleInit = 1, .paramAttr = nn::ParamAttr{.init = 1}}, "paramAttr.init and scaleInit are both given");
  refuses({.biasInit = 1, .biasAttr = nn::ParamAttr{.init = 1}}, "biasAttr.init and biasInit are both given");
  refuses({.meanInit = 1, .trackRunningStats = false}, "meanInit and varInit are for running statistics");
  refuses({.varInit = 1, .trackRunningStats = false}, "meanInit and varInit are for running statistics");
  refuses({.useGlobalStats = GlobalStats::True, .trackRunningStats = false}, "useGlobalStats = True needs running");
  refuses({.useGlobalStats = GlobalStats::True, .trainableStatistics = true}, "useGlobalStats = True the running ones");
  refuses({.useGlobalStats = GlobalStats::True, .syncGroup = comm}, "syncGroup");
  refuses({.trainableStatistics = true, .trackRunningStats = false}, "trainableStatistics updates running statistics");
  refuses({.useGlobalStats = GlobalStats::False, .freeze = true}, "freeze uses running statistics");
  refuses({.trainableStatistics = true, .freeze = true}, "freeze never changes the running statistics");
  refuses({.trackRunningStats = false, .freeze = true}, "freeze needs running statistics");
  refuses({.freeze = true, .syncGroup = comm}, "freeze takes no statistics of the batch");
  refuses({.paramDim = nn::ParamDim::PerActivation, .inplace = true}, "inplace works channel by channel");
  refuses({.inplace = true, .backend = nn::BatchNormBackend::OneDNN}, "backend OneDNN cannot work in place");
  refuses({.syncGroup = comm, .backend = nn::BatchNormBackend::OneDNN}, "backend OneDNN cannot share");
  refuses({.epsMode = nn::EpsMode::Max, .backend = nn::BatchNormBackend::OneDNN}, "epsMode Additive");
  refuses({.dtype = DType::F64, .backend = nn::BatchNormBackend::OneDNN}, "backend OneDNN has no f64");
  refuses({.act = nn::Act::LeakyReLU, .slope = -1, .backend = nn::BatchNormBackend::OneDNN}, "slope of 0 or more");
  refuses({.minCalib = 1}, "only one of minCalib and maxCalib");
  refuses({.maxCalib = 1}, "only one of minCalib and maxCalib");
  refuses({.minCalib = 1, .maxCalib = 1}, "minCalib and maxCalib are no range");
  refuses({.trackRunningStats = false, .minCalib = 0, .maxCalib = 1}, "needs running statistics");
  const char* eightBits = "inference in 8 bits";
  refuses({.useGlobalStats = GlobalStats::False, .minCalib = 0, .maxCalib = 1}, eightBits);
  refuses({.trainableStatistics = true, .minCalib = 0, .maxCalib = 1}, eightBits);
  refuses({.act = nn::Act::LeakyReLU, .minCalib = 0, .maxCalib = 1}, eightBits);
  refuses({.paramDim = nn::ParamDim::PerActivation, .minCalib = 0, .maxCalib = 1}, eightBits);
  refuses({.meanName = "a.b"}, "the name \"a.b\" has a dot");
  refuses({.paramAttr = nn::ParamAttr{.lrMultiplier = -1}}, "paramAttr has the multiplier");
  refuses({.biasAttr = nn::ParamAttr{.weightDecayMultiplier = std::nan("")}}, "biasAttr has the multiplier");
  refuses({.epsilon = -1}, "epsilon is -1");
  refuses({.sscale = HUGE_VAL}, "sscale is inf");
  refuses({.slope = std::nan("")}, "slope is");
}

TEST_CASE("a name that no file can hold is refused at once, also by a layer that is still to take its channels") {
  CHECK_THROWS_WITH_AS(nn::BatchNorm2D(0, {.varName = "a.b"}), doctest::Contains("has a dot"), ValueError);
}

TEST_CASE("an input of another number of channels is refused, also by a layer without tensors") {
  nn::BatchNorm2D norm(3, {.affine = false, .trackRunningStats = false});
  CHECK_THROWS_WITH_AS(norm(Tensor::ones({4, 5, 2, 2})),
                       doctest::Contains("[BatchNorm2D] ShapeError: input has 5 channels, the layer expects 3"),
                       ShapeError);
  nn::BatchNorm2D lazy(0, {.affine = false, .trackRunningStats = false});
  lazy(input({4, 3, 2, 2}));
  CHECK_THROWS_WITH_AS(lazy(input({4, 5, 2, 2})), doctest::Contains("expects 3"), ShapeError);
}

TEST_CASE("inference by one map a channel is refused where eval takes the statistics of the batch") {
  nn::BatchNorm1D norm(3, {.minCalib = -1, .maxCalib = 1});
  const Tensor x = Tensor::zeros({4, 3}, DType::I8);
  CHECK_NOTHROW(norm.forwardInt8(x, -1, 1));
  norm.setTrackRunningStats(false);
  CHECK_THROWS_WITH_AS(norm.forwardInt8(x, -1, 1), doctest::Contains("each batch's statistics in eval"), StateError);
  CHECK_THROWS_AS(norm.inferenceScale(), StateError);
  CHECK_THROWS_AS(nn::BatchNorm1D(3, {.useGlobalStats = GlobalStats::False}).inferenceShift(), StateError);
  CHECK_THROWS_AS(nn::BatchNorm1D(0).inferenceScale(), StateError);
}

TEST_CASE("an argument that names no option is refused with the nearest") {
  CHECK_THROWS_WITH_AS(nn::BatchNorm1D::fromArgs({{"maps", 3}, {"momentumm", 0.9}}),
                       doctest::Contains("did you mean \"momentum\"?"), ValueError);
}

TEST_CASE("an initialiser that throws leaves the layer as it is") {
  const nn::Args args = nn::BatchNorm1D(3, {.biasInit = [](Tensor& t) { t.fill_(1); }}).args();
  std::unique_ptr<nn::Module> module;
  {
    const nn::init::Skip skip;
    module = std::make_unique<nn::BatchNorm1D>(nn::BatchNorm1D::fromArgs(args));
  }
  auto& norm = dynamic_cast<nn::BatchNorm1D&>(*module);
  norm(input({4, 3}));
  const std::vector<double> scale = norm.weight.toVector<double>(), mean = norm.runningMean.toVector<double>();
  CHECK_THROWS_AS(norm.resetParameters(), StateError);
  CHECK(norm.weight.toVector<double>() == scale);
  CHECK(norm.runningMean.toVector<double>() == mean);
  CHECK(norm.numBatchesTracked.item() == 1);
}
