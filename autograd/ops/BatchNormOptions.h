#pragma once
#include <memory>
#include <optional>

#include <ember/autograd/Tensor.h>
#include <ember/autograd/ops/Act.h>

namespace ember {

class Communicator;

/// invstd = 1/sqrt(var + epsilon), or 1/sqrt(max(var, epsilon)), which is constant where var < epsilon.
enum class EpsMode : u8 { Additive, Max };

/// Which statistic the factor f = min(1, max(initFactor/n, minFactor)) weighs: the new one, as PuzzleLib computes, or
/// the old one, as its documentation says.
enum class FactorWeighs : u8 { New, Old };

/// What the running variance receives: the batch variance times m/(m-1), or as it is. Normalising takes the latter.
/// Under syncGroup m counts all ranks; UnbiasedLocal takes the m of its own rank (and no factor where that is 1).
enum class VarEstimator : u8 { Unbiased, UnbiasedLocal, Biased };

/// Statistics over all axes but that of the channels, or over the batch axis alone, one mean and scale an element.
enum class ParamDim : u8 { Spatial, PerActivation };

/// Which statistics normalise: those of the mode (batch in training, running else), running always, batch always.
/// False also updates the running statistics outside training, as Paddle does.
enum class GlobalStats : u8 { Auto, True, False };

/// When the running statistics move: in the forward, or in the first backward through it, as MXNet's CPU kernels do
/// (a forward that is not recorded then leaves them alone).
enum class StatsUpdate : u8 { Forward, Backward };

/// What batch statistics of one value a channel do: an error; y = act(beta) with variance 0 (brainpy, MXNet); or
/// y = act(x), no gradient for gamma and beta, running statistics untouched (Paddle).
enum class SingleValue : u8 { Error, Zero, PassThrough };

/// Who computes. Auto: ember's kernels. Reference: plain loops in f64. OneDNN: its primitive, f32 and bf16 alone, whose
/// mean is f32, so that at |mean|/std = 1e4 the variance is off by 7e-4 and more; it takes no inplace, syncGroup,
/// EpsMode::Max, epsilon 0 or negative slope.
enum class BatchNormBackend : u8 { Auto, OneDNN, Reference };

/// Options of batchNorm(). The order of the fields is public interface.
struct BatchNormOptions {
  bool training = true;
  double epsilon = 1e-5;  ///< >= 0
  EpsMode epsMode = EpsMode::Additive;
  std::optional<double> factor = {};    ///< constant weight f of the new statistic, in [0, 1]; 0.1 if nothing is given
  std::optional<double> momentum = {};  ///< the same as weight of the old statistic, 1 - factor
  std::optional<double> initFactor = {};  ///< with `batches`: f = min(1, max(initFactor/n, minFactor))
  std::optional<double> minFactor = {};   ///< 1 and 0.1 if not given
  FactorWeighs factorWeighs = FactorWeighs::New;
  Tensor batches = {};  ///< i64 [], n: an update adds 1, then weighs
  VarEstimator varEstimator = VarEstimator::Unbiased;
  bool fixGamma = false;  ///< gamma counts as 1, gets gradient 0, and is set to 1
  int channelAxis = 1;    ///< negative from the end
  ParamDim paramDim = ParamDim::Spatial;
  GlobalStats useGlobalStats = GlobalStats::Auto;
  bool trainableStatistics = false;  ///< outside training too: batch statistics, and the running ones updated
  bool trackRunningStats = true;     ///< false: batch statistics in both modes, the running ones stay as they are
  bool freeze = false;               ///< running statistics in both modes; gamma and beta get no gradient
  StatsUpdate updateStatsOn = StatsUpdate::Forward;
  SingleValue singleValuePolicy = SingleValue::Error;
  bool inplace = false;  ///< y takes the memory of x; see batchNorm()
  Act act = Act::None;
  double slope = 0.01;   ///< of LeakyReLU
  Tensor residual = {};  ///< joins before act: y = act(gamma·xh + beta + residual); shape and type of x; differentiable
  std::shared_ptr<Communicator> syncGroup = {};  ///< statistics of the batch over all its ranks
  BatchNormBackend backend = BatchNormBackend::Auto;
};

/// What one forward does: normalise with the batch's statistics or with the running ones, update the latter or not.
struct StatisticsUse {
  bool batch = false, update = false;
};
/// The decision, for m elements a channel; hasRunning: running statistics exist.
///
///   track  = trackRunningStats && hasRunning,  always = useGlobalStats == False || trainableStatistics
///   batch  = m > 0 && !freeze && useGlobalStats != True && (training || !track || always)
///   update = batch && track && (training || always) && !(m == 1 && singleValuePolicy == PassThrough)
StatisticsUse decideStatistics(const BatchNormOptions& options, bool hasRunning, i64 m);

/// Weight of the new statistic in the update that makes `batches` batches.
double updateFactor(const BatchNormOptions& options, i64 batches);

/// Throws ValueError for options that are out of range or contradict each other. `op` names the caller.
void checkBatchNormOptions(const char* op, const BatchNormOptions& options);

}  // namespace ember
