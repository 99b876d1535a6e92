#pragma once
#include <ember/nn/layers/Sequential.h>

namespace ember::nn::models {

struct AutoencoderOptions {
  i64 channels = 1;
  i64 width = 16;       ///< channels of the first level; they double at each level below
  int levels = 2;       ///< how often the size is halved, 1 or more
  bool sigmoid = true;  ///< of the result, for pixels in 0 to 1; else it is linear
};

/// Convolutional autoencoder: [N, channels, H, W] -> the same shape, H and W multiples of 2^levels.
///
/// "encoder": convolutions of 3x3 with stride 2, batch norm and ReLU, down to [N, width·2^(levels-1), H/2^levels, ...];
/// "decoder": the same upwards with transposed convolutions. net.child("encoder") alone gives the codes. ValueError for
/// levels or width below 1. Source: after Masci et al. 2011, "Stacked convolutional auto-encoders", strides for pools.
Sequential autoencoder(const AutoencoderOptions& options = {});

}  // namespace ember::nn::models
