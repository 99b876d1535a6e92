#pragma once
#include <ember/core/Padding.h>
#include <ember/nn/Module.h>

namespace ember {
struct PoolOptions;
}

namespace ember::nn {

struct PoolOptions {
  Sizes kernel = 2;             ///< 1 or more
  Sizes stride = {};            ///< the kernel if unset
  Padding padding = 0;          ///< at most half the kernel, or Padding::Same
  Sizes dilation = 1;           ///< maxima only: distance of a window's elements, 1 or more
  bool ceilMode = false;        ///< whether a last window may reach beyond the end
  bool countIncludePad = true;  ///< averages only: whether padding counts in the divisor
  i64 divisorOverride = 0;      ///< averages only: the divisor, if not 0
  bool returnIndices = false;   ///< maxima only: a second output, where they stood, for MaxUnpool1D to 3D
};

/// Pooling over 1 to 3 spatial axes: x [N, C, ...] -> [N, C, ...], and with returnIndices i64 indices of the same
/// shape.
class PoolND : public Module {
 public:
  /// Throws StateError with returnIndices, which gives two tensors.
  Tensor forward(const Tensor& x) override;
  Tensors forward(const Tensors& inputs) override;
  Args args() const override;
  std::string details() const override;

 protected:
  enum class Kind : u8 { Max, Average };
  /// Throws ValueError on sizes out of range.
  PoolND(Kind kind, int spatial, PoolOptions options);
  static PoolOptions optionsOf(const Args& a);

 private:
  ember::PoolOptions opOptions() const;

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

/// Maximum over all spatial axes: x [N, C, ...] -> [N, C].
class GlobalMaxPool : public Module {
 public:
  using Module::forward;
  Tensor forward(const Tensor& x) override;
  static GlobalMaxPool fromArgs(const Args&) { return GlobalMaxPool(); }
};

/// Mean over all spatial axes: x [N, C, ...] -> [N, C].
class GlobalAvgPool : public Module {
 public:
  using Module::forward;
  Tensor forward(const Tensor& x) override;
  static GlobalAvgPool fromArgs(const Args&) { return GlobalAvgPool(); }
};

}  // namespace ember::nn
