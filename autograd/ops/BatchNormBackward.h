#pragma once
#include <vector>

#include <ember/autograd/Graph.h>
#include <ember/autograd/ops/BatchNorm.h>
#include <ember/core/kernels/BatchNorm.h>

/// Between the forward of batch norm and its backward.
namespace ember::autograd::batchnorm {

inline constexpr const char* op = "batchNorm";

/// Where the channels are, and what that makes of shapes and arrays. Kernels want them on axis 1.
struct Channels {
  int axis = 1, rank = 0;
  i64 count = 0, perChannel = 0;

  /// Throws ShapeError for a rank below 2, an axis out of range, or no channels.
  Channels(const Shape& shape, int wantedAxis);
  core::NDArray inFront(const core::NDArray& x) const { return axis == 1 ? x : x.permute(order(axis, 1)); }
  core::NDArray back(const core::NDArray& x) const { return axis == 1 ? x : x.permute(order(1, axis)); }
  /// [1, C, 1, ...] as broadcasting wants it.
  Shape broadcast() const;
  /// Every axis but that of the channels.
  std::vector<int> others() const;

 private:
  /// Axes in order, but axis `from` moved to place `to`.
  std::vector<int> order(int from, int to) const;
};

/// The activation of the options as the kernels take it.
core::FusedAct fusedAct(const BatchNormOptions& options);

/// What the forward recorded. Where y overwrote x, xHandle keeps the place of x in the graph and `x` is undefined.
struct Record {
  Channels channels;
  BatchNormOptions options;
  bool batch = false, overwritten = false;
  Tensor xHandle;
  Saved x, gamma, beta;
  core::NDArray mean, invstd;
};

/// Gradients of x, gamma and beta: by the fused kernel, or in differentiable ops while the backward itself is recorded.
Tensors gradientsOf(const Record& record, const BackwardContext& context);

}  // namespace ember::autograd::batchnorm
