#pragma once
#include <ember/core/kernels/Conv.h>

namespace ember::core {

/// How many filters of w (w.size(0) of them, or fewer) a convolution packs at a time. Packed filters take as much memory
/// as the plain ones, Winograd's four times as much. In training and inference they are kept and used again; but a net
/// that is loaded computes its self-test once (Unwatched), and must not need twice its size for that. There, filters of
/// more than 1 MB go in pieces, of whole groups where there are groups.
i64 filtersAtOnce(const NDArray& w, const ConvGeometry&);

/// fusedConv(), so many filters at a time.
NDArray convInPieces(i64 filters, const NDArray& x, const NDArray& w, const Epilogue&, const ConvGeometry&,
                     const Shape& yShape);
/// convBackwardData(), so many filters at a time.
NDArray convBackwardDataInPieces(i64 filters, const NDArray& dy, const NDArray& w, const Shape& xShape,
                                 const ConvGeometry&);

}  // namespace ember::core
