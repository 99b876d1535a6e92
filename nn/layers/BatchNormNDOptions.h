#pragma once
#include <optional>
#include <string>
#include <vector>

#include <ember/autograd/ops/BatchNormOptions.h>
#include <ember/nn/Act.h>
#include <ember/nn/Initial.h>

namespace ember::nn {

using ember::BatchNormBackend;
using ember::EpsMode;
using ember::FactorWeighs;
using ember::GlobalStats;
using ember::ParamDim;
using ember::SingleValue;
using ember::StatsUpdate;
using ember::VarEstimator;

/// How one parameter is made and trained, beyond what its layer says (Paddle's ParamAttr).
struct ParamAttr {
  std::string name = {};             ///< in the state, instead of "weight" or "bias"
  Initial init = {};                 ///< instead of the layer's own start
  double lrMultiplier = 1;           ///< times the group's learning rate
  double weightDecayMultiplier = 1;  ///< times the group's weight decay
  bool trainable = true;             ///< false: no gradient
  bool doModelAverage = true;        ///< part of a weight average (EMA)
};

/// Options of batch norm. The order of the fields is public interface. Which system each comes from, and what it
/// calls it: nn/layers/BatchNormPresets.h.
struct BatchNormNDOptions {
  double epsilon = 1e-5;  ///< >= 0
  EpsMode epsMode = EpsMode::Additive;
  std::optional<double> initFactor = {};  ///< 1 if not given; >= 0
  std::optional<double> minFactor = {};   ///< 0.1 if not given; in [0, 1]
  FactorWeighs factorWeighs = FactorWeighs::New;
  std::optional<double> momentum = {};  ///< instead of both: constant weight of the old statistic (1 - torch's)
  VarEstimator varEstimator = VarEstimator::Unbiased;
  bool affine = true;  ///< scale and shift, unless the next two say otherwise
  std::optional<bool> useScale = {};
  std::optional<bool> useShift = {};
  bool fixGamma = false;  ///< the scale stays 1 and does not train
  double sscale = 0.01;   ///< the scale starts Normal(1, sscale); 0: exactly 1
  Initial scaleInit = {}, biasInit = {}, meanInit = {}, varInit = {};  ///< instead of that, 0, 0 and 1
  std::optional<ParamAttr> paramAttr = {}, biasAttr = {};              ///< of scale and shift
  Act act = Act::None;                                                 ///< applied behind the shift
  double slope = 0.01;                                                 ///< of LeakyReLU
  std::optional<int> channelAxis = {};    ///< negative from the end; 1 if nothing here says otherwise
  std::vector<int> reduceAxes = {};       ///< the same by all the other axes (brainpy's axis)
  std::string dataLayout = {};            ///< the same by a word: NC, NCL, NCHW, NCDHW, NLC, NHWC, NDHWC
  ParamDim paramDim = ParamDim::Spatial;  ///< PerActivation: parameters are made by the first forward
  DType dtype = DType::F32;               ///< of parameters and statistics; f32 serves f32 and bf16 data, f64 f64
  bool isTest = false;                    ///< starts in eval mode; train() and eval() override it
  GlobalStats useGlobalStats = GlobalStats::Auto;
  bool trainableStatistics = false;  ///< eval mode normalises with the batch, too, and updates
  bool trackRunningStats = true;     ///< false: no running statistics, those of the batch in both modes
  bool freeze = false;               ///< running statistics in both modes, nothing trains
  StatsUpdate updateStatsOn = StatsUpdate::Forward;
  SingleValue singleValuePolicy = SingleValue::Error;
  bool outputMeanVar = false;                    ///< forward(Tensors) gives y, mean and invstd as used
  bool inplace = false;                          ///< the output takes the memory of the input; see batchNorm()
  std::shared_ptr<Communicator> syncGroup = {};  ///< shares the batch's statistics; not part of the architecture
  std::string meanName = "running_mean", varName = "running_var";  ///< in the state
  bool doModelAverage = true;                          ///< the running statistics are part of a weight average (EMA)
  std::optional<double> minCalib = {}, maxCalib = {};  ///< range of the output of forwardInt8()
  BatchNormBackend backend = BatchNormBackend::Auto;
  std::string name = {};  ///< how Sequential names it (instead of its position), and errors where it stands alone
  bool empty = false;     ///< no tensors before load() or materialise()
};

}  // namespace ember::nn
