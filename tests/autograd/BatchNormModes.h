#pragma once
#include <string>
#include <vector>

#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/BatchNorm.h>

#include "support/Draw.h"

/// The rows of options that decide on the statistics of a batch norm, for the tests that walk over all of them.
namespace ember::test::batchnorm {

enum class From { Batch, Running };

struct Mode {
  std::string name;
  BatchNormOptions options;
  From from;
  bool update;
  bool buffers = true;  ///< running statistics are given
};

/// Of batch-norm.md 1.3 and 7.2: PuzzleLib's two, Paddle's five, MXNet's, MegEngine's, and what else decides.
inline const std::vector<Mode>& modes() {
  static const std::vector<Mode> list = {
      {"training", {}, From::Batch, true},
      {"eval", {.training = false}, From::Running, false},
      {"training, global", {.useGlobalStats = GlobalStats::True}, From::Running, false},
      {"eval, global", {.training = false, .useGlobalStats = GlobalStats::True}, From::Running, false},
      {"training, not global", {.useGlobalStats = GlobalStats::False}, From::Batch, true},
      {"eval, not global", {.training = false, .useGlobalStats = GlobalStats::False}, From::Batch, true},
      {"training, trainable", {.trainableStatistics = true}, From::Batch, true},
      {"eval, trainable", {.training = false, .trainableStatistics = true}, From::Batch, true},
      {"training, not tracking", {.trackRunningStats = false}, From::Batch, false},
      {"eval, not tracking", {.training = false, .trackRunningStats = false}, From::Batch, false},
      {"training, frozen", {.freeze = true}, From::Running, false},
      {"eval, frozen", {.training = false, .freeze = true}, From::Running, false},
      {"training, no buffers", {}, From::Batch, false, false},
      {"eval, no buffers", {.training = false}, From::Batch, false, false},
      {"training, update in backward", {.updateStatsOn = StatsUpdate::Backward}, From::Batch, true},
      {"training, large epsilon", {.epsilon = 0.5}, From::Batch, true},
      {"training, max", {.epsilon = 4, .epsMode = EpsMode::Max}, From::Batch, true},
      {"eval, max", {.training = false, .epsilon = 1.2, .epsMode = EpsMode::Max}, From::Running, false},
      {"training, per activation", {.paramDim = ParamDim::PerActivation}, From::Batch, true},
      {"eval, per activation", {.training = false, .paramDim = ParamDim::PerActivation}, From::Running, false},
      {"training, per activation, max",
       {.epsilon = 4, .epsMode = EpsMode::Max, .paramDim = ParamDim::PerActivation},
       From::Batch,
       true},
  };
  return list;
}

struct Activation {
  std::string name;
  Act act;
  double slope;
};
inline const std::vector<Activation> activations = {{"none", Act::None, 0.01},
                                                    {"relu", Act::ReLU, 0.01},
                                                    {"leaky", Act::LeakyReLU, 0.3},
                                                    {"leaky down", Act::LeakyReLU, -0.4}};

enum class Affine { Both, ScaleOnly, ShiftOnly, None, FixGamma };

/// One mode applied to data of one shape. Two channels, the second three times as wide: Max has both of its branches.
struct Setup {
  BatchNormOptions options;
  Tensor x, rm, rv, gamma, beta;

  Setup(const Mode& mode, const Activation& activation, const Shape& shape, MemoryOrder order = MemoryOrder::RowMajor)
      : options(mode.options) {
    options.act = activation.act;
    options.slope = activation.slope;
    Shape parameters{2};
    if (options.paramDim == ParamDim::PerActivation) {
      parameters = shape;
      parameters.erase(0);
    }
    Shape column = Shape::filled(shape.rank(), 1);
    column[1] = 2;
    x = Tensor((draw("x", shape, -1.5, 1.5) * Tensor::of<double>({1, 3}, column)).array().contiguous(order));
    if (mode.buffers) {
      rm = draw("rm", parameters, -1, 1);
      rv = draw("rv", parameters, 0.5, 2);
    }
    gamma = draw("gamma", parameters, 0.5, 1.5);
    beta = draw("beta", parameters, -1, 1);
  }
  /// Fresh buffers each time: an update must not reach the next call.
  Tensor run(const Tensor& input, const Tensor& w, const Tensor& b) const {
    const auto fresh = [](const Tensor& t) { return t.defined() ? t.clone() : t; };
    return batchNorm(input, w, b, fresh(rm), fresh(rv), options);
  }
};

/// Four elements a channel in every rank, also with statistics over axis 0 alone.
inline const std::vector<Shape> shapes = {{4, 2},       {4, 2, 1},       {4, 2, 1, 1},
                                          {2, 2, 2, 1}, {2, 2, 1, 2, 1}, {4, 2, 1, 1, 1}};

inline bool fits(const Mode& mode, const Shape& shape) {
  return mode.options.paramDim == ParamDim::Spatial || shape[0] == 4;
}

}  // namespace ember::test::batchnorm
