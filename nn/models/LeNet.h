#pragma once
#include <ember/nn/layers/Sequential.h>

namespace ember::nn::models {

struct LeNetOptions {
  i64 channels = 1;
  i64 classes = 10;
  i64 padding = 2;    ///< of the first convolution: 2 for pictures of 28x28, 0 for 32x32
  bool relu = false;  ///< ReLU and max pools instead of the paper's tanh and average pools
};

/// LeNet-5: two convolutions of 5x5 with pools, three linear layers; 61,706 parameters for one channel and ten classes.
///
/// [N, channels, 28, 28] -> [N, classes]. As in every rebuilding the second convolution reads all maps, the pools have
/// no weights and the last layer is linear. Source: LeCun et al. 1998, "Gradient-based learning applied to document
/// recognition".
Sequential lenet(const LeNetOptions& options = {});

}  // namespace ember::nn::models
