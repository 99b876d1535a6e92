#pragma once
#include <ember/core/Sizes.h>
#include <ember/nn/Module.h>

namespace ember::nn {

struct PoolOptions {
  Sizes kernel = 2;             ///< 1 or more
  Sizes stride = {};            ///< the kernel if unset
  Sizes padding = 0;            ///< at most half the kernel
  bool countIncludePad = true;  ///< averages only: whether padding counts in the divisor
};

/// Pooling over 1 to 3 spatial axes: x [N, C, ...] -> [N, C, ...].
class PoolND : public Module {
 public:
  using Module::forward;
  Tensor forward(const Tensor& x) override;
  Args args() const override;
  std::string details() const override;

 protected:
  enum class Kind : u8 { Max, Average };
  /// Throws ValueError on sizes out of range.
  PoolND(Kind kind, int spatial, PoolOptions options);
  static PoolOptions optionsOf(const Args& a);

 private:
  Kind kind_;
  int spatial_;
  PoolOptions options_;
};

#define EMBER_POOL(Type, kind, spatial)                                                   \
  class Type : public PoolND {                                                            \
   public:                                                                                \
    explicit Type(PoolOptions options = {}) : PoolND(kind, spatial, std::move(options)) {} \
    static Type fromArgs(const Args& a) { return Type(optionsOf(a)); }                    \
  };
EMBER_POOL(MaxPool1D, Kind::Max, 1)      ///< largest element of each window of x [N, C, L]
EMBER_POOL(MaxPool2D, Kind::Max, 2)      ///< ... of x [N, C, H, W]
EMBER_POOL(MaxPool3D, Kind::Max, 3)      ///< ... of x [N, C, D, H, W]
EMBER_POOL(AvgPool1D, Kind::Average, 1)  ///< mean of each window of x [N, C, L]
EMBER_POOL(AvgPool2D, Kind::Average, 2)  ///< ... of x [N, C, H, W]
EMBER_POOL(AvgPool3D, Kind::Average, 3)  ///< ... of x [N, C, D, H, W]
#undef EMBER_POOL

/// Mean over all spatial axes: x [N, C, ...] -> [N, C].
class GlobalAvgPool : public Module {
 public:
  using Module::forward;
  Tensor forward(const Tensor& x) override;
  static GlobalAvgPool fromArgs(const Args&) { return GlobalAvgPool(); }
};

}  // namespace ember::nn
