#include <ember/autograd/ops/Normalisation.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/ActivationChecks.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Math.h>
#include <ember/autograd/ops/Pool.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/Error.h>
#include <ember/core/kernels/RowNorm.h>

namespace ember {

using namespace autograd;

namespace {

/// Rows of x [rows, n] brought to mean 0 (if centred) and mean square 1.
Tensor rowNorm(const char* op, const Tensor& x, double epsilon, bool centred) {
  const auto invstd = std::make_shared<core::NDArray>();
  const auto kernel = [&] {
    core::RowNormResult result = core::rowNorm(x.array(), epsilon, centred);
    *invstd = result.invstd;
    return result.y;
  };
  const auto backward = [x = Saved(x), invstd, epsilon, centred](const BackwardContext& c) {
    const Tensor y = c.output(), &dy = c.grad();
    if (!gradEnabled() || y.numel() == 0)
      return Tensors{Tensor(core::rowNormBackward(dy.array(), y.array(), *invstd, centred))};
    // The same in differentiable ops: the scale is a function of x, too.
    const Tensor v = x.get(c), apart = centred ? v - mean(v, {1}, true) : v;
    const Tensor scale = 1 / sqrt(mean(apart * apart, {1}, true) + epsilon);
    const Tensor across = dy - y * mean(dy * y, {1}, true);
    return Tensors{scale * (centred ? across - mean(dy, {1}, true) : across)};
  };
  return apply(op, {&x}, x.shape(), x.dtype(), kernel, backward, SaveOutputs::Yes);
}

void checkInput(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias, double epsilon) {
  checkOperands(op, {&x, weight.defined() ? &weight : nullptr, bias.defined() ? &bias : nullptr});
  checkFloating(op, x);
  if (weight.defined()) checkSameDtype(op, x, weight, "x", "weight");
  if (bias.defined()) checkSameDtype(op, x, bias, "x", "bias");
  checkFinite(op, "epsilon", epsilon);
  if (epsilon < 0) throw ValueError(op, "epsilon is " + toText(epsilon) + ", must be 0 or more");
}

void checkParameter(const char* op, const char* what, const Tensor& t, const Shape& expected) {
  if (!t.defined() || t.shape() == expected) return;
  throw ShapeError(op, std::string(what) + " is " + toString(t.shape()) + ", expected " + toString(expected));
}

Tensor affine(Tensor y, const Tensor& weight, const Tensor& bias) {
  if (weight.defined()) y = y * weight;
  return bias.defined() ? y + bias : y;
}

/// x as so many rows, normed, and in its own shape again.
Tensor normRows(const char* op, const Tensor& x, i64 rows, double epsilon, bool centred) {
  const i64 columns = rows == 0 ? 0 : x.numel() / rows;
  return reshape(rowNorm(op, reshape(x, {rows, columns}), epsilon, centred), x.shape());
}

Tensor lastAxesNorm(const char* op, const Tensor& x, const Shape& normalized, double epsilon, bool centred) {
  const int outer = x.rank() - normalized.rank();
  bool fits = outer >= 0 && !normalized.empty();
  for (int i = 0; fits && i < normalized.rank(); ++i) fits = normalized[i] == x.shape()[outer + i];
  if (!fits || numel(normalized) == 0) {
    throw ShapeError(op, "x is " + toString(x.shape()) + ", expected to end in " + toString(normalized), {},
                     "give the sizes of the last axes, each 1 or more");
  }
  return normRows(op, x, x.numel() / numel(normalized), epsilon, centred);
}

/// A parameter a channel, to stand beside x [N, C, ...].
Tensor alongChannels(const Tensor& t, int rank) {
  if (!t.defined()) return t;
  Shape shape = t.shape();
  for (int axis = 2; axis < rank; ++axis) shape.push(1);
  return reshape(t, shape);
}

Tensor channelNorm(const char* op, const Tensor& x, i64 groups, const Tensor& weight, const Tensor& bias,
                   double epsilon) {
  const i64 channels = x.size(1);
  checkParameter(op, "weight", weight, {channels});
  checkParameter(op, "bias", bias, {channels});
  const Tensor y = normRows(op, x, x.size(0) * groups, epsilon, true);
  return affine(y, alongChannels(weight, x.rank()), alongChannels(bias, x.rank()));
}

void checkChannels(const char* op, const Tensor& x, int least) {
  if (x.rank() >= least) return;
  throw ShapeError(
      op, "x is " + toString(x.shape()) + ", expected [N, C, ...] of rank " + std::to_string(least) + " or more");
}

}  // namespace

Tensor layerNorm(const Tensor& x, const Shape& normalized, const Tensor& weight, const Tensor& bias, double epsilon) {
  constexpr const char* op = "layerNorm";
  checkInput(op, x, weight, bias, epsilon);
  checkParameter(op, "weight", weight, normalized);
  checkParameter(op, "bias", bias, normalized);
  return affine(lastAxesNorm(op, x, normalized, epsilon, true), weight, bias);
}

Tensor rmsNorm(const Tensor& x, const Shape& normalized, const Tensor& weight, double epsilon) {
  constexpr const char* op = "rmsNorm";
  checkInput(op, x, weight, {}, epsilon);
  checkParameter(op, "weight", weight, normalized);
  return affine(lastAxesNorm(op, x, normalized, epsilon, false), weight, {});
}

Tensor groupNorm(const Tensor& x, i64 groups, const Tensor& weight, const Tensor& bias, double epsilon) {
  constexpr const char* op = "groupNorm";
  checkInput(op, x, weight, bias, epsilon);
  checkChannels(op, x, 2);
  if (groups < 1 || x.size(1) % groups != 0) {
    throw ShapeError(op, std::to_string(groups) + " groups do not divide the channels of x " + toString(x.shape()), {},
                     "use a divisor of " + std::to_string(x.size(1)));
  }
  if (x.numel() == groups && x.size(0) == 1) {
    throw ValueError(op, "1 value a group in x " + toString(x.shape()) + ", whose variance is 0", {},
                     "use fewer groups or larger inputs");
  }
  return channelNorm(op, x, groups, weight, bias, epsilon);
}

Tensor instanceNorm(const Tensor& x, const Tensor& weight, const Tensor& bias, double epsilon) {
  constexpr const char* op = "instanceNorm";
  checkInput(op, x, weight, bias, epsilon);
  checkChannels(op, x, 2);
  if (x.numel() > 0 && x.numel() == x.size(0) * x.size(1)) {
    throw ValueError(op, "1 value a channel in x " + toString(x.shape()) + ", whose variance is 0", {},
                     "use larger inputs");
  }
  return channelNorm(op, x, x.size(1), weight, bias, epsilon);
}

Tensor localResponseNorm(const Tensor& x, i64 size, double alpha, double beta, double k) {
  constexpr const char* op = "localResponseNorm";
  checkInput(op, x, {}, {}, 0);
  checkChannels(op, x, 3);
  checkFinite(op, "alpha", alpha);
  checkFinite(op, "beta", beta);
  checkFinite(op, "k", k);
  if (size < 1 || size > std::numeric_limits<int>::max())
    throw ValueError(op, "size is " + std::to_string(size) + ", must be 1 or more");
  if (x.numel() == 0) return x * 1;
  // The mean over neighbouring channels is a pool along them, with the places of a channel as columns.
  const i64 samples = x.size(0), channels = x.size(1);
  const Tensor squares = reshape(x * x, {samples, 1, channels, x.numel() / (samples * channels)});
  const Tensor padded = pad(squares, {0, 0, size / 2, 0}, {0, 0, (size - 1) / 2, 0});
  const Tensor means = reshape(avgPool2d(padded, {.kernel = {size, 1}, .stride = 1}), x.shape());
  return x / pow(means * alpha + k, beta);
}

Tensor normalize(const Tensor& x, int axis, double epsilon) {
  constexpr const char* op = "normalize";
  checkInput(op, x, {}, {}, epsilon);
  axis = normalizeAxis(axis, x.rank(), op);
  // Bounded under the root, whose derivative at 0 would be infinite.
  const Tensor squares = sum(x * x, {axis}, true);
  return x / sqrt(clamp(squares, epsilon * epsilon, std::numeric_limits<double>::infinity()));
}

}  // namespace ember
