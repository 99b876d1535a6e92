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

/// True if it is also faster than oneDNN's direct kernel.
bool winogradPays(const ConvProblem&, ConvDirection);

/// Whether Winograd runs: by the rule above, or wherever possible if the algorithm says so.
bool usesWinograd(const ConvProblem&, ConvDirection, ConvAlgorithm);

}  // namespace ember::core
