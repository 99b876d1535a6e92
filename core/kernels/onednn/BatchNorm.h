#pragma once
#include <ember/core/NDArray.h>

/// oneDNN's batch normalisation over all axes but 1 of x [N, C, ...], f32 or bf16, ranks 2 to 5, read channels last
/// (another order is converted first). No activation.
///
/// Its statistics and its mean are f32, summed in f32: at |mean|/std = 1e4 with 12800 values a channel the mean and y
/// are off by 0.02 std and the variance by 3e-4 relative, where core/kernels/BatchNorm.h keeps y to 1e-6 and the
/// variance to 1e-7 (measured in BatchNormBackendsTest). epsilon is rounded to f32.
namespace ember::core::onednn {

struct BatchNormForward {
  NDArray y;          ///< channels last
  NDArray mean, var;  ///< f32 [C], biased; those given, as f32, if they were
};
/// y = gamma·(x-mean)/sqrt(var+epsilon) + beta, with the batch's own statistics if mean and var are undefined. gamma
/// and beta [C] may be undefined (1, 0). Throws ShapeError for other ranks, DtypeError for f64, ValueError if
/// statistics of no elements are asked for.
BatchNormForward batchNormForward(const NDArray& x, const NDArray& gamma, const NDArray& beta, double epsilon,
                                  const NDArray& mean, const NDArray& var);

struct BatchNormBackward {
  NDArray dx;             ///< channels last
  NDArray dgamma, dbeta;  ///< f32 [C]
};
/// The gradients for dy of the forward's y. With `globalStats` the statistics were given and are constants; else they
/// are functions of x. Errors as the forward's.
BatchNormBackward batchNormBackward(const NDArray& x, const NDArray& dy, const NDArray& gamma, const NDArray& mean,
                                    const NDArray& var, double epsilon, bool globalStats);

}  // namespace ember::core::onednn
