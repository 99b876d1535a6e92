#pragma once
#include <ember/nn/layers/Sequential.h>

namespace ember::nn::models {

struct VGGOptions {
  i64 channels = 3;
  i64 classes = 1000;
  bool batchNorm = false;
  double dropout = 0.5;  ///< behind the first two linear layers
};

/// Convolutions of 3x3 in five blocks with pools, three linear layers: [N, channels, H, W] -> [N, classes] for pictures
/// of 224x224, or any size from 32 up (an adaptive pool brings the last maps to 7x7).
///
/// depth 11, 13, 16, 19, else ValueError. Structure, parameters (138 million at depth 16), state names and start are
/// torchvision's vgg11 to vgg19 and vgg11_bn to vgg19_bn. Source: Simonyan & Zisserman 2015, arXiv:1409.1556.
Sequential vgg(int depth, const VGGOptions& options = {});

}  // namespace ember::nn::models
