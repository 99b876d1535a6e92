#pragma once
#include <ember/core/Sizes.h>
#include <ember/nn/Module.h>

namespace ember::nn {

/// Those of the pool that is undone; numbers hold for all spatial axes, or {2, 3} one for each.
struct UnpoolOptions {
  Sizes kernel = 2;       ///< 1 or more
  Sizes stride = {};      ///< the kernel if unset
  Sizes padding = 0;      ///< 0 or more
  Sizes outputSize = {};  ///< of the spatial axes of the result; unset: the smallest that the pool makes x of,
                          ///< (P - 1)·stride - 2·padding + kernel
};

/// Undoes a MaxPool1D to 3D with returnIndices: {x [N, C, ...], indices} -> [N, C, ...], zeros where no maximum stood.
///
///   Tensors pooled = pool(Tensors{x});            // MaxPool2D({.kernel = 2, .returnIndices = true})
///   Tensor y = unpool(pooled[0], pooled[1]);
///
/// Throws ValueError at construction on sizes out of range, ShapeError on other than two inputs.
class MaxUnpoolND : public Module {
 public:
  using Module::forward;
  Tensors forward(const Tensors& inputs) override;
  Tensor operator()(const Tensor& x, const Tensor& indices) { return Module::operator()(Tensors{x, indices})[0]; }
  Tensors operator()(const Tensors& inputs) { return Module::operator()(inputs); }
  Args args() const override;
  std::string details() const override;

 protected:
  MaxUnpoolND(int spatial, UnpoolOptions options);
  static UnpoolOptions optionsOf(const Args& a);

 private:
  int spatial_;
  UnpoolOptions options_;
};

#define EMBER_UNPOOL(Type, spatial)                                                         \
  class Type : public MaxUnpoolND {                                                         \
   public:                                                                                  \
    explicit Type(UnpoolOptions options = {}) : MaxUnpoolND(spatial, std::move(options)) {} \
    static Type fromArgs(const Args& a) { return Type(optionsOf(a)); }                      \
  };
EMBER_UNPOOL(MaxUnpool1D, 1)  ///< x [N, C, L]
EMBER_UNPOOL(MaxUnpool2D, 2)  ///< x [N, C, H, W]
EMBER_UNPOOL(MaxUnpool3D, 3)  ///< x [N, C, D, H, W]
#undef EMBER_UNPOOL

}  // namespace ember::nn
