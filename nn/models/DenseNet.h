#pragma once
#include <ember/nn/layers/Sequential.h>

namespace ember::nn::models {

struct DenseNetOptions {
  i64 channels = 3;
  i64 classes = 1000;
  double dropout = 0;  ///< of what each layer adds
};

/// Densely connected net for pictures of 224x224 (or any size from 32 up): [N, channels, H, W] -> [N, classes].
///
/// depth 121, 169, 201 with growth 32, else ValueError. Structure, parameters, state names and start are torchvision's.
/// Source: Huang et al. 2017, arXiv:1608.06993.
Sequential densenet(int depth, const DenseNetOptions& options = {});

struct CifarDenseNetOptions {
  i64 channels = 3;
  i64 classes = 10;
  double dropout = 0;
  double compression = 0.5;  ///< share of its channels that a transition keeps, above 0 to 1
};

/// DenseNet-BC for pictures of 32x32: three dense blocks, 2·growth channels at first. (100, 12) has 769,162 parameters.
///
/// depth 6n + 4, growth >= 1, else ValueError.
Sequential cifarDensenet(int depth, i64 growth, const CifarDenseNetOptions& options = {});

}  // namespace ember::nn::models
