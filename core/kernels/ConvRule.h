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
  bool plainX = false;   ///< forward: x is row-major (plainPays)
  FusedAct act = {};     ///< forward; oneDNN's relu makes 0 of NaN, so operands with NaN must not come there
};

/// True if oneDNN's kernel for few input channels, which reads row-major images, is faster than the one on channels
/// last: forward of one image of 2 to 4 channels to 16. Its result is blocked by 16 channels, which for 16 is channels
/// last. 1x4x16x32x32, 3x3x3: 515 -> 454 us and no reorder of x (25 us); 1x3x32x32, 3x3: 10.5 -> 7.9; but
/// 8x4x16x32x32: 4.3 -> 5.1 ms.
bool plainPays(const ConvProblem&);

/// True if the Winograd kernel F(4x4, 3x3) can compute this: 2-D, 3x3, stride 1, dilation 1, one group, padding at most
/// 1. Its error is 4e-7 to 1e-6 relative rms (direct: 1.5e-7); an infinity in x makes NaN of the tiles that contain it,
/// not of single elements.
bool winogradPossible(const ConvProblem&);

/// True if it is also faster than oneDNN's direct kernel:
///
///   AVX2 or more;  C and K at least 8;  a result of at least 2x2;  tiles at least 4, backward 16
///
/// tiles = N · ceil(P/4) · ceil(Q/4) over the result (for backward data: over x). Few tiles lose because filters are
/// transformed once a version at a cost of C·K (forward, many calls share it most often). Source: ours, measured with
/// one thread of Zen 4 and oneDNN 2.6.3 (tests/bench/ConvRule); milliseconds direct -> Winograd:
///
///   AVX-512                  forward         backward data   backward weights
///   128x32x28x28, 32 out     17.5 -> 6.0     17.5 -> 6.0     16.7 -> 7.0
///   128x64x14x14, 64 out     16.1 -> 6.0     17.4 -> 5.8     16.8 -> 6.4
///   128x128x7x7, 128 out     14.4 -> 5.6     14.4 -> 5.6     15.5 -> 6.0
///   128x64x28x28, 64 out     63 -> 22        66 -> 22        69 -> 24
///   128x16x32x32, 16 out     5.6 -> 2.6      5.4 -> 2.5      5.2 -> 2.9
///   128x8x28x28, 8 out       2.2 -> 1.5      2.0 -> 1.6      2.0 -> 1.4
///   128x3x28x28, 32 out      2.0 -> 2.5      9.0 -> 3.8      1.7 -> 2.9      three channels: direct
///   128x64x5x5, 64 out       1.58 -> 1.13    1.54 -> 1.14    1.81 -> 1.22
///   128x64x2x2, 64 out       0.24 -> 0.18    0.23 -> 0.18    0.35 -> 0.21
///   128x64x1x1, 64 out       0.02 -> 0.18    0.02 -> 0.18    0.10 -> 0.20    one pixel: direct
///   1x64x14x14, 64 out       0.12 -> 0.04    0.11 -> 0.04    0.13 -> 0.06    16 tiles
///   1x256x7x7, 256 out       0.41 -> 0.16    0.41 -> 0.16    0.82 -> 0.55    4 tiles; equal with new filters
///   1x128x4x4, 128 out       0.03 -> 0.03    0.03 -> 0.03    0.13 -> 0.10    one tile; 0.10 with new filters
///   capped at AVX2
///   128x32x28x28, 32 out     18.6 -> 7.0     20.7 -> 7.0     20.2 -> 7.6
///   128x64x14x14, 64 out     18.0 -> 6.2     16.8 -> 6.1     19.8 -> 6.4
///   128x128x7x7, 128 out     19.9 -> 5.7     16.3 -> 5.8     20.6 -> 6.1
///   128x16x32x32, 16 out     7.0 -> 3.0      5.7 -> 3.0      6.0 -> 2.9
bool winogradPays(const ConvProblem&, ConvDirection);

/// Whether Winograd runs: by the rule above, or wherever possible if the algorithm says so.
bool usesWinograd(const ConvProblem&, ConvDirection, ConvAlgorithm);

}  // namespace ember::core
