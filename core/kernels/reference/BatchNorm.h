#pragma once
#include <ember/core/kernels/BatchNorm.h>

/// Batch normalisation as plain loops in f64, the four functions of core/kernels/BatchNorm.h by their names: what they
/// must agree with. Any strides, f32, f64 or bf16; statistics take two passes; the fused activation gives the bits of
/// the separate one, since it acts on the rounded value. Each channel is summed in logical order by one thread, so the
/// bits depend neither on threads nor on the memory order. Same errors; results are dense channels last.
namespace ember::core::reference {

BatchStatistics batchStatistics(const NDArray& x);
NDArray normalize(const NDArray& x, const NDArray& mean, const NDArray& invstd, const NDArray& gamma,
                  const NDArray& beta, const FusedAct& act, NDArray out = {}, const NDArray& residual = {});
BatchNormSums batchNormSums(const NDArray& dy, const BatchNormSaved& saved, NDArray* gradient = nullptr);
NDArray batchNormInputGrad(const NDArray& dy, const BatchNormSaved& saved, const BatchNormSums& sums, i64 count);

}  // namespace ember::core::reference
