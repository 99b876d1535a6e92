#pragma once
#include <ember/core/Padding.h>
#include <ember/nn/Module.h>

namespace ember::nn {

/// Numbers hold for all spatial axes; {3, 5} gives one for each.
struct ConvTransposeOptions {
  Sizes kernel = 1;         ///< 1 or more
  Sizes stride = 1;         ///< 1 or more
  Padding padding = 0;      ///< elements cut off on both sides, 0 or more, or Padding::sides(before, after)
  Sizes outputPadding = 0;  ///< elements added behind, 0 or more and below the stride or the dilation
  Sizes dilation = 1;       ///< distance between taps, 1 or more
  i64 groups = 1;           ///< divides in and out
  bool bias = true;
};

/// Transposed convolution over 1 to 3 spatial axes: x [N, in, ...] -> [N, out, ...], the adjoint of a convolution of
/// `out` to `in` channels.
///
/// weight [in, out/groups, kernel...] and bias [out] start uniform in ±1/sqrt(out/groups·kernel) (as
/// torch.nn.ConvTranspose2d). It is no layer that a batch norm folds into. Throws ValueError at construction on sizes
/// out of range or groups that do not divide in and out.
class ConvTransposeND : public Module {
 public:
  using Module::forward;
  Tensor forward(const Tensor& x) override;
  Args args() const override;
  std::string details() const override;
  const ConvTransposeOptions& options() const noexcept { return options_; }

  Tensor weight, bias;  ///< bias undefined without

 protected:
  ConvTransposeND(int spatial, i64 in, i64 out, ConvTransposeOptions options);
  static ConvTransposeOptions optionsOf(const Args& a);

 private:
  int spatial_;
  i64 in_, out_;
  ConvTransposeOptions options_;
};

#define EMBER_CONV_TRANSPOSE(Type, spatial)                                                                 \
  class Type : public ConvTransposeND {                                                                     \
   public:                                                                                                  \
    Type(i64 in, i64 out, ConvTransposeOptions options = {})                                                \
        : ConvTransposeND(spatial, in, out, std::move(options)) {}                                          \
    static Type fromArgs(const Args& a) { return Type(a.get<i64>("in"), a.get<i64>("out"), optionsOf(a)); } \
  };
EMBER_CONV_TRANSPOSE(ConvTranspose1D, 1)  ///< x [N, C, L]
EMBER_CONV_TRANSPOSE(ConvTranspose2D, 2)  ///< x [N, C, H, W]
EMBER_CONV_TRANSPOSE(ConvTranspose3D, 3)  ///< x [N, C, D, H, W]
#undef EMBER_CONV_TRANSPOSE

}  // namespace ember::nn
