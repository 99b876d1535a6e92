#pragma once
#include <ember/core/NDArray.h>

/// Batch normalisation over all axes but 1 of x [N, C, ...] (channels last in memory runs fastest; other orders are converted).
/// Statistics and parameters of f32/bf16 data are f32, of f64 data f64; the statistics accumulate in f64 and the mean stays f64
/// until it is subtracted. Formulas: reference/batch-norm section 1.4, m = elements per channel:
///   mu = sum(x)/m,  var = sum((x-mu)^2)/m,  is = 1/sqrt(var+eps),  y = act(gamma·(x-mu)·is + beta)
namespace ember::core {

/// Activation fused behind a normalisation. LeakyRelu takes `slope`.
struct FusedAct {
  enum class Kind : u8 { None, Relu, LeakyRelu } kind = Kind::None;
  double slope = 0;
};

/// mean, var (biased) of the batch as f64 arrays [C]; invstd follows from var and epsilon.
struct BatchStatistics {
  NDArray mean, var;
};
/// Two-pass or Chan-merged, one pass over memory, never E[x^2]-E[x]^2.
BatchStatistics batchStatistics(const NDArray& x);

/// y = act(gamma·(x-mean)·invstd + beta); mean, invstd f64 [C]; gamma, beta may be undefined (1, 0).
/// `out` defined: written there (may be x itself), else a new array of x's order.
NDArray normalize(const NDArray& x, const NDArray& mean, const NDArray& invstd, const NDArray& gamma, const NDArray& beta,
                  const FusedAct& act, NDArray out = {});

struct BatchNormGrads {
  NDArray dx, dgamma, dbeta;
};
/// Gradient through batch statistics (useBatch) or fixed ones:
///   g = dy·act'(y),  dbeta = sum(g),  dgamma = sum(g·xh),  xh = (x-mean)·invstd
///   useBatch: dx = gamma·invstd·(g - dbeta/m - xh·dgamma/m);  else dx = gamma·invstd·g
/// y is needed only with a fused activation. needDx false leaves dx undefined.
BatchNormGrads batchNormBackward(const NDArray& dy, const NDArray& x, const NDArray& y, const NDArray& mean, const NDArray& invstd,
                                 const NDArray& gamma, const FusedAct& act, bool useBatch, bool needDx);

}  // namespace ember::core
