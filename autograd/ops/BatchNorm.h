#pragma once
#include <optional>

#include <ember/autograd/Tensor.h>

namespace ember {

/// Activation fused behind a layer. LeakyReLU takes a slope.
enum class Act : u8 { None, ReLU, LeakyReLU };

/// What the running variance receives: the batch variance times m/(m-1), or as it is. Normalising takes the latter.
enum class VarEstimator : u8 { Unbiased, Biased };

/// Which statistics normalise: those of the mode (batch in training, running else), running always, batch always.
/// False also updates the running statistics outside training, as Paddle does.
enum class GlobalStats : u8 { Auto, True, False };

/// Options of batchNorm(). The order of the fields is public interface.
struct BatchNormOptions {
  bool training = true;
  double epsilon = 1e-5;  ///< >= 0
  std::optional<double> factor = {};    ///< weight f of the new statistic, in [0, 1]; 0.1 if neither is given
  std::optional<double> momentum = {};  ///< the same as weight of the old statistic, 1 - factor; not both
  VarEstimator varEstimator = VarEstimator::Unbiased;
  bool fixGamma = false;  ///< gamma counts as 1, gets gradient 0, and is set to 1
  int channelAxis = 1;    ///< negative from the end
  GlobalStats useGlobalStats = GlobalStats::Auto;
  bool trainableStatistics = false;  ///< outside training too: batch statistics, and the running ones updated
  bool trackRunningStats = true;     ///< false: batch statistics in both modes, the running ones stay as they are
  bool freeze = false;               ///< running statistics in both modes; gamma and beta get no gradient
  bool inplace = false;              ///< y takes the memory of x; see batchNorm()
  Act act = Act::None;
  double slope = 0.01;  ///< of LeakyReLU
};

/// What one forward does: normalise with the batch's statistics or with the running ones, update the latter or not.
struct StatisticsUse {
  bool batch = false, update = false;
};
/// The decision, for m elements a channel; hasRunning: running statistics exist.
///
///   track  = trackRunningStats && hasRunning,  always = useGlobalStats == False || trainableStatistics
///   batch  = m > 0 && !freeze && useGlobalStats != True && (training || !track || always)
///   update = batch && track && (training || always)
StatisticsUse decideStatistics(const BatchNormOptions& options, bool hasRunning, i64 m);

/// Throws ValueError for options that are out of range or contradict each other. `op` names the caller.
void checkBatchNormOptions(const char* op, const BatchNormOptions& options);

/// Result of batchNorm(): take it as a Tensor, or as auto [y, mean, invstd].
struct BatchNormResult {
  Tensor y;
  Tensor mean, invstd;  ///< [C], as used, in the type of the parameters, outside the graph
  operator Tensor() const { return y; }
};

/// Batch normalisation over all axes but the channel axis, m elements a channel.
///
///   y = act(gamma·(x - mean)/sqrt(var + eps) + beta),   batch: mean = sum(x)/m, var = sum((x - mean)²)/m
///   update: runningMean = (1-f)·runningMean + f·mean,   runningVar = (1-f)·runningVar + f·var·m/(m-1)
///
/// x  [N, C, ...]             f32, f64 or bf16; another channel axis by option
/// gamma, beta  [C]           f32, for f64 data f64; undefined: 1 and 0
/// runningMean, runningVar    [C] of that type, both or neither; an update writes them once every check has passed
/// -> y of the shape and type of x, channels last in memory. An empty batch gives an empty y and changes nothing.
///
/// Differentiable: x, gamma, beta, through the statistics of the batch where they were used; twice differentiable.
/// Backward uses what the forward recorded, whatever the options of the moment.
///
/// inplace: x must be the result of an op that nobody else shares. Outside recording y aliases it. When recorded, x is
/// overwritten and backward rebuilds it from y, with act None or LeakyReLU of positive slope; a step in which a channel
/// would lose more than 1e-5 (f32) or 1e-12 (f64), as where gamma is near 0, keeps x. Readers of the old x are told.
///
/// Throws ShapeError, DtypeError, ValueError (options; one value a channel), StateError (inplace; stale operands).
///
/// Source: Ioffe & Szegedy 2015, arXiv:1502.03167; in place: Rota Bulò et al. 2018, arXiv:1712.02616.
BatchNormResult batchNorm(const Tensor& x, const Tensor& gamma = {}, const Tensor& beta = {},
                          const Tensor& runningMean = {}, const Tensor& runningVar = {},
                          const BatchNormOptions& options = {});

}  // namespace ember
