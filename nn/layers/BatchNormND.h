#pragma once
#include <string>
#include <vector>

#include <ember/autograd/ops/BatchNormInt8.h>
#include <ember/nn/Module.h>
#include <ember/nn/layers/BatchNormNDOptions.h>

namespace ember::nn {

class Conv1D;
class Conv2D;
class Conv3D;
class Linear;

/// Batch normalisation of x [N, maps, ...] of rank 2 or more; the formula stands at batchNorm().
///
/// State: weight and bias [maps] (parameters), running_mean and running_var [maps] (from 0 and 1),
/// num_batches_tracked (i64 [], the n of the factor). A training forward adds 1 to n and weighs the new statistic by
///
///   f = min(1, max(initFactor/n, minFactor))
///
/// so the first batch counts fully, then 1/2, 1/3, ... down to minFactor; minFactor = 0 keeps the plain mean of all.
///
/// maps = 0: taken from the first input; until then the layer has no tensors, and asking for parameters (to make an
/// optimiser, say) throws StateError.
///
/// Throws ValueError at construction for options that are out of range or contradict each other, ShapeError in forward
/// for another rank or number of channels; an error leaves the state as it was.
///
/// Source: Ioffe & Szegedy 2015, arXiv:1502.03167; schedule and initial scale as PuzzleLib.
class BatchNormND : public Module {
 public:
  using Module::forward;
  using Module::operator();
  explicit BatchNormND(i64 maps, const BatchNormNDOptions& options = {})
      : BatchNormND("BatchNormND", 2, Shape::maxRank, maps, options) {}
  Tensor forward(const Tensor& x) override;
  /// {x}, or {x, residual}.
  Tensors forward(const Tensors& inputs) override;
  /// act(forward(x)) as one op, where canActivate().
  Tensor forward(const Tensor& x, Act act, double slope);
  /// Whether the layer has no activation of its own and may take one.
  bool canActivate() const noexcept {
    return !folded_ && options_.act == Act::None && !options_.inplace && !options_.outputMeanVar &&
           options_.backend != BatchNormBackend::OneDNN;
  }
  /// y = act(gamma·xh + beta + residual): what ends a residual block, in one pass over memory. Like x in shape and
  /// type.
  Tensor operator()(const Tensor& x, const Tensor& residual) { return Module::operator()(Tensors{x, residual})[0]; }
  Args args() const override;
  static BatchNormND fromArgs(const Args& a) { return make<BatchNormND>(a); }
  std::string details() const override;
  std::string_view preferredName() const override { return options_.name; }

  i64 maps() const noexcept { return maps_; }
  const BatchNormNDOptions& options() const noexcept { return options_; }
  /// The channel axis of an input of that rank, from 0.
  int channelAxis(int rank) const;

  /// Makes the tensors of a layer that has none yet (maps = 0, empty, PerActivation), for parameters of that shape:
  /// {maps}, with PerActivation the shape of a sample. StateError if they exist, ShapeError if maps says otherwise.
  void materialise(const Shape& parameters);
  /// Mean and variance as they began, n = 0: the next training batch counts fully again.
  void resetRunningStats();
  /// On: forgets the running statistics; from now on they are the plain mean over all training batches (of weights that
  /// were averaged, say: optim/Swa.h). Off: updates are the options' again. Whether training updates any; nothing
  /// happens otherwise.
  bool setCumulativeStats(bool on);
  /// Draws scale and shift anew and resets the statistics.
  void resetParameters();

  /// Running statistics in both modes and nothing trains, or back. ValueError where the options contradict it.
  void setFreeze(bool on);
  /// Off: the statistics stay as they are and both modes use the batch's. StateError to turn on what was built without.
  void setTrackRunningStats(bool on);
  /// Which ranks share the statistics from now on; null: none.
  void setSyncGroup(std::shared_ptr<Communicator> group);

  /// Eval as one affine map a channel: y = act(scale·x + shift). StateError without running statistics.
  std::vector<double> inferenceScale() const;
  std::vector<double> inferenceShift() const;
  /// A copy of the layer in front with this one folded in: w' = w·scale, b' = b·scale + shift. See nn/inference/Fold.h.
  Conv1D foldInto(const Conv1D& layer) const;
  Conv2D foldInto(const Conv2D& layer) const;
  Conv3D foldInto(const Conv3D& layer) const;
  Linear foldInto(const Linear& layer) const;
  /// For nn::foldBatchNorm(): scale and shift stand in the layer in front, and the activation too with `actAsWell`;
  /// forward in eval is what is left, forward in training a StateError. dropFolded() forgets the tensors.
  void setFolded(bool on, bool actAsWell = false) noexcept { folded_ = on, actFolded_ = actAsWell; }
  void dropFolded();
  bool folded() const noexcept { return folded_; }
  /// Eval in 8 bits: x i8 or u8 [N, maps, ...], whose full range stands for [minData, maxData]; the result's is
  /// [minCalib, maxCalib] of the options (StateError without). See batchNormInt8().
  Int8BatchNormResult forwardInt8(const Tensor& x, double minData, double maxData) const;

  Tensor weight, bias;                                ///< undefined without scale or shift
  Tensor runningMean, runningVar, numBatchesTracked;  ///< undefined without running statistics

  bool pending() const override { return !materialised_ && hasTensors() && !folded_; }
  bool materialiseFrom(const ShapeOf& shapeOf) override;
  void dematerialise() override;
  bool ignoresStored(std::string_view name, const core::NDArray& values) const override;

 protected:
  BatchNormND(const char* type, int minRank, int maxRank, i64 maps, const BatchNormNDOptions& options);
  template <class Layer>
  static Layer make(const Args& a) {
    Layer layer(a.get<i64>("maps"), optionsOf(a));
    layer.tracking_ = a.get<bool>("tracking", true);
    if (a.get<bool>("folded", false)) layer.setFolded(true), layer.dropFolded();
    return layer;
  }
  void takeOver(const Module& original) override;

 private:
  const char* type_;
  int minRank_, maxRank_;
  i64 maps_;
  i64 mapsGiven_;  ///< at construction; 0 where the first input says
  BatchNormNDOptions options_;
  bool materialised_ = false;
  bool tracking_ = true;                     ///< setTrackRunningStats()
  bool cumulative_ = false;                  ///< setCumulativeStats()
  bool folded_ = false, actFolded_ = false;  ///< setFolded()

  static BatchNormNDOptions optionsOf(const Args& a);
  void checkOptions() const;
  void checkAxes() const;
  /// The channel axis of an input of that rank, or -1 if the options contradict each other there.
  int axisFor(int rank) const;
  bool hasScale() const { return options_.useScale.value_or(options_.affine); }
  bool hasShift() const { return options_.useShift.value_or(options_.affine); }
  bool hasTensors() const { return hasScale() || hasShift() || options_.trackRunningStats; }
  /// For batchNorm(), with the counter that its updates advance.
  ember::BatchNormOptions functional(int axis, const Tensor& batches) const;
  void checkRank(const Tensor& x) const;
  void checkInput(const Tensor& x) const;
  /// Throws StateError unless eval uses the running statistics.
  void checkInference() const;
  /// What is left of a folded layer: act(x + residual).
  Tensor runFolded(const Tensor& x, const Tensor& residual = {}) const;
  BatchNormResult run(const Tensor& x, const Tensor& residual = {}) {
    return run(x, residual, options_.act, options_.slope);
  }
  BatchNormResult run(const Tensor& x, const Tensor& residual, Act act, double slope);
};

/// x [N, C] or [N, C, L].
class BatchNorm1D : public BatchNormND {
 public:
  explicit BatchNorm1D(i64 maps, const BatchNormNDOptions& options = {})
      : BatchNormND("BatchNorm1D", 2, 3, maps, options) {}
  static BatchNorm1D fromArgs(const Args& a) { return make<BatchNorm1D>(a); }
};

/// x [N, C, H, W].
class BatchNorm2D : public BatchNormND {
 public:
  explicit BatchNorm2D(i64 maps, const BatchNormNDOptions& options = {})
      : BatchNormND("BatchNorm2D", 4, 4, maps, options) {}
  static BatchNorm2D fromArgs(const Args& a) { return make<BatchNorm2D>(a); }
};

/// x [N, C, D, H, W].
class BatchNorm3D : public BatchNormND {
 public:
  explicit BatchNorm3D(i64 maps, const BatchNormNDOptions& options = {})
      : BatchNormND("BatchNorm3D", 5, 5, maps, options) {}
  static BatchNorm3D fromArgs(const Args& a) { return make<BatchNorm3D>(a); }
};

}  // namespace ember::nn
