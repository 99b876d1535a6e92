#include <ember/nn/layers/InstanceNormND.h>

#include <vector>

#include <ember/autograd/ops/ActivationChecks.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/BatchNorm.h>
#include <ember/autograd/ops/Normalisation.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/core/Error.h>
#include <ember/core/Replay.h>
#include <ember/nn/Init.h>

namespace ember::nn {
namespace {

constexpr const char* op = "instanceNorm";

}  // namespace

InstanceNormND::InstanceNormND(int spatial, i64 channels, InstanceNormOptions options)
    : spatial_(spatial), channels_(channels), options_(options) {
  if (channels < 1) throw ValueError(op, std::to_string(channels) + " channels", {}, "use 1 or more");
  autograd::checkFinite(op, "epsilon", options.epsilon);
  if (options.epsilon < 0)
    throw ValueError(op, "epsilon is " + autograd::toText(options.epsilon) + ", must be 0 or more");
  if (!(options.momentum >= 0 && options.momentum <= 1)) {
    throw ValueError(op, "momentum is " + autograd::toText(options.momentum), {},
                     "it is the weight of the new statistics, from 0 to 1");
  }
  if (options.affine) {
    weight = addParameter("weight", init::filled({channels}, 1));
    bias = addParameter("bias", init::filled({channels}, 0));
  }
  if (options.trackRunningStats) {
    runningMean = addBuffer("running_mean", init::filled({channels}, 0));
    runningVar = addBuffer("running_var", init::filled({channels}, 1));
    numBatchesTracked = addBuffer("num_batches_tracked", init::filled({}, 0, DType::I64));
  }
}

void InstanceNormND::checkInput(const Tensor& x) const {
  if (!x.defined() || (x.rank() == spatial_ + 2 && x.size(1) == channels_)) return;
  throw ShapeError(op, "x is " + ember::toString(x.shape()) + ", expected [N, " + std::to_string(channels_) + "] and " +
                           std::to_string(spatial_) + " spatial axes");
}

void InstanceNormND::track(const Tensor& x) {
  if (x.isShapeOnly() || x.numel() == 0 || core::replaying()) return;
  const NoGrad guard;
  std::vector<int> places;
  for (int axis = 2; axis < x.rank(); ++axis) places.push_back(axis);
  const double f = options_.momentum;
  const Tensor mean = ember::mean(ember::mean(x, places), {0}), variance = ember::mean(var(x, places), {0});
  runningMean.copy_(runningMean * (1 - f) + mean * f, op);
  runningVar.copy_(runningVar * (1 - f) + variance * f, op);
}

Tensor InstanceNormND::forward(const Tensor& x) {
  checkInput(x);
  if (options_.trackRunningStats && !training())
    return batchNorm(x, weight, bias, runningMean, runningVar, {.training = false, .epsilon = options_.epsilon});
  Tensor y = instanceNorm(x, weight, bias, options_.epsilon);
  if (options_.trackRunningStats) track(x);
  return y;
}

Args InstanceNormND::args() const {
  return {{"channels", channels_},
          {"epsilon", options_.epsilon},
          {"momentum", options_.momentum},
          {"affine", options_.affine},
          {"trackRunningStats", options_.trackRunningStats}};
}

std::string InstanceNormND::details() const {
  return std::to_string(channels_) + (options_.affine ? ", affine" : "") +
         (options_.trackRunningStats ? ", running statistics" : "");
}

}  // namespace ember::nn
