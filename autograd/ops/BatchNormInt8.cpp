#include <ember/autograd/ops/BatchNormInt8.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/BatchNormStatistics.h>
#include <ember/core/Error.h>
#include <ember/core/kernels/BatchNormInt8.h>
#include <fmt/format.h>

namespace ember {

using namespace autograd;
using core::NDArray;

namespace {

constexpr const char* op = "batchNormInt8";
constexpr double exactRange = 127, mxnetRange = 127.5;
constexpr double largestU8 = 255, mxnetRangeU8 = 255.5;

void refuse(const std::string& what, const char* help) { throw ValueError(op, what, {}, help); }

double largest(double min, double max) { return std::max(std::abs(min), std::abs(max)); }

void checkOptions(const Int8BatchNormOptions& o) {
  if (!(o.epsilon >= 0) || std::isinf(o.epsilon))
    refuse(fmt::format("epsilon is {}", o.epsilon), "use a finite number of 0 or more");
  if (o.range != exactRange && o.range != mxnetRange)
    refuse(fmt::format("range is {}", o.range), "use 127, or 127.5 for MXNet's numbers");
  if (o.act == Act::LeakyReLU) refuse("act is LeakyReLU", "use None or ReLU, which 8-bit numbers keep exact");
  if (!o.minCalib || !o.maxCalib) {
    refuse(fmt::format("{} is missing", !o.minCalib ? "minCalib" : "maxCalib"),
           "give the range of the output, measured on data, as minCalib and maxCalib");
  }
  if (!std::isfinite(*o.minCalib) || !std::isfinite(*o.maxCalib) || !(*o.minCalib < *o.maxCalib)) {
    refuse(fmt::format("the output ranges from minCalib = {} to maxCalib = {}", *o.minCalib, *o.maxCalib),
           "use finite numbers, minCalib below maxCalib");
  }
}

void checkData(const Tensor& x, double min, double max) {
  const std::string shown = "x " + toString(x.shape());
  if (x.dtype() != DType::I8 && x.dtype() != DType::U8) {
    throw DtypeError(op, "expected i8 or u8, got " + std::string(name(x.dtype())), {{"input", shown}},
                     "quantise the input, or use batchNorm() for floating-point data");
  }
  if (x.rank() < 2) {
    throw ShapeError(op, "expected at least 2 axes, [N, C, ...], got " + toString(x.shape()), {{"input", shown}},
                     "give the input a channel axis, e.g. x.reshape({n, channels})");
  }
  if (!std::isfinite(min) || !std::isfinite(max) || min > max || largest(min, max) == 0) {
    refuse(fmt::format("the input ranges from minData = {} to maxData = {}", min, max),
           "use finite numbers, minData not above maxData, one of them not 0");
  }
  if (x.dtype() == DType::U8 && min < 0)
    refuse(fmt::format("minData is {}, but the input is u8", min), "use 0 or more, or i8 for negative numbers");
}

void checkPerChannel(const Tensor& x, const Tensor& t, const char* what, i64 channels) {
  if (!t.defined()) return;
  checkFloating(op, t, what);
  if (t.rank() == 1 && t.size(0) == channels) return;
  throw ShapeError(op,
                   "input has " + std::to_string(channels) + " channels, " + what + " expects " +
                       (t.rank() == 1 ? std::to_string(t.size(0)) : toString(t.shape())),
                   {{"input", "x " + toString(x.shape())}, {what, toString(t.shape())}},
                   "give " + std::to_string(channels) + " of each, or name the channel axis by channelAxis");
}

/// W and B of every channel.
core::Int8Affine affineOf(DType data, double min, double max, const Tensor& gamma, const Tensor& beta,
                          const Tensor& runningMean, const Tensor& runningVar, const Int8BatchNormOptions& o) {
  const double out = largest(*o.minCalib, *o.maxCalib), in = largest(min, max);
  const bool scaled = gamma.defined() && !o.fixGamma, rescaled = data == DType::U8 && o.range == mxnetRange;
  const std::vector<double> mean = runningMean.toVector<double>();
  const std::vector<double> w = scaled ? gamma.toVector<double>() : std::vector<double>(mean.size(), 1);
  const std::vector<double> b = beta.defined() ? beta.toVector<double>() : std::vector<double>(mean.size(), 0);
  const std::vector<double> invstd =
      batchnorm::invstdOf(runningVar.array().to(DType::F64), {.epsilon = o.epsilon, .epsMode = o.epsMode})
          .toVector<double>();
  core::Int8Affine map{
      .scale = {}, .shift = {}, .rescale = rescaled ? mxnetRange / mxnetRangeU8 : 1, .relu = o.act == Act::ReLU};
  for (std::size_t c = 0; c < mean.size(); ++c) {
    const double scale = w[c] * invstd[c];
    double weight = scale * in / out;
    if (data == DType::U8 && !rescaled) weight = scale * in * o.range / (largestU8 * out);
    if (o.mxnetEpsilon) weight /= std::sqrt(1 + o.epsilon);
    map.scale.push_back(weight);
    map.shift.push_back((b[c] - mean[c] * scale) * o.range / out);
    if (std::isfinite(map.scale[c]) && std::isfinite(map.shift[c])) continue;
    throw NumericError(op, "channel " + std::to_string(c) + " has no finite scale and shift",
                       {{"gamma", fmt::format("{}", w[c])},
                        {"beta", fmt::format("{}", b[c])},
                        {"mean", fmt::format("{}", mean[c])},
                        {"var", fmt::format("{}", runningVar.toVector<double>()[c])}},
                       "look at the parameters and statistics of this channel");
  }
  return map;
}

}  // namespace

Int8BatchNormResult batchNormInt8(const Tensor& x, double minData, double maxData, const Tensor& gamma,
                                  const Tensor& beta, const Tensor& runningMean, const Tensor& runningVar,
                                  const Int8BatchNormOptions& options) {
  if (!runningMean.defined() || !runningVar.defined()) {
    throw StateError(op, std::string("there is no ") + (runningMean.defined() ? "runningVar" : "runningMean"), {},
                     "inference needs both running statistics");
  }
  const auto present = [](const Tensor& t) { return t.defined() ? &t : nullptr; };
  const Tensor* operands[] = {&x, present(gamma), present(beta), &runningMean, &runningVar};
  checkOperands(op, operands);
  checkOptions(options);
  checkData(x, minData, maxData);
  const int axis = normalizeAxis(options.channelAxis, x.rank(), op);
  const i64 channels = x.size(axis);
  checkPerChannel(x, gamma, "gamma", channels);
  checkPerChannel(x, beta, "beta", channels);
  checkPerChannel(x, runningMean, "runningMean", channels);
  checkPerChannel(x, runningVar, "runningVar", channels);
  const auto kernel = [&] {
    return core::batchNormInt8(x.array(), axis,
                               affineOf(x.dtype(), minData, maxData, gamma, beta, runningMean, runningVar, options));
  };
  return {apply(op, operands, x.shape(), DType::I8, kernel, nullptr), *options.minCalib, *options.maxCalib};
}

}  // namespace ember
