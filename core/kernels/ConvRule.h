#pragma once
#include <ember/core/kernels/Conv.h>

namespace ember::core {

enum class ConvDirection : u8 { Forward, BackwardData, BackwardWeights };

/// One convolution, whichever way it runs: all sizes but no data.
struct ConvProblem {
  Shape x, w, y;
  ConvGeometry geometry;
  bool bias = false;
  bool addsToY = false;  ///< forward: y = act(conv + bias + y)
  FusedAct act = {};     ///< forward; oneDNN's relu makes 0 of NaN, so operands with NaN must not come there
};

/// True if the Winograd kernel F(4x4, 3x3) can compute this: 2-D, 3x3, stride 1, dilation 1, one group, padding at most
/// 1. Its error is 4e-7 to 1e-6 relative rms (direct: 1.5e-7); an infinity in x makes NaN of the tiles that contain it,
/// not of single elements.
bool winogradPossible(const ConvProblem&);

/// True if it is also faster than oneDNN's direct kernel:
///
///   AVX2 or more;  C and K at least 8;  useful share of the tiles at least 0.5;  tiles at least 4, backward 16
///
/// tiles = N · ceil(P/4) · ceil(Q/4) over the result (for backward data: over x); the useful share is what of their
/// 4x4 lies inside. Sizes that fill their tiles badly (5x5: 39 %) lose, and so do few tiles, since filters are
/// transformed once a version at a cost of C·K (forward, many calls share it most often). Source: ours, measured with
/// one thread of Zen 4 and oneDNN 2.6.3 (tests/bench/ConvRule); milliseconds direct -> Winograd:
///
///   AVX-512                  forward         backward data   backward weights
///   128x32x28x28, 32 out     17.5 -> 6.0     17.4 -> 6.1     16.7 -> 6.8
///   128x64x14x14, 64 out     16.0 -> 6.8     18.8 -> 6.8     16.7 -> 7.2
///   128x128x7x7, 128 out     14.3 -> 6.8     15.2 -> 6.8     15.7 -> 7.4
///   128x64x28x28, 64 out     62.6 -> 22.0    66.4 -> 22.1    70.5 -> 23.6
///   128x16x32x32, 16 out     5.6 -> 2.5      5.4 -> 2.6      5.2 -> 2.9
///   128x8x28x28, 8 out       2.2 -> 1.4      2.0 -> 1.4      2.0 -> 1.4
///   128x64x6x6, 64 out       2.5 -> 1.6      2.4 -> 1.7      2.7 -> 1.8
///   128x3x28x28, 32 out      2.0 -> 2.7      8.9 -> 3.9      1.7 -> 3.0      three channels: direct
///   128x64x5x5, 64 out       1.65 -> 1.73    1.54 -> 1.57    1.90 -> 1.63    tiles 39 % full: direct
///   1x64x14x14, 64 out       0.12 -> 0.05    0.11 -> 0.05    0.13 -> 0.07    16 tiles
///   1x256x7x7, 256 out       0.42 -> 0.18    0.41 -> 0.18    0.82 -> 1.21    4 tiles; data is 0.65 with its filters
///   1x128x4x4, 128 out       0.03 -> 0.03    0.03 -> 0.03    0.13 -> 0.10    one tile; 0.1 with filters
///   capped at AVX2
///   128x32x28x28, 32 out     18.0 -> 8.1     20.2 -> 8.3     21.6 -> 8.7
///   128x128x7x7, 128 out     17.4 -> 8.6     15.5 -> 8.7     19.7 -> 8.8
///   128x16x32x32, 16 out     7.0 -> 3.4      5.7 -> 3.7      6.0 -> 3.4
bool winogradPays(const ConvProblem&, ConvDirection);

/// Whether Winograd runs: by the rule above, or wherever possible if the algorithm says so.
bool usesWinograd(const ConvProblem&, ConvDirection, ConvAlgorithm);

}  // namespace ember::core
