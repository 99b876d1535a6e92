#pragma once
#include <ember/autograd/ops/Pad.h>
#include <ember/core/Padding.h>
#include <ember/nn/layers/AffineLayer.h>

namespace ember::nn {

/// Numbers hold for all spatial axes; {3, 5} gives one for each.
struct ConvOptions {
  Sizes kernel = 1;    ///< 1 or more
  Sizes stride = 1;    ///< 1 or more
  Padding padding = 0; ///< 0 or more on both sides, Padding::sides(before, after), or Padding::Same
  PadMode paddingMode = PadMode::Zeros;  ///< what it is made of
  Sizes dilation = 1;  ///< distance between taps, 1 or more
  i64 groups = 1;      ///< divides in and out
  bool bias = true;
  Act act = Act::None;  ///< behind the bias, in the same op
  double slope = 0.01;  ///< of LeakyReLU
};

/// Convolution (cross-correlation), and an activation if one is given, over 1 to 3 spatial axes: x [N, in, ...] -> [N,
/// out, ...].
///
/// weight [out, in/groups, kernel...] and bias [out] start uniform in ±1/sqrt(in/groups·kernel) (as torch.nn.Conv2d).
/// Throws ValueError at construction on sizes out of range or groups that do not divide in and out.
class ConvND : public AffineLayer<ConvOptions> {
 public:
  using AffineLayer::forward;
  Tensor forward(const Tensor& x, Act act, double slope) override;
  Args args() const override;
  std::string details() const override;

 protected:
  ConvND(int spatial, i64 in, i64 out, ConvOptions options);
  static ConvOptions optionsOf(const Args& a);

 private:
  int spatial_;
  i64 in_, out_;
};

#define EMBER_CONV(Type, spatial)                                                                           \
  class Type : public ConvND {                                                                              \
   public:                                                                                                  \
    Type(i64 in, i64 out, ConvOptions options = {}) : ConvND(spatial, in, out, std::move(options)) {}       \
    static Type fromArgs(const Args& a) { return Type(a.get<i64>("in"), a.get<i64>("out"), optionsOf(a)); } \
  };
EMBER_CONV(Conv1D, 1)  ///< x [N, C, L]
EMBER_CONV(Conv2D, 2)  ///< x [N, C, H, W]
EMBER_CONV(Conv3D, 3)  ///< x [N, C, D, H, W]
#undef EMBER_CONV

}  // namespace ember::nn
