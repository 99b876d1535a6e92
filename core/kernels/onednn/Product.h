#pragma once
#include <ember/core/kernels/FusedAct.h>
#include <ember/core/kernels/MatrixView.h>

namespace ember::core::onednn {

/// y = act(a · b + bias [columns]), bias may be undefined, in f32; a, b, y of one rank, batch axes equal or 1, y
/// row-major, nothing empty. False, with nothing written, if oneDNN has only its reference loops for these strides.
/// `act`: see joinsExactly() (core/kernels/Epilogue.h).
///
/// `keepsB`: b is first copied into the layout that oneDNN likes best, and the copy kept with b's storage until b is
/// written: for weights that many products meet unchanged. On weights [out, in] that is 1.2 times as fast for 32 rows,
/// 3 times for one.
bool product(const MatrixView& a, const MatrixView& b, const NDArray& bias, const NDArray& y, bool keepsB = false,
             const FusedAct& act = {});

}  // namespace ember::core::onednn
