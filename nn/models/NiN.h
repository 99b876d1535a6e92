#pragma once
#include <ember/nn/layers/Sequential.h>

namespace ember::nn::models {

struct NiNOptions {
  i64 channels = 3;
  i64 classes = 10;
  double dropout = 0.5;  ///< behind the first two pools
};

/// Network in network for pictures of 32x32: three convolutions, each with two of 1x1 behind, and the average of the
/// last maps as scores; 966,986 parameters for three channels and ten classes. [N, channels, H, W] -> [N, classes].
///
/// Source: Lin et al. 2014, arXiv:1312.4400, with the sizes of the authors' net for CIFAR-10.
Sequential nin(const NiNOptions& options = {});

}  // namespace ember::nn::models
