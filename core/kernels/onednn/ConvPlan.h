#pragma once
#include <ember/core/kernels/ConvRule.h>
#include <ember/core/kernels/onednn/Primitive.h>
#include <ember/core/kernels/onednn/PrimitiveCache.h>

namespace ember::core::onednn {

/// The primitives of one convolution in one direction.
struct ConvPlan : Plan {
  bool usable = false;    ///< false: not to be had, or only as oneDNN's reference loops
  Primitive kernel;       ///< forward: x, w, [bias,] y; backward data: dx, w, dy; backward weights: x, dw, dy
  Primitive packWeights;  ///< row-major to packed, backward weights: back; empty if the kernel takes row-major
  std::size_t packedBytes = 0;
  u64 packedForm = 0;  ///< names the packed layout: plans that pack alike share packed weights

  void describe(std::vector<std::string>& names) const override;
};

/// From the cache. The open ComputeScope decides the threads.
std::shared_ptr<const ConvPlan> convPlan(const ConvProblem&, ConvDirection);

}  // namespace ember::core::onednn
