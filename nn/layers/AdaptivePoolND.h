#pragma once
#include <ember/core/Sizes.h>
#include <ember/nn/Module.h>

namespace ember::nn {

/// Pooling of 1 to 3 spatial axes into `size` bins, whatever the input's sizes: x [N, C, ...] -> [N, C, size...]. A
/// size of -1 keeps that of x. Throws ValueError at construction on sizes that are neither -1 nor 1 and more.
class AdaptivePoolND : public Module {
 public:
  using Module::forward;
  Tensor forward(const Tensor& x) override;
  Args args() const override { return {{"size", size_.vector()}}; }
  std::string details() const override;

 protected:
  enum class Kind : u8 { Max, Average };
  AdaptivePoolND(Kind kind, int spatial, const Sizes& size);

 private:
  Kind kind_;
  int spatial_;
  Sizes size_;
};

#define EMBER_ADAPTIVE_POOL(Type, kind, spatial)                                                 \
  class Type : public AdaptivePoolND {                                                           \
   public:                                                                                       \
    explicit Type(const Sizes& size) : AdaptivePoolND(kind, spatial, size) {}                    \
    static Type fromArgs(const Args& a) { return Type(Sizes(a.get<std::vector<i64>>("size"))); } \
  };
EMBER_ADAPTIVE_POOL(AdaptiveAvgPool1D, Kind::Average, 1)  ///< mean of each bin of x [N, C, L]
EMBER_ADAPTIVE_POOL(AdaptiveAvgPool2D, Kind::Average, 2)  ///< ... of x [N, C, H, W]
EMBER_ADAPTIVE_POOL(AdaptiveAvgPool3D, Kind::Average, 3)  ///< ... of x [N, C, D, H, W]
EMBER_ADAPTIVE_POOL(AdaptiveMaxPool1D, Kind::Max, 1)      ///< largest element of each bin of x [N, C, L]
EMBER_ADAPTIVE_POOL(AdaptiveMaxPool2D, Kind::Max, 2)      ///< ... of x [N, C, H, W]
EMBER_ADAPTIVE_POOL(AdaptiveMaxPool3D, Kind::Max, 3)      ///< ... of x [N, C, D, H, W]
#undef EMBER_ADAPTIVE_POOL

}  // namespace ember::nn
