#pragma once
#include <ember/core/kernels/MatrixView.h>

namespace ember::core::onednn {

/// y = a · b (+ bias [columns] if defined) in f32; a, b, y of one rank, batch axes equal or 1, y row-major, nothing
/// empty. False, with nothing written, if oneDNN has only its reference loops for these strides.
bool product(const MatrixView& a, const MatrixView& b, const NDArray& bias, const NDArray& y);

}  // namespace ember::core::onednn
