#pragma once
#include <array>

#include <ember/core/NDArray.h>
#include <ember/core/kernels/Epilogue.h>

namespace ember {

/// Which convolution algorithm runs. Auto follows the measured rule on shape, direction, dtype and CPU;
/// Winograd falls back to Direct where it does not exist. Reference: the plain loops that serve as oracle. Winograd's
/// error is 4e-7 to 1e-6 relative rms (direct: 1.5e-7); a NaN or infinity in the input makes NaN of the 4x4 tiles of the
/// result that depend on it, not of single elements.
enum class ConvAlgorithm : u8 { Auto, Direct, Winograd, Reference };
void setConvAlgorithm(ConvAlgorithm);
ConvAlgorithm convAlgorithm();

}  // namespace ember

namespace ember::core {

/// Geometry of a convolution over 1 to 3 spatial axes (only the first `spatial` entries count).
struct ConvGeometry {
  int spatial = 2;
  std::array<i64, 3> stride{1, 1, 1};
  std::array<i64, 3> padBefore{0, 0, 0};
  std::array<i64, 3> padAfter{0, 0, 0};
  std::array<i64, 3> dilation{1, 1, 1};
  i64 groups = 1;
};

/// Shape of conv(x, w), with every check; x [N, C, ...], w [K, C/groups, ...].
Shape convShape(const Shape& x, const Shape& w, const ConvGeometry&, const char* op);

/// y[n,k,p..] = b[k] + sum_{c,r..} w[k,c,r..] · x[n,c, p·stride + r·dilation - pad, ..]; result channels last.
/// x and w of one dtype, f32 (oneDNN) or f64 (reference); bias may be undefined.
NDArray conv(const NDArray& x, const NDArray& w, const NDArray& bias, const ConvGeometry&);
/// y = act(conv(x, w) + bias + residual), in the kernel that writes y where it can do so. Throws ShapeError or
/// DtypeError unless the residual is as y.
NDArray fusedConv(const NDArray& x, const NDArray& w, const Epilogue&, const ConvGeometry&);
/// Gradient with respect to x, of shape `xShape`: also the transposed convolution.
NDArray convBackwardData(const NDArray& dy, const NDArray& w, const Shape& xShape, const ConvGeometry&);
/// Gradient with respect to w, of shape `wShape`.
NDArray convBackwardWeights(const NDArray& dy, const NDArray& x, const Shape& wShape, const ConvGeometry&);
/// Gradient with respect to the bias: sum of dy over all axes but 1.
NDArray convBackwardBias(const NDArray& dy);

}  // namespace ember::core
