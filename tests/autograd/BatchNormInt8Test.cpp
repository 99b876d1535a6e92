#include <ember/autograd/ops/BatchNormInt8.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include <ember/autograd/ops/BatchNorm.h>
#include <ember/core/Error.h>

#include "support/Draw.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

namespace {

using Values = std::vector<double>;

/// Data [N, C, ...] and what one channel is normalised with.
struct Case {
  Tensor x;
  double minData, maxData;
  Tensor gamma, beta, mean, var;

  Case(const Shape& shape, DType dtype, i64 channels)
      : x(draw("x", shape, dtype == DType::I8 ? -128 : 0, dtype == DType::I8 ? 128 : 256).to(dtype)),
        minData(dtype == DType::I8 ? -2.5 : 0),
        maxData(2),
        gamma(draw("gamma", {channels}, -1.5, 1.5)),
        beta(draw("beta", {channels})),
        mean(draw("mean", {channels}, -1, 1)),
        var(draw("var", {channels}, 0.3, 3)) {}

  Int8BatchNormResult run(const Int8BatchNormOptions& options) const {
    return batchNormInt8(x, minData, maxData, gamma, beta, mean, var, options);
  }
};

double nearestEven(double v) {
  const double below = std::floor(v), rest = v - below;
  if (rest != 0.5) return rest < 0.5 ? below : below + 1;
  return std::fmod(below, 2) == 0 ? below : below + 1;
}

double saturated(double v) { return std::min(127.0, std::max(-128.0, v)); }

/// The definition, element by element in logical order; the channels are axis 1.
Values plain(const Case& t, const Int8BatchNormOptions& o) {
  const i64 channels = t.x.size(1), inner = t.x.numel() / (t.x.size(0) * channels);
  const Values x = t.x.toVector<double>(), w = t.gamma.toVector<double>(), b = t.beta.toVector<double>(),
               m = t.mean.toVector<double>(), v = t.var.toVector<double>();
  const double in = std::max(std::abs(t.minData), std::abs(t.maxData)),
               out = std::max(std::abs(*o.minCalib), std::abs(*o.maxCalib));
  Values y;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t c = i / static_cast<std::size_t>(inner) % static_cast<std::size_t>(channels);
    const double gamma = o.fixGamma ? 1 : w[c], is = 1 / std::sqrt(v[c] + o.epsilon);
    double q;
    if (o.range == 127) {  // the real number behind x, normalised, and the step of the output
      const double real = x[i] * in / (t.x.dtype() == DType::U8 ? 255 : 127);
      const double bent = o.mxnetEpsilon ? 1 / std::sqrt(1 + o.epsilon) : 1;
      q = (gamma * is * real * bent + b[c] - gamma * is * m[c]) / (out / 127);
    } else {  // as MXNet writes it
      const double s8 = t.x.dtype() == DType::U8 ? saturated(nearestEven(x[i] * 127.5 / 255.5)) : x[i];
      const double weight = gamma * is * in / out, shift = (b[c] - m[c] * gamma * is) * 127.5 / out;
      q = s8 * weight / std::sqrt(o.mxnetEpsilon ? 1 + o.epsilon : 1) + shift;
    }
    q = saturated(nearestEven(q));
    y.push_back(o.act == Act::ReLU ? std::max(q, 0.0) : q);
  }
  return y;
}

Int8BatchNormOptions into(double min, double max, Int8BatchNormOptions options = {}) {
  options.minCalib = min;
  options.maxCalib = max;
  return options;
}

}  // namespace

TEST_CASE("a case worked by hand") {
  // eps = 1: is = 1/2 and 1/4, gamma·is = 1 and -1/4; D = 2, O = 4, so
  // W = 1/2 and -1/8, B = 0.5·127/4 = 15.875 and 0.25·127/4 = 7.9375.
  const Tensor gamma = Tensor::of({2, -1}), beta = Tensor::of({1, 0.5}), mean = Tensor::of({0.5, -1}),
               var = Tensor::of({3, 15});
  const Tensor x = Tensor::of<i8>({100, -128, 127, 100, -128, 127}, {1, 2, 3});
  const auto run = [&](const Tensor& data, double min, const Int8BatchNormOptions& o) {
    return batchNormInt8(data, min, 2, gamma, beta, mean, var, o).y.toVector<int>();
  };
  using Ints = std::vector<int>;
  // 65.875, -48.125, 79.375; -4.5625, 23.9375, -7.9375
  CHECK(run(x, -2, into(-1, 4, {.epsilon = 1})) == Ints{66, -48, 79, -5, 24, -8});
  CHECK(run(x, -2, into(-1, 4, {.epsilon = 1, .act = Act::ReLU})) == Ints{66, 0, 79, 0, 24, 0});
  // gamma = 1: W = 1/4 and 1/8, B = (1 - 1/4)·127/4 = 23.8125 and (1/2 + 1/4)·127/4 = 23.8125
  CHECK(run(x, -2, into(-1, 4, {.epsilon = 1, .fixGamma = true})) == Ints{49, -8, 56, 36, 8, 40});
  // u8: W·127/255: 65.678..., 15.875, 79.375; -4.513..., 7.9375, -7.9375
  CHECK(run(Tensor::of<u8>({200, 0, 255, 200, 0, 255}, {1, 2, 3}), 0, into(-1, 4, {.epsilon = 1})) ==
        Ints{66, 16, 79, -5, 8, -8});
  // MXNet: W/sqrt(2), B = 15.9375 and 7.96875: 51.29, -29.32, 60.84; -0.87, 19.28, -3.26
  CHECK(run(x, -2, into(-1, 4, {.epsilon = 1, .range = 127.5, .mxnetEpsilon = true})) == Ints{51, -29, 61, -1, 19, -3});
  // MXNet, u8: 200 -> 99.80 -> 100, 3 -> 1.497 -> 1, 255 -> 127.25 -> 127; then 65.9375, 16.4375, 79.4375; -4.53, 7.84,
  // -7.91
  CHECK(run(Tensor::of<u8>({200, 3, 255, 200, 3, 255}, {1, 2, 3}), 0, into(-1, 4, {.epsilon = 1, .range = 127.5})) ==
        Ints{66, 16, 79, -5, 8, -8});
  const Int8BatchNormResult result = batchNormInt8(x, -2, 2, gamma, beta, mean, var, into(-1, 4, {.epsilon = 1}));
  CHECK(result.min == -1);
  CHECK(result.max == 4);
  CHECK(result.y.dtype() == DType::I8);
}

TEST_CASE("every type, shape, activation and dialect agrees with plain loops") {
  // The last shape has more elements a channel than there are bytes.
  for (const Shape& shape : {Shape{4, 3}, Shape{2, 3, 5}, Shape{2, 3, 4, 4}, Shape{2, 2, 3, 2, 3}, Shape{3, 1, 2, 2},
                             Shape{1, 5, 2}, Shape{3, 4, 16, 17}}) {
    for (const DType dtype : {DType::I8, DType::U8}) {
      for (const Act act : {Act::None, Act::ReLU}) {
        for (const double range : {127.0, 127.5}) {
          for (const bool mxnet : {false, true}) {
            const Case t(shape, dtype, shape[1]);
            const Int8BatchNormOptions o =
                into(-1.5, 3, {.epsilon = 1e-3, .act = act, .range = range, .mxnetEpsilon = mxnet});
            CAPTURE(toString(shape));
            CAPTURE(name(dtype));
            CHECK(t.run(o).y.toVector<double>() == plain(t, o));
          }
        }
      }
    }
  }
}

TEST_CASE("dequantised, it is the batch norm of real numbers to half a step") {
  for (const DType dtype : {DType::I8, DType::U8}) {
    for (const Act act : {Act::None, Act::ReLU}) {
      for (const bool fixGamma : {false, true}) {
        for (const EpsMode epsMode : {EpsMode::Additive, EpsMode::Max}) {
          const Case t({2, 3, 8, 8}, dtype, 3);
          const double epsilon = 0.5;  // of the size of the variances
          const double unit = 2.5 / 127, unit8 = 2.0 / 255;
          Values real = t.x.toVector<double>();
          for (double& v : real) v *= dtype == DType::I8 ? unit : unit8;
          const auto narrow = [](const Tensor& p) { return p.to(DType::F32); };
          const Tensor expected =
              batchNorm(narrow(Tensor::of<double>(real, t.x.shape())), narrow(t.gamma).clone(), narrow(t.beta),
                        narrow(t.mean), narrow(t.var),
                        {.training = false, .epsilon = epsilon, .epsMode = epsMode, .fixGamma = fixGamma, .act = act});
          const Values y = expected.toVector<double>();
          const auto [low, high] = std::minmax_element(y.begin(), y.end());
          const Int8BatchNormResult result =
              t.run(into(*low, *high, {.epsilon = epsilon, .act = act, .fixGamma = fixGamma, .epsMode = epsMode}));
          const double step = std::max(std::abs(*low), std::abs(*high)) / 127;
          const Values q = result.y.toVector<double>();
          double worst = 0;
          for (std::size_t i = 0; i < q.size(); ++i) worst = std::max(worst, std::abs(q[i] * step - y[i]) / step);
          CHECK(worst <= 0.5001);  // f32 rounds values of 127 steps by 1e-5 of one
          CHECK(worst > 0.4);      // the range is used: 384 roundings come close to half
        }
      }
    }
  }
}

TEST_CASE("MXNet's constants move the result, by little") {
  const Case t({2, 3, 10, 10}, DType::I8, 3);
  const Values exact = t.run(into(-4, 4, {.epsilon = 1e-1})).y.toVector<double>();
  const Values mxnet = t.run(into(-4, 4, {.epsilon = 1e-1, .range = 127.5, .mxnetEpsilon = true})).y.toVector<double>();
  double worst = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) worst = std::max(worst, std::abs(exact[i] - mxnet[i]));
  CHECK(worst >= 1);
  CHECK(worst <= 8);  // 128·(1 - 1/sqrt(1.1)) and a rounding
}

TEST_CASE("ties go to even and the ends saturate") {
  const Tensor one = Tensor::of({1}), zero = Tensor::of({0});
  const auto run = [&](std::vector<i8> values, double gamma, double beta) {
    const Shape shape{1, 1, static_cast<i64>(values.size())};
    return batchNormInt8(Tensor::of<i8>(values, shape), -127, 127, Tensor::of({gamma}), Tensor::of({beta}), zero, one,
                         into(-127, 127, {.epsilon = 0}))
        .y.toVector<int>();
  };
  CHECK(run({1, 3, 5, -1, -3, -5, 0}, 0.5, 0) == std::vector<int>{0, 2, 2, 0, -2, -2, 0});
  CHECK(run({63, 64, 127, -64, -65, -128}, 2, 0) == std::vector<int>{126, 127, 127, -128, -128, -128});
  CHECK(run({0, 1, -1}, 1, 1e30) == std::vector<int>{127, 127, 127});
  CHECK(run({0, 1, -1}, -1e30, 0) == std::vector<int>{0, -128, 127});
  CHECK(run({-128, 0, 127}, 1, 0) == std::vector<int>{-128, 0, 127});
  // 127.5 is a tie between 127 and 128, which there is not.
  CHECK(run({127, -128}, 1, 0.5) == std::vector<int>{127, -128});
}

TEST_CASE("any channel axis, memory order and stride gives the same numbers, channels last stay so") {
  const Case t({2, 3, 12, 12}, DType::I8, 3);
  const Int8BatchNormOptions o = into(-3, 3);
  const Values expected = t.run(o).y.toVector<double>();
  Case last = t;
  last.x = Tensor(t.x.array().contiguous(MemoryOrder::ChannelsLast));
  const Int8BatchNormResult result = last.run(o);
  CHECK(result.y.toVector<double>() == expected);
  CHECK(result.y.array().order() == MemoryOrder::ChannelsLast);
  last.x = strided(t.x);
  CHECK(last.run(o).y.toVector<double>() == expected);
  for (const int axis : {0, 2, 3, -1, -4}) {
    const int place = axis < 0 ? axis + 4 : axis;
    std::vector<int> there{0, 2, 3}, back;
    there.insert(there.begin() + place, 1);
    for (int i = 0; i < 4; ++i)
      back.push_back(static_cast<int>(std::find(there.begin(), there.end(), i) - there.begin()));
    Case moved = t;
    moved.x = t.x.permute(there);
    Int8BatchNormOptions other = o;
    other.channelAxis = axis;
    CHECK(moved.run(other).y.permute(back).toVector<double>() == expected);
    moved.x = Tensor(moved.x.array().contiguous());
    CHECK(moved.run(other).y.permute(back).toVector<double>() == expected);
  }
}

TEST_CASE("scale and shift may be absent, parameters f32 or f64, batches empty, tensors without data") {
  Case t({2, 3, 4}, DType::I8, 3);
  const Int8BatchNormOptions o = into(-3, 3);
  Case plainParameters = t;
  plainParameters.gamma = Tensor::ones({3}, DType::F64);
  plainParameters.beta = Tensor::zeros({3}, DType::F64);
  CHECK(sameBits(batchNormInt8(t.x, t.minData, t.maxData, {}, {}, t.mean, t.var, o).y, plainParameters.run(o).y));
  // Numbers that f32 holds exactly give the same bits from both types.
  const auto rounded = [](const Tensor& p) { return p.to(DType::F32).to(DType::F64); };
  t.gamma = rounded(t.gamma), t.beta = rounded(t.beta), t.mean = rounded(t.mean), t.var = rounded(t.var);
  Case narrow = t;
  narrow.gamma = t.gamma.to(DType::F32), narrow.mean = t.mean.to(DType::F32), narrow.var = t.var.to(DType::F32);
  CHECK(sameBits(narrow.run(o).y, t.run(o).y));

  Case empty = t;
  empty.x = Tensor::empty({0, 3, 4}, DType::I8);
  CHECK(toString(empty.run(o).y.shape()) == "[0, 3, 4]");
  Case hollow = t;
  hollow.x = Tensor::shapeOnly({2, 3, 4}, DType::U8);
  hollow.minData = 0;
  const Int8BatchNormResult result = hollow.run(o);
  CHECK(result.y.isShapeOnly());
  CHECK(result.y.dtype() == DType::I8);
  CHECK(result.max == 3);

  t.gamma.setRequiresGrad();
  CHECK_FALSE(t.run(o).y.requiresGrad());
}

TEST_CASE("what cannot be is refused with the reason") {
  const Case t({2, 3, 4}, DType::I8, 3);
  const auto withOptions = [&](const Int8BatchNormOptions& o) { return headlineOf([&] { (void)t.run(o); }); };
  const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  CHECK(withOptions({}) == "[batchNormInt8] ValueError: minCalib is missing");
  CHECK(withOptions({.minCalib = -1.0}) == "[batchNormInt8] ValueError: maxCalib is missing");
  CHECK(withOptions(into(1, 1)) == "[batchNormInt8] ValueError: the output ranges from minCalib = 1 to maxCalib = 1");
  CHECK(withOptions(into(2, -1)) == "[batchNormInt8] ValueError: the output ranges from minCalib = 2 to maxCalib = -1");
  CHECK(withOptions(into(nan, 1)) ==
        "[batchNormInt8] ValueError: the output ranges from minCalib = nan to maxCalib = 1");
  CHECK(withOptions(into(-1, infinity)) ==
        "[batchNormInt8] ValueError: the output ranges from minCalib = -1 to maxCalib = inf");
  CHECK(withOptions(into(-1, 1, {.epsilon = -1})) == "[batchNormInt8] ValueError: epsilon is -1");
  CHECK(withOptions(into(-1, 1, {.epsilon = nan})) == "[batchNormInt8] ValueError: epsilon is nan");
  CHECK(withOptions(into(-1, 1, {.act = Act::LeakyReLU})) == "[batchNormInt8] ValueError: act is LeakyReLU");
  CHECK(withOptions(into(-1, 1, {.range = 128})) == "[batchNormInt8] ValueError: range is 128");
  CHECK(withOptions(into(-1, 1, {.channelAxis = 3})).find("[batchNormInt8] ShapeError: ") == 0);

  const Int8BatchNormOptions o = into(-1, 1);
  const auto with = [&](auto&& change) {
    Case other = t;
    change(other);
    return headlineOf([&] { (void)other.run(o); });
  };
  CHECK(with([](Case& c) { c.minData = c.maxData = 0; }) ==
        "[batchNormInt8] ValueError: the input ranges from minData = 0 to maxData = 0");
  CHECK(with([](Case& c) { c.minData = 3; }) ==
        "[batchNormInt8] ValueError: the input ranges from minData = 3 to maxData = 2");
  CHECK(with([&](Case& c) { c.maxData = infinity; }) ==
        "[batchNormInt8] ValueError: the input ranges from minData = -2.5 to maxData = inf");
  CHECK(with([](Case& c) { c.x = c.x.to(DType::U8); }) ==
        "[batchNormInt8] ValueError: minData is -2.5, but the input is u8");
  CHECK(with([](Case& c) { c.x = c.x.to(DType::F32); }) == "[batchNormInt8] DtypeError: expected i8 or u8, got f32");
  CHECK(with([](Case& c) { c.gamma = c.gamma.to(DType::I32); }).find("[batchNormInt8] DtypeError: gamma is i32") == 0);
  CHECK(with([](Case& c) { c.x = Tensor::empty({3}, DType::I8); }) ==
        "[batchNormInt8] ShapeError: expected at least 2 axes, [N, C, ...], got [3]");
  CHECK(with([](Case& c) { c.beta = Tensor::zeros({4}); }) ==
        "[batchNormInt8] ShapeError: input has 3 channels, beta expects 4");
  CHECK(with([](Case& c) {
          c.var = Tensor::ones({3, 1});
        }) == "[batchNormInt8] ShapeError: input has 3 channels, runningVar expects [3, 1]");
  CHECK(with([](Case& c) { c.mean = {}; }) == "[batchNormInt8] StateError: there is no runningMean");
  CHECK(with([](Case& c) { c.var = {}; }) == "[batchNormInt8] StateError: there is no runningVar");
  CHECK(with([&](Case& c) {
          c.gamma = Tensor::of({1, nan, 1});
        }) == "[batchNormInt8] NumericError: channel 1 has no finite scale and shift");
  CHECK(with([](Case& c) {
          c.var = Tensor::of({1, 1, -1});
        }) == "[batchNormInt8] NumericError: channel 2 has no finite scale and shift");
}
