#pragma once
#include <cstddef>
#include <tuple>
#include <utility>

#include <ember/autograd/ops/BatchNormOptions.h>

namespace ember {

namespace autograd::batchnorm {

/// What normalised a batch, f64 [C], undefined for a shape-only one; as tensors of the shape and type of gamma.
struct UsedStatistics {
  core::NDArray mean, invstd, var;
  Shape shape;
  DType dtype;
  Tensor tensor(const core::NDArray& values) const;
};

}  // namespace autograd::batchnorm

/// Result of batchNorm(): take it as a Tensor, or as auto [y, mean, invstd].
struct BatchNormResult {
  Tensor y;
  autograd::batchnorm::UsedStatistics used;

  /// Of the shape of gamma, as used, in the type of the parameters, outside the graph. Each call gives a new tensor:
  /// most callers want none, and making them took a third of a small op's time.
  Tensor mean() const { return used.tensor(used.mean); }
  Tensor invstd() const { return used.tensor(used.invstd); }
  /// The (biased) variance behind invstd, likewise.
  Tensor var() const { return used.tensor(used.var); }
  operator Tensor() const { return y; }

  template <std::size_t i>
  Tensor get() const {
    return i == 0 ? y : i == 1 ? mean() : invstd();
  }
};

/// Batch normalisation over all axes but the channel axis, m elements a channel.
///
///   y = act(gamma·(x - mean)/sqrt(var + eps) + beta + residual),   batch: mean = sum(x)/m, var = sum((x - mean)²)/m
///   update: runningMean = (1-f)·runningMean + f·mean,   runningVar = (1-f)·runningVar + f·var·m/(m-1)
///
/// x  [N, C, ...]             f32, f64 or bf16; another channel axis by option
/// gamma, beta  [C]           f32, for f64 data f64; undefined: 1 and 0. PerActivation: the shape of x without axis 0
/// runningMean, runningVar    of that shape and type, both or neither; an update writes them once every check has
/// passed
/// -> y of the shape and type of x, channels last in memory. An empty batch gives an empty y and changes nothing.
///
/// Differentiable: x, gamma, beta, residual (an option), through the statistics of the batch where they were used;
/// twice differentiable. Backward uses what the forward recorded, whatever the options of the moment. Where var + eps
/// is 0, invstd is 0.
///
/// inplace: x must be the result of an op that nobody else shares. Outside recording y aliases it. When recorded, x is
/// overwritten and backward rebuilds it from y, with act None or LeakyReLU of positive slope; a step in which a channel
/// would lose more than 1e-5 (f32) or 1e-12 (f64), as where gamma is near 0, keeps x, and so does one with a residual.
/// Readers of the old x are told.
///
/// syncGroup: count, mean and sum of squares are gathered and merged in rank order, so every rank has the same bits and
/// any split of a batch, empty ranks included, gives what the whole batch gives. Each rank calls forward and backward
/// alike; the gradient of x is that of the sum of all ranks' losses, those of gamma and beta stay each rank's own.
///
/// Throws ShapeError, DtypeError, ValueError (options; one value a channel), StateError (inplace; stale operands),
/// NumericError (in anomaly mode: NaN or infinity in x, gamma or beta), before anything has changed.
///
/// Source: Ioffe & Szegedy 2015, arXiv:1502.03167; in place: Rota Bulò et al. 2018, arXiv:1712.02616.
BatchNormResult batchNorm(const Tensor& x, const Tensor& gamma = {}, const Tensor& beta = {},
                          const Tensor& runningMean = {}, const Tensor& runningVar = {},
                          const BatchNormOptions& options = {});

}  // namespace ember

template <>
struct std::tuple_size<ember::BatchNormResult> : std::integral_constant<std::size_t, 3> {};
template <std::size_t i>
struct std::tuple_element<i, ember::BatchNormResult> {
  using type = ember::Tensor;
};
