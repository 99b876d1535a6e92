#pragma once
#include <string>

#include <ember/nn/Module.h>

namespace ember::nn {

struct InstanceNormOptions {
  double epsilon = 1e-5;
  /// Weight of the new statistics in the running ones, in [0, 1], as in PyTorch (BatchNorm's is that of the old).
  double momentum = 0.1;
  bool affine = false;             ///< weight and bias [channels]
  bool trackRunningStats = false;  ///< eval then uses the running statistics
};

/// Each channel of each sample brought to mean 0 and variance 1 over its places: x [N, channels, spatial...].
///
/// State: weight and bias (from 1 and 0) if affine; running_mean and running_var (from 0 and 1) if tracked: means over
/// the samples of a batch of the channels' means and of their variances with divisor m - 1; num_batches_tracked, which
/// PyTorch has and leaves at 0. ValueError at construction for options out of range; in forward ShapeError for another
/// shape, ValueError for a single place a channel. Ulyanov et al. 2016; semantics as torch.nn.InstanceNorm1d to 3d.
class InstanceNormND : public Module {
 public:
  using Module::forward;
  Tensor forward(const Tensor& x) override;
  Args args() const override;
  std::string details() const override;

  Tensor weight, bias;                                ///< undefined unless affine
  Tensor runningMean, runningVar, numBatchesTracked;  ///< undefined unless tracked

 protected:
  InstanceNormND(int spatial, i64 channels, InstanceNormOptions options);
  template <class Layer>
  static Layer make(const Args& a) {
    return Layer(a.get<i64>("channels"), {.epsilon = a.get<double>("epsilon"),
                                          .momentum = a.get<double>("momentum"),
                                          .affine = a.get<bool>("affine"),
                                          .trackRunningStats = a.get<bool>("trackRunningStats")});
  }

 private:
  int spatial_;
  i64 channels_;
  InstanceNormOptions options_;

  void checkInput(const Tensor& x) const;
  void track(const Tensor& x);
};

#define EMBER_INSTANCE_NORM(Type, spatial)                                                                        \
  class Type : public InstanceNormND {                                                                            \
   public:                                                                                                        \
    explicit Type(i64 channels, InstanceNormOptions options = {}) : InstanceNormND(spatial, channels, options) {} \
    static Type fromArgs(const Args& a) { return make<Type>(a); }                                                 \
  };
EMBER_INSTANCE_NORM(InstanceNorm1D, 1)  ///< x [N, C, L]
EMBER_INSTANCE_NORM(InstanceNorm2D, 2)  ///< x [N, C, H, W]
EMBER_INSTANCE_NORM(InstanceNorm3D, 3)  ///< x [N, C, D, H, W]
#undef EMBER_INSTANCE_NORM

}  // namespace ember::nn
