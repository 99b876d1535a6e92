#include <ember/nn/layers/BatchNormPresets.h>

namespace ember::nn::presets {

BatchNormNDOptions puzzle() { return {.initFactor = 1.0, .minFactor = 0.1, .sscale = 0.01}; }

BatchNormNDOptions puzzleAsDocumented() {
  BatchNormNDOptions o = puzzle();
  o.factorWeighs = FactorWeighs::Old;
  return o;
}

BatchNormNDOptions brainpy27() {
  BatchNormNDOptions o = brainpy28();
  o.varEstimator = VarEstimator::Biased;
  return o;
}

BatchNormNDOptions brainpy28() {
  return {.momentum = 0.99,
          .varEstimator = VarEstimator::UnbiasedLocal,
          .sscale = 0,
          .channelAxis = -1,
          .singleValuePolicy = SingleValue::Zero};
}

BatchNormNDOptions megengine() { return {.momentum = 0.9, .sscale = 0}; }

BatchNormNDOptions paddleCpu() {
  BatchNormNDOptions o = paddleGpu();
  o.varEstimator = VarEstimator::Biased;
  return o;
}

BatchNormNDOptions paddleGpu() { return {.momentum = 0.9, .sscale = 0, .singleValuePolicy = SingleValue::PassThrough}; }

BatchNormNDOptions mxnetCpu() {
  BatchNormNDOptions o = mxnetCudnn();
  o.varEstimator = VarEstimator::Biased;
  o.updateStatsOn = StatsUpdate::Backward;
  return o;
}

BatchNormNDOptions mxnetCudnn() {
  return {.epsilon = 1e-3, .momentum = 0.9, .fixGamma = true, .sscale = 0, .singleValuePolicy = SingleValue::Zero};
}

}  // namespace ember::nn::presets
