#pragma once
#include <ember/autograd/ops/Pad.h>
#include <ember/core/Sizes.h>
#include <ember/nn/Module.h>

namespace ember::nn {

/// Numbers hold for all spatial axes; {1, 2} gives one for each.
struct PadOptions {
  Sizes before = 1;  ///< elements in front of each spatial axis, 0 or more
  Sizes after = {};  ///< behind it; as many as before if unset
  PadMode mode = PadMode::Zeros;
  double value = 0;  ///< with Zeros, instead of 0
};

/// Puts elements around 1 to 3 spatial axes: x [N, C, ...] -> [N, C, ... + before + after]; zeros, another value, or by
/// its mode what lies inside (autograd/ops/Pad.h). ValueError at construction for negative numbers (Slice cuts) and for
/// a value with another mode than Zeros; ShapeError for another rank and for more than the mode can fill.
class PadND : public Module {
 public:
  using Module::forward;
  Tensor forward(const Tensor& x) override;
  Args args() const override;
  std::string details() const override;

 protected:
  PadND(int spatial, PadOptions options);
  static PadOptions optionsOf(const Args& a);

 private:
  int spatial_;
  PadOptions options_;
};

#define EMBER_PAD(Type, spatial)                                                     \
  class Type : public PadND {                                                        \
   public:                                                                           \
    explicit Type(PadOptions options = {}) : PadND(spatial, std::move(options)) {}   \
    static Type fromArgs(const Args& a) { return Type(optionsOf(a)); }               \
  };
EMBER_PAD(Pad1D, 1)  ///< x [N, C, L]
EMBER_PAD(Pad2D, 2)  ///< x [N, C, H, W]
EMBER_PAD(Pad3D, 3)  ///< x [N, C, D, H, W]
#undef EMBER_PAD

}  // namespace ember::nn
