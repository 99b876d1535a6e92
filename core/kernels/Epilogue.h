#pragma once
#include <initializer_list>

#include <ember/core/NDArray.h>
#include <ember/core/kernels/FusedAct.h>

namespace ember::core {

/// What joins the result v of a convolution or matrix product before it is written:  y = act(v + bias + residual).
struct Epilogue {
  NDArray bias = {};  ///< [K], one number a filter or column, or undefined
  FusedAct act = {};
  NDArray residual = {};  ///< of the shape and type of y, or undefined
  /// y may take the memory of the residual, if that lies as y would. The caller reports the write.
  bool overwriteResidual = false;
  /// Batch statistics of y are likely wanted: where nothing else joins, a kernel that can do so takes them while it
  /// writes, and keeps them with y (keepStatistics).
  bool statistics = false;
};

/// y = act(y + residual) in one pass, in place; y is dense and new, the residual (may be undefined) in any order. NaN
/// stays NaN.
void finish(const NDArray& y, const NDArray& residual, const FusedAct& act);

/// y = act(y + bias) in one pass, in place: y [rows, columns] row-major, bias [columns] dense or undefined. NaN stays
/// NaN.
void finishRows(const NDArray& y, const NDArray& bias, const FusedAct& act);

/// dy·act'(v), the gradient of v, by the sign of y = act(v); a leaky slope must be 0 or more. `overwrite`: dy, of which
/// the caller knows that nobody else reads it, may give its memory.
NDArray actBackward(const NDArray& dy, const NDArray& y, const FusedAct& act, bool overwrite);

/// The gradient g = dy·act'(v) of v in y = act(v), both [rows, columns], and in the same pass its sum over the rows,
/// which is that of a bias [columns]. `overwrite` as above; of no act y may be undefined.
struct RowGradient {
  NDArray g, sum;
};
RowGradient actBackwardRows(const NDArray& dy, const NDArray& y, const FusedAct& act, bool overwrite);

/// Whether oneDNN's activation, joined to a kernel on these operands (undefined ones do not count), gives what a pass
/// of its own gives: its relu makes 0 of NaN, so they must be finite.
bool joinsExactly(const FusedAct& act, std::initializer_list<const NDArray*> operands);

/// Whether no element of an f32 or f64 array is NaN or infinite; looked at once a version, and kept with the storage.
bool knownFinite(const NDArray& x);
/// Whether that is known without looking.
bool markedFinite(const NDArray& x);
/// Keeps for knownFinite() that the values are finite where the operands that made them were. A sum beyond 3e38 is
/// taken for finite, too.
void markFinite(const NDArray& x);

}  // namespace ember::core
