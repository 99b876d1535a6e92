#include <ember/autograd/ops/BatchNormOptions.h>

#include <algorithm>
#include <cmath>
#include <string>

#include <ember/core/Error.h>

namespace ember {

StatisticsUse decideStatistics(const BatchNormOptions& o, bool hasRunning, i64 m) {
  const bool track = o.trackRunningStats && hasRunning;
  const bool always = o.useGlobalStats == GlobalStats::False || o.trainableStatistics;
  StatisticsUse use;
  use.batch = m > 0 && !o.freeze && o.useGlobalStats != GlobalStats::True && (o.training || !track || always);
  use.update =
      use.batch && track && (o.training || always) && !(m == 1 && o.singleValuePolicy == SingleValue::PassThrough);
  return use;
}

double updateFactor(const BatchNormOptions& o, i64 batches) {
  if (o.momentum) return 1 - *o.momentum;
  if (o.factor) return *o.factor;
  if (!o.batches.defined()) return 0.1;
  const double n = static_cast<double>(batches);
  const double f = std::min(1.0, std::max(o.initFactor.value_or(1) / n, o.minFactor.value_or(0.1)));
  return o.factorWeighs == FactorWeighs::New ? f : 1 - f;
}

namespace {

void refuse(const char* caller, const std::string& what, const char* help) { throw ValueError(caller, what, {}, help); }

void checkFactors(const char* caller, const BatchNormOptions& o) {
  if (o.factor && o.momentum)
    refuse(caller, "factor and momentum are both given",
           "momentum is 1 - factor, the weight of the old statistic: give one");
  if (o.momentum && (o.initFactor || o.minFactor)) {
    refuse(caller, "momentum is given together with initFactor or minFactor",
           "momentum alone is a constant weight of the old statistic: choose one of the two");
  }
  if (o.factor && (o.initFactor || o.minFactor))
    refuse(caller, "factor is given together with initFactor or minFactor",
           "factor is constant: choose one of the two");
  if ((o.momentum || o.factor) && o.factorWeighs == FactorWeighs::Old) {
    refuse(caller, std::string(o.momentum ? "momentum" : "factor") + " is given together with factorWeighs = Old",
           "momentum always weighs the old statistic, factor always the new one");
  }
  if (o.factor && !(*o.factor >= 0 && *o.factor <= 1))
    refuse(caller, "factor is " + std::to_string(*o.factor), "use a number from 0 to 1");
  if (o.momentum && !(*o.momentum >= 0 && *o.momentum <= 1))
    refuse(caller, "momentum is " + std::to_string(*o.momentum), "use a number from 0 to 1");
  if (const double f = o.initFactor.value_or(1); !(f >= 0) || std::isinf(f))
    refuse(caller, "initFactor is " + std::to_string(f), "use a finite number of 0 or more");
  if (const double f = o.minFactor.value_or(0.1); !(f >= 0 && f <= 1))
    refuse(caller, "minFactor is " + std::to_string(f), "use a number from 0 to 1");
  if (o.batches.defined() && (o.batches.dtype() != DType::I64 || o.batches.numel() != 1))
    refuse(caller, "batches must be one i64", "give Tensor::zeros({}, DType::I64)");
  if ((o.initFactor || o.minFactor || o.factorWeighs == FactorWeighs::Old) && !o.batches.defined()) {
    refuse(caller, "initFactor, minFactor and factorWeighs need the count of batches",
           "pass batches = Tensor::zeros({}, DType::I64) and keep it, or give factor or momentum");
  }
}

void checkStatistics(const char* caller, const BatchNormOptions& o) {
  if (o.freeze && o.useGlobalStats == GlobalStats::False)
    refuse(caller, "freeze uses running statistics, useGlobalStats = False the batch's", "drop one of them");
  if (o.freeze && o.trainableStatistics)
    refuse(caller, "freeze never changes the running statistics, trainableStatistics always", "drop one of them");
  if (o.freeze && !o.trackRunningStats)
    refuse(caller, "freeze needs running statistics, trackRunningStats is off", "drop one of them");
  if (o.freeze && o.syncGroup)
    refuse(caller, "freeze takes no statistics of the batch, syncGroup shares them", "drop one of them");
  if (o.syncGroup && o.useGlobalStats == GlobalStats::True) {
    refuse(caller, "useGlobalStats = True takes no statistics of the batch, syncGroup shares them", "drop one of them");
  }
  if (o.trainableStatistics && o.useGlobalStats == GlobalStats::True) {
    refuse(caller, "trainableStatistics uses the batch's statistics, useGlobalStats = True the running ones",
           "drop one of them");
  }
}

void checkBackend(const char* caller, const BatchNormOptions& o) {
  if (o.backend != BatchNormBackend::OneDNN) return;
  const char* help = "use backend = Auto";
  if (o.inplace) refuse(caller, "backend OneDNN cannot work in place", help);
  if (o.syncGroup) refuse(caller, "backend OneDNN cannot share statistics over a syncGroup", help);
  if (o.epsMode == EpsMode::Max) refuse(caller, "backend OneDNN knows epsMode Additive only", help);
  if (!(static_cast<float>(o.epsilon) > 0))
    refuse(caller, "backend OneDNN needs an epsilon above 0 in f32: it has no 0 for 1/sqrt(0)", help);
  if (o.act == Act::LeakyReLU && o.slope < 0)
    refuse(caller, "backend OneDNN takes LeakyReLU with a slope of 0 or more", help);
}

}  // namespace

void checkBatchNormOptions(const char* caller, const BatchNormOptions& o) {
  if (!(o.epsilon >= 0) || std::isinf(o.epsilon))
    refuse(caller, "epsilon is " + std::to_string(o.epsilon), "use a finite number of 0 or more");
  if (!std::isfinite(o.slope)) refuse(caller, "slope is " + std::to_string(o.slope), "use a finite number");
  if (o.residual.defined() && o.act == Act::LeakyReLU && o.slope < 0) {
    refuse(caller, "a residual takes LeakyReLU with a slope of 0 or more: backward reads the branch off the sign of y",
           "use a slope of 0 or more, or add and activate behind the layer");
  }
  checkFactors(caller, o);
  checkStatistics(caller, o);
  if (o.inplace && o.paramDim == ParamDim::PerActivation)
    refuse(caller, "inplace works channel by channel, paramDim is PerActivation", "turn inplace off");
  checkBackend(caller, o);
}

}  // namespace ember
