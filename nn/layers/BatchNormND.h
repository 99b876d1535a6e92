#pragma once
#include <optional>

#include <ember/nn/Act.h>
#include <ember/nn/Module.h>

namespace ember::nn {

/// Which statistic the factor f = max(initFactor/n, minFactor) weighs: the new one, as PuzzleLib computes, or the old
/// one, as its documentation says.
enum class FactorWeighs : u8 { New, Old };

/// Options of batch norm. The order of the fields is public interface.
struct BatchNormNDOptions {
  double epsilon = 1e-5;                  ///< >= 0, added to the variance
  std::optional<double> initFactor = {};  ///< 1 if not given; >= 0
  std::optional<double> minFactor = {};   ///< 0.1 if not given; in [0, 1]
  FactorWeighs factorWeighs = FactorWeighs::New;
  std::optional<double> momentum = {};    ///< instead of both: constant weight of the old statistic (1 - torch's)
  VarEstimator varEstimator = VarEstimator::Unbiased;
  bool affine = true;  ///< scale and shift, unless the next two say otherwise
  std::optional<bool> useScale = {};
  std::optional<bool> useShift = {};
  bool fixGamma = false;  ///< the scale stays 1 and does not train
  double sscale = 0.01;   ///< the scale starts Normal(1, sscale); 0: exactly 1
  Act act = Act::None;    ///< applied behind the shift
  double slope = 0.01;    ///< of LeakyReLU
  int channelAxis = 1;    ///< negative from the end
  bool isTest = false;    ///< starts in eval mode; train() and eval() override it
  GlobalStats useGlobalStats = GlobalStats::Auto;
  bool trainableStatistics = false;  ///< eval mode normalises with the batch, too, and updates
  bool trackRunningStats = true;     ///< false: no running statistics, those of the batch in both modes
  bool freeze = false;               ///< running statistics in both modes, nothing trains
  bool inplace = false;              ///< the output takes the memory of the input; see batchNorm()
};

/// Batch normalisation of x [N, maps, ...] of rank 2 or more; the formula stands at batchNorm().
///
/// State: weight and bias [maps] (parameters), running_mean and running_var [maps] (from 0 and 1),
/// num_batches_tracked (i64 [], the n of the factor). A training forward adds 1 to n and weighs the new statistic by
///
///   f = max(initFactor/n, minFactor)
///
/// so the first batch counts fully, then 1/2, 1/3, ... down to minFactor; minFactor = 0 keeps the plain mean of all.
///
/// Throws ValueError at construction for options that are out of range or contradict each other, ShapeError in forward
/// for another rank or number of channels; an error leaves the state as it was.
///
/// Source: Ioffe & Szegedy 2015, arXiv:1502.03167; schedule and initial scale as PuzzleLib.
class BatchNormND : public Module {
 public:
  using Module::forward;
  explicit BatchNormND(i64 maps, const BatchNormNDOptions& options = {})
      : BatchNormND("BatchNormND", 2, Shape::maxRank, maps, options) {}
  Tensor forward(const Tensor& x) override;
  Args args() const override;
  static BatchNormND fromArgs(const Args& a) { return BatchNormND(a.get<i64>("maps"), optionsOf(a)); }
  std::string details() const override;

  /// Mean 0, variance 1, n = 0: the next training batch counts fully again.
  void resetRunningStats();
  /// Draws scale and shift anew and resets the statistics.
  void resetParameters();

  Tensor weight, bias;                                ///< undefined without scale or shift
  Tensor runningMean, runningVar, numBatchesTracked;  ///< undefined without running statistics

 protected:
  BatchNormND(const char* type, int minRank, int maxRank, i64 maps, const BatchNormNDOptions& options);
  static BatchNormNDOptions optionsOf(const Args& a);

 private:
  const char* type_;
  int minRank_, maxRank_;
  i64 maps_;
  BatchNormNDOptions options_;

  ember::BatchNormOptions functional(i64 batches) const;
};

/// x [N, C] or [N, C, L].
class BatchNorm1D : public BatchNormND {
 public:
  explicit BatchNorm1D(i64 maps, const BatchNormNDOptions& options = {})
      : BatchNormND("BatchNorm1D", 2, 3, maps, options) {}
  static BatchNorm1D fromArgs(const Args& a) { return BatchNorm1D(a.get<i64>("maps"), optionsOf(a)); }
};

/// x [N, C, H, W].
class BatchNorm2D : public BatchNormND {
 public:
  explicit BatchNorm2D(i64 maps, const BatchNormNDOptions& options = {})
      : BatchNormND("BatchNorm2D", 4, 4, maps, options) {}
  static BatchNorm2D fromArgs(const Args& a) { return BatchNorm2D(a.get<i64>("maps"), optionsOf(a)); }
};

/// x [N, C, D, H, W].
class BatchNorm3D : public BatchNormND {
 public:
  explicit BatchNorm3D(i64 maps, const BatchNormNDOptions& options = {})
      : BatchNormND("BatchNorm3D", 5, 5, maps, options) {}
  static BatchNorm3D fromArgs(const Args& a) { return BatchNorm3D(a.get<i64>("maps"), optionsOf(a)); }
};

}  // namespace ember::nn
