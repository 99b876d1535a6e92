#pragma once
#include <ember/nn/layers/Graph.h>

namespace ember::nn::models {

struct UNetOptions {
  i64 channels = 3;
  i64 classes = 1;
  i64 width = 32;         ///< channels of the first level; they double at each level below
  int levels = 4;         ///< how often the size is halved, 1 or more
  bool batchNorm = true;  ///< behind each convolution of 3x3, which then has no bias
};

/// U-Net: [N, channels, H, W] -> scores [N, classes, H, W], H and W multiples of 2^levels.
///
/// Two padded convolutions of 3x3 a level, max pools on the way down, transposed convolutions of 2x2 on the way up,
/// where each level is joined with its like. A Graph whose state names are those of the brain-segmentation net on
/// PyTorch Hub (7,763,041 parameters); width 64 has 31,037,633. ValueError for levels below 1 or width below 1.
/// Source: Ronneberger et al. 2015, arXiv:1505.04597, padded.
Graph unet(const UNetOptions& options = {});

}  // namespace ember::nn::models
