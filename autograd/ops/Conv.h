#pragma once
#include <ember/autograd/Tensor.h>
#include <ember/autograd/ops/Act.h>
#include <ember/autograd/ops/Pad.h>
#include <ember/core/Padding.h>
#include <ember/core/kernels/Conv.h>

namespace ember {

/// Options of a convolution: numbers per spatial axis, or one for all.
struct ConvOptions {
  Sizes stride = 1;     ///< step of the kernel, at least 1
  Padding padding = 0;  ///< elements before and after each axis, at least 0, or Same
  PadMode paddingMode = PadMode::Zeros;  ///< what the padding is made of; all but zeros cost a padded copy of x
  Sizes dilation = 1;   ///< distance of kernel elements, at least 1
  i64 groups = 1;       ///< channels and filters fall into that many groups which do not see each other
  Act act = Act::None;  ///< applied behind the bias, in the kernel that writes where it can do so
  double slope = 0.01;  ///< of LeakyReLU
};

/// 1-D convolution (cross-correlation).
///
///   y[n,k,p] = act(b[k] + sum_{c,r} w[k,c,r] · x[n,c, p·stride + r·dilation - padding])
///
/// x  [N, C, L]           f32 or f64
/// w  [K, C/groups, R]    filters
/// b  [K] or undefined    bias
/// -> [N, K, P]           P = floor((L + padding before and after - dilation·(R-1) - 1) / stride) + 1
///
/// Differentiable any number of times in x, w and b; the gradient of an x that requires none is never computed.
/// Throws ShapeError on ranks and channels that do not fit and on a kernel larger than the padded input, ValueError on
/// options out of range and groups that do not divide, DtypeError on mixed types; pad() refuses what a paddingMode does
/// not reach. Source: Dumoulin & Visin 2016,
/// arXiv:1603.07285; semantics as torch.nn.functional.conv1d.
Tensor conv1d(const Tensor& x, const Tensor& w, const Tensor& b = {}, const ConvOptions& = {});
/// The same over [N, C, H, W], filters [K, C/groups, R, S].
Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& b = {}, const ConvOptions& = {});
/// The same over [N, C, D, H, W], filters [K, C/groups, Q, R, S].
Tensor conv3d(const Tensor& x, const Tensor& w, const Tensor& b = {}, const ConvOptions& = {});
/// The same with the number of spatial axes (1 to 3) as an argument.
Tensor convND(int spatial, const Tensor& x, const Tensor& w, const Tensor& b = {}, const ConvOptions& = {});

namespace autograd {

/// The three maps that make up a convolution's derivatives. With y = conv(x, w) bilinear and <dy, y> a scalar, each of
/// them is the gradient of that scalar in one argument; the gradients of each are the other two.
core::ConvGeometry convGeometry(int spatial, const ConvOptions&, const Shape& x, const Shape& w, const char* op);
Tensor conv(const Tensor& x, const Tensor& w, const Tensor& b, const core::ConvGeometry&,
            const core::FusedAct& act = {});
/// dx of shape `xShape`: also the transposed convolution, which names itself.
Tensor convBackwardData(const Tensor& dy, const Tensor& w, const Shape& xShape, const core::ConvGeometry&,
                        const char* op = "convBackwardData");
/// dw of shape `wShape`.
Tensor convBackwardWeights(const Tensor& dy, const Tensor& x, const Shape& wShape, const core::ConvGeometry&);
/// Sum of dy over all axes but 1.
Tensor convBackwardBias(const Tensor& dy);

}  // namespace autograd
}  // namespace ember
