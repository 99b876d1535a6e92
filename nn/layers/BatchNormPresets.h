#pragma once
#include <ember/nn/layers/BatchNormNDOptions.h>

/// Options with which BatchNormND does what another system's batch norm does: nn::BatchNorm2D(64,
/// nn::presets::puzzle()). What they leave open (affine, act, inplace, ...) is set on the result.
/// examples/batch_norm_dialects prints what each stores and returns, batch after batch.
///
///   system    its words                          ours
///   PuzzleLib size, epsilon, initFactor,          maps, and the same names; its modes are train() and eval()
///             minFactor, sscale, affine, inplace
///   brainpy   num_features, axis, momentum,       maps, reduceAxes, momentum, syncGroup.split(groups)
///             axis_name, axis_index_groups
///   MegEngine track_running_stats, freeze,        trackRunningStats, freeze, paramDim, epsMode, syncGroup
///             param_dim, eps_mode, group
///   Paddle    data_layout, is_test, param_attr,   dataLayout, isTest, paramAttr, biasAttr, useGlobalStats (its None is
///             bias_attr, use_global_stats,        Auto, False is False; of its older BatchNorm class False is Auto),
///             trainable_statistics, in_place,     trainableStatistics, inplace, meanName, varName, doModelAverage
///             moving_mean_name, act
///   MXNet     fix_gamma, use_global_stats, axis,  fixGamma, useGlobalStats (its False is Auto), channelAxis,
///             output_mean_var, cudnn_off,         outputMeanVar, backend, minCalib, maxCalib
///             min_calib_range, max_calib_range
///
/// "Momentum" is the weight of the OLD statistic in all five, as here; PyTorch's is that of the new one.
namespace ember::nn::presets {

/// As PuzzleLib computes: f = max(1/n, 0.1) weighs the new statistic, variance unbiased, scale from Normal(1, 0.01).
BatchNormNDOptions puzzle();
/// As PuzzleLib's documentation says: the same f weighs the old statistic, so the first batch changes nothing.
BatchNormNDOptions puzzleAsDocumented();
/// brainpy up to 2.7: momentum 0.99, variance biased, channels last, one value a channel gives variance 0.
BatchNormNDOptions brainpy27();
/// brainpy from 2.8: the variance unbiased, by the count of its own rank.
BatchNormNDOptions brainpy28();
/// MegEngine: momentum 0.9, variance unbiased; it stores parameters as (1, C, 1, 1).
BatchNormNDOptions megengine();
/// Paddle on the CPU: momentum 0.9, variance biased, one value a channel passes through.
BatchNormNDOptions paddleCpu();
/// Paddle through cuDNN: the variance unbiased.
BatchNormNDOptions paddleGpu();
/// MXNet's operator on the CPU: epsilon 1e-3, scale fixed to 1, variance biased, statistics move in the backward.
BatchNormNDOptions mxnetCpu();
/// MXNet's operator through cuDNN: the variance unbiased, statistics move in the forward.
BatchNormNDOptions mxnetCudnn();

}  // namespace ember::nn::presets
