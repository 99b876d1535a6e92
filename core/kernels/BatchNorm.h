#pragma once
#include <ember/core/NDArray.h>
#include <ember/core/kernels/FusedAct.h>

/// Batch normalisation over all axes but 1 of x [N, C, ...]; m = elements per channel.
///
///   mu = sum(x)/m,  var = sum((x-mu)^2)/m,  is = 1/sqrt(var+eps),  xh = (x-mu)·is,  y = act(gamma·xh + beta + r)
///
/// r, of the shape and type of x, is a residual that joins before the activation; most nets have none.
/// x is f32, f64 or bf16, read channels last (another order is converted first). gamma and beta are f32, for f64 data
/// f64; statistics and sums are f64 [C], and the mean stays f64 until it is subtracted. Every sum runs over fixed
/// blocks of rows and adds their results in order: the same bits for any number of threads.
namespace ember::core {

/// Mean and (biased) variance of each channel, f64 [C].
struct BatchStatistics {
  NDArray mean, var;
};
/// One pass over x: blocks centred about a mean of their own, merged by Chan's formula (Chan, Golub, LeVeque 1979);
/// never E[x^2]-E[x]^2. Throws ValueError if x has no elements.
BatchStatistics batchStatistics(const NDArray& x);
/// Keeps the statistics of x, found by the kernel that wrote it, for batchStatistics() of the same whole array until it
/// is written again. They err as batchStatistics() does, but their last bits are others.
void keepStatistics(const NDArray& x, const BatchStatistics&);

/// y = act(gamma·(x-mean)·invstd + beta + residual). mean, invstd f64 [C]; gamma, beta, residual may be undefined
/// (1, 0, 0); with a residual the slope of act must be 0 or more. `out` defined: written there (it may be x itself; the
/// caller reports the write), else a new array, channels last.
NDArray normalize(const NDArray& x, const NDArray& mean, const NDArray& invstd, const NDArray& gamma,
                  const NDArray& beta, const FusedAct& act, NDArray out = {}, const NDArray& residual = {});

/// What the forward leaves for the backward. `x` undefined: the forward overwrote it, and xh is rebuilt from `y`
/// as (act^-1(y)-beta)/gamma; gamma must have no zero then, and act be None or LeakyRelu with slope > 0. Both defined:
/// a residual joined before act, whose branch is then read off y.
struct BatchNormSaved {
  NDArray x, y;
  NDArray mean, invstd;  ///< f64 [C], as normalize used them
  NDArray gamma, beta;
  FusedAct act;
};

/// Sums over each channel, f64 [C], of g = dy·act'(y):  g = sum(g) (gradient of beta), gxh = sum(g·xh) (of gamma).
struct BatchNormSums {
  NDArray g, gxh;
};
/// `gradient` not null: receives g itself, which is the gradient of the residual.
BatchNormSums batchNormSums(const NDArray& dy, const BatchNormSaved& saved, NDArray* gradient = nullptr);

/// Gradient of x through the batch statistics, whose `count` elements per channel gave `sums`:
///   dx = gamma·is·(g - sums.g/count - xh·sums.gxh/count)
/// With undefined sums the statistics were fixed: dx = gamma·is·g.
NDArray batchNormInputGrad(const NDArray& dy, const BatchNormSaved& saved, const BatchNormSums& sums, i64 count);

}  // namespace ember::core
