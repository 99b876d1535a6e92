#pragma once
#include <ember/core/NDArray.h>
#include <ember/core/kernels/FusedAct.h>

namespace ember::core {

/// a [..., M, K] · b [..., K, N] -> [..., M, N], batch axes broadcast; rank-1 operands as in NumPy. Any strides.
/// f32 runs on oneDNN, f64 on OpenBLAS. Throws ShapeError "shapes cannot be multiplied (2x3 and 4x5)".
NDArray matmul(const NDArray& a, const NDArray& b);
/// The shape of the above, with its checks.
Shape matmulShape(const Shape& a, const Shape& b, const char* op);
/// x [N, in] · w^T [in, out] + bias [out] in one call (w [out, in]; bias may be undefined). `keepsW`: a copy of w in
/// the kernel's own layout is kept until w is written, which pays where w is used several times unchanged. `act` joins
/// in the pass that writes, where it costs less than one of its own; NaN stays NaN.
NDArray linear(const NDArray& x, const NDArray& w, const NDArray& bias, bool keepsW = false, const FusedAct& act = {});

}  // namespace ember::core
