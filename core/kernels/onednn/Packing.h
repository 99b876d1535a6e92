#pragma once
#include <memory>

#include <ember/core/kernels/onednn/Primitive.h>

namespace ember::core::onednn {

/// Weights in the layout that a kernel chose for itself.
struct Packing {
  Primitive pack;         ///< from the weights as they lie; empty if the kernel takes them so
  std::size_t bytes = 0;  ///< of the packed weights
  u64 form = 0;           ///< names the layout: plans that pack alike share packed weights

  Packing() = default;
  /// From `plain` to `wanted`.
  Packing(const dnnl::memory::desc& plain, const dnnl::memory::desc& wanted);
  /// `weights` packed: kept with their storage until they are written, or made now. Null without a `pack`.
  std::shared_ptr<Storage> of(const NDArray& weights) const;
};

}  // namespace ember::core::onednn
