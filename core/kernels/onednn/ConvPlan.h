#pragma once
#include <ember/core/kernels/ConvRule.h>
#include <ember/core/kernels/onednn/Packing.h>
#include <ember/core/kernels/onednn/PrimitiveCache.h>

namespace ember::core::onednn {

/// The primitives of one convolution in one direction.
struct ConvPlan : Plan {
  bool usable = false;          ///< false: not to be had, or only as oneDNN's reference loops
  Primitive kernel;             ///< forward: x, w, [bias,] y; backward data: dx, w, dy; backward weights: x, dw, dy
  Packing weights;              ///< of row-major weights; backward weights: unused
  Primitive unpack;             ///< backward weights: to row-major; empty if the kernel writes that
  std::size_t packedBytes = 0;  ///< of what unpack reads

  void describe(std::vector<std::string>& names) const override;
};

/// From the cache. The open ComputeScope decides the threads.
std::shared_ptr<const ConvPlan> convPlan(const ConvProblem&, ConvDirection);

}  // namespace ember::core::onednn
