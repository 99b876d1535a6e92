#pragma once
#include <memory>

#include <ember/autograd/ops/BatchNormOptions.h>
#include <ember/core/kernels/BatchNorm.h>

/// The statistics that one batch norm uses, and what it leaves in the running ones.
namespace ember::autograd::batchnorm {

/// Mean and variance as normalising takes them, with the number of elements a channel they stand for.
struct Statistics {
  core::NDArray mean, var;  ///< f64 [C]
  i64 count = 0;            ///< over all ranks
};

/// Of x [N, C, ...], merged over the ranks of options.syncGroup in rank order (Chan, Golub, LeVeque 1979). A rank
/// without elements takes part; if none has any, count is 0. Collective.
Statistics statisticsOfBatch(const core::NDArray& x, const BatchNormOptions& options);

/// 1/sqrt(var + eps) or 1/sqrt(max(var, eps)); 0 instead of infinity.
core::NDArray invstdOf(const core::NDArray& var, const BatchNormOptions& options);
/// 1 where invstd depends on the variance, 0 where it is constant, f64 [C].
core::NDArray invstdBends(const core::NDArray& var, const BatchNormOptions& options);

/// Counts the batch and writes the running mean and variance. `ownCount`: elements a channel of this rank alone.
void updateRunning(const Tensor& mean, const Tensor& var, const Statistics& statistics, i64 ownCount,
                   const BatchNormOptions& options);

/// An update that waits for the backward.
class RunningUpdate {
 public:
  RunningUpdate(Tensor mean, Tensor var, const Statistics& statistics, i64 ownCount, const BatchNormOptions& options);
  /// Once; later calls do nothing.
  void apply();

 private:
  Tensor mean_, var_;
  Statistics statistics_;
  i64 ownCount_;
  BatchNormOptions options_;
  bool done_ = false;
};

/// Sums a tensor over the ranks of the group; differentiable: the gradient of the sum of all ranks' losses. Collective,
/// in forward and backward. Returns x itself without a group.
Tensor sumOverRanks(const Tensor& x, const std::shared_ptr<Communicator>& group);

}  // namespace ember::autograd::batchnorm
