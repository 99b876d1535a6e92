#pragma once
#include <memory>
#include <vector>

#include <ember/autograd/Graph.h>
#include <ember/autograd/ops/BatchNormStatistics.h>

/// Between the forward of batch norm and its backward.
namespace ember::autograd::batchnorm {

inline constexpr const char* op = "batchNorm";

/// Where the channels are, and what that makes of shapes and arrays. Kernels want [N, C, ...]. With PerActivation every
/// element of a sample is a channel of its own: [N, elements].
struct Channels {
  Shape input;
  Shape parameters;  ///< of gamma, beta and the statistics
  int axis = 1;
  bool perActivation = false;
  i64 count = 0, perChannel = 0;

  /// Throws ShapeError for a rank below 2, an axis out of range, or no channels.
  Channels(const Shape& shape, const BatchNormOptions& options);
  core::NDArray inFront(const core::NDArray& x) const;
  core::NDArray back(const core::NDArray& x) const;
  /// A parameter as the kernels take it, [C]; undefined stays undefined.
  core::NDArray flat(const core::NDArray& parameter) const;
  /// The shape of parameters as broadcasting against the input wants it: [1, C, 1, ...].
  Shape broadcast() const;
  /// The axes that the statistics run over.
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
  bool passThrough = false;  ///< one value a channel went through unchanged: gamma and beta had no part in it
  bool residual = false;     ///< one joined before the activation, whose branch the backward reads off y
  Tensor xHandle;
  Saved x, gamma, beta;
  Statistics statistics;
  core::NDArray invstd;
  std::shared_ptr<RunningUpdate> update;  ///< to be made in backward, or null
};

/// Gradients of x, gamma, beta and residual: by the fused kernel, or in differentiable ops while the backward itself is
/// recorded.
Tensors gradientsOf(const Record& record, const BackwardContext& context);

}  // namespace ember::autograd::batchnorm
