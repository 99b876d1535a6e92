#pragma once
#include <optional>

#include <ember/autograd/ops/BatchNormOptions.h>

namespace ember {

/// Options of batchNormInt8(). The order of the fields is public interface.
struct Int8BatchNormOptions {
  double epsilon = 1e-5;                               ///< >= 0
  std::optional<double> minCalib = {}, maxCalib = {};  ///< required: the range of the output, minCalib < maxCalib
  int channelAxis = 1;                                 ///< negative from the end
  Act act = Act::None;                                 ///< None or ReLU
  bool fixGamma = false;                               ///< gamma counts as 1
  double range = 127;         ///< the number that stands for the largest magnitude: 127, or 127.5 as in MXNet
  bool mxnetEpsilon = false;  ///< divides W by sqrt(1 + epsilon), as MXNet's op does
  EpsMode epsMode = EpsMode::Additive;
};

/// Result of batchNormInt8(): y stands for y·max(|min|, |max|)/range.
struct Int8BatchNormResult {
  Tensor y;         ///< i8
  double min, max;  ///< minCalib and maxCalib
};

/// Batch norm of inference on 8-bit numbers, with the running statistics, is = 1/sqrt(runningVar + epsilon).
///
///   y = sat(round(W·x + B)),   W = gamma·is·D/O,   B = (beta - runningMean·gamma·is)·R/O
///
/// D = max(|minData|, |maxData|), O = max(|minCalib|, |maxCalib|), R = range. round goes to nearest, ties to even, sat
/// ends at -128 and 127. With ReLU y is at least 0, behind the rounding. Everything but x and y is f64.
///
/// x  [N, C, ...]                 i8 or u8. i8 stands for x·D/R. u8 stands for x·D/255, so W is R/255 times the above;
///                                with R = 127.5 it is first made i8 by sat(round(x·127.5/255.5)), as in MXNet
/// gamma, beta  [C]               f32 or f64; undefined: 1 and 0
/// runningMean, runningVar  [C]   f32 or f64
/// -> y i8 [N, C, ...], in the memory order of x if that is dense, and the range it stands for
///
/// With range = 127.5, mxnetEpsilon and fixGamma = false it is MXNet's op, but for its f32. Without them the result is
/// the number nearest to the exact one, so at most half a step from it where nothing saturates.
///
/// Not differentiable: the result is outside the graph.
/// Throws ValueError (options; a range that is missing, empty, zero or not finite; u8 with minData below 0),
/// ShapeError, DtypeError, StateError (no running statistics), NumericError (parameters that give a channel no finite W
/// and B).
///
/// Source: MXNet, src/operator/quantization/dnnl/dnnl_quantized_batch_norm.cc.
Int8BatchNormResult batchNormInt8(const Tensor& x, double minData, double maxData, const Tensor& gamma,
                                  const Tensor& beta, const Tensor& runningMean, const Tensor& runningVar,
                                  const Int8BatchNormOptions& options);

}  // namespace ember
