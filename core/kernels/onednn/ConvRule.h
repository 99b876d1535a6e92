#pragma once
#include <ember/core/kernels/Conv.h>

namespace ember::core::onednn {

enum class ConvDirection : u8 { Forward, BackwardData, BackwardWeights };

/// One convolution, whichever way it runs: all sizes but no data.
struct ConvProblem {
  Shape x, w, y;
  ConvGeometry geometry;
  bool bias = false;
  bool addsToY = false;  ///< forward: y = act(conv + bias + y)
  FusedAct act = {};     ///< forward; Relu makes 0 of NaN, so operands with NaN must not come here
};

/// True if oneDNN's Winograd kernel F(4x4, 3x3) can compute this at all: 2-D, 3x3, stride 1, dilation 1, one group,
/// padding at most 1, AVX-512. Its error is 4e-7 to 1e-6 relative rms (direct: 1.5e-7); an infinity in x makes NaN of
/// the tiles that contain it, not of single elements.
bool winogradPossible(const ConvProblem&);

/// True if it is also faster than the direct kernel, private reorders included.
///
///   C·K >= 1024, both at least 16;  tiles >= 48;  useful share of the tiles >= 0.65
///
/// tiles = N · ceil(P/4) · ceil(Q/4) over the result (for backward data: over x). The transformed filters cost C·K
/// whatever the batch, so few tiles lose; so do sizes that fill their tiles badly (5x5: 39 %). Source: ours, measured
/// on two cores of AVX-512 with oneDNN 2.6.3 (tests/bench/ConvRule); milliseconds direct -> Winograd:
///
///   shape                    forward        backward data   backward weights
///   128x32x28x28, 32 out     8.6 -> 4.3     8.3 -> 4.3      8.1 -> 5.6
///   128x64x14x14, 64 out     7.9 -> 4.1     7.5 -> 4.1      7.9 -> 5.1
///   128x128x7x7, 128 out     6.8 -> 4.6     6.5 -> 4.7      7.0 -> 3.9
///   128x16x16x16, 64 out     2.7 -> 2.2     2.4 -> 1.9      2.6 -> 1.9
///   128x16x32x32, 16 out     2.7 -> 4.1     2.5 -> 4.0      2.6 -> 2.4    C·K = 256: direct
///   128x64x5x5, 64 out       0.80 -> 1.05   0.79 -> 1.08    0.90 -> 1.23  tiles 39 % full: direct
///   1x64x14x14, 64 out       0.06 -> 0.08   0.06 -> 0.08    0.06 -> 0.07  16 tiles: direct
///   1x64x28x28, 64 out       0.24 -> 0.15   0.24 -> 0.15    0.24 -> 0.15  49 tiles
bool winogradPays(const ConvProblem&, ConvDirection);

/// Images that Winograd takes at a time, so that their blocked copies stay in the cache between reorder and kernel:
/// 128x64x28x28 backward weights takes 26 ms in one piece, 18 in pieces of 16 to 32 images. The filters' transform,
/// once a piece, does not show.
i64 winogradChunk(const ConvProblem&);

}  // namespace ember::core::onednn
