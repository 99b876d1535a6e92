#pragma once
#include <ember/nn/layers/Sequential.h>

namespace ember::nn::models {

struct DCGANOptions {
  i64 channels = 3;
  i64 latent = 100;     ///< length of the generator's input
  i64 width = 64;       ///< channels of the layer next to the picture; they double with each halving of its size
  bool sigmoid = true;  ///< behind the discriminator's score; without it, train with BCE of logits
};

/// Makes pictures of 64x64 with values in -1 to 1 from noise: [N, latent, 1, 1] -> [N, channels, 64, 64]. 3,576,704
/// parameters.
///
/// Structure, state names and start (normal, 0.02) of both nets are those of PyTorch's DCGAN example. ValueError of the
/// layers for numbers below 1. Source: Radford et al. 2016, arXiv:1511.06434.
Sequential dcganGenerator(const DCGANOptions& options = {});

/// Tells pictures from made ones: [N, channels, 64, 64] -> [N, 1], the probability (or its logit) that it is no made
/// one. 2,765,568 parameters.
Sequential dcganDiscriminator(const DCGANOptions& options = {});

}  // namespace ember::nn::models
