#pragma once
#include <ember/nn/layers/Sequential.h>

namespace ember::nn::models {

struct ResNetOptions {
  i64 channels = 3;
  i64 classes = 1000;
  i64 widthFactor = 1;  ///< of the 3x3 convolutions of depth 50 and more: 2 makes wide_resnet50_2 of resnet50
};

/// Residual net for pictures of 224x224 (or any size from 32 up): [N, channels, H, W] -> [N, classes].
///
/// depth 18, 34 (BasicBlock), 50, 101, 152 (Bottleneck); else ValueError. Structure, parameters, state names and start
/// are torchvision's resnet18 to resnet152, wide_resnet50_2 and wide_resnet101_2. Source: He et al. 2016,
/// arXiv:1512.03385.
Sequential resnet(int depth, const ResNetOptions& options = {});

struct CifarResNetOptions {
  i64 channels = 3;
  i64 classes = 10;
  bool projection = false;  ///< 1x1 convolutions where the shape changes, instead of zeros for new channels
};

/// The residual net for pictures of 32x32 from section 4.2 of that paper: three stages of 16, 32 and 64 channels.
///
/// depth 6n + 2 (20, 32, 44, 56, 110), else ValueError. Depth 20 has 269,722 parameters.
Sequential cifarResnet(int depth, const CifarResNetOptions& options = {});

struct WideResNetOptions {
  i64 channels = 3;
  i64 classes = 10;
  double dropout = 0;  ///< between the convolutions of a block
};

/// Wide residual net for pictures of 32x32: three stages of 16·widen, 32·widen and 64·widen channels.
///
/// depth 6n + 4 and widen >= 1, else ValueError: WRN-28-10 is (28, 10), 36,479,194 parameters. (The one for ImageNet is
/// resnet(50, {.widthFactor = 2}).) Source: Zagoruyko & Komodakis 2016, arXiv:1605.07146.
Sequential wideResnet(int depth, i64 widen, const WideResNetOptions& options = {});

}  // namespace ember::nn::models
