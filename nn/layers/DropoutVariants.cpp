#include <ember/nn/layers/DropoutVariants.h>

#include <ember/autograd/ops/ActivationChecks.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/DropoutVariants.h>
#include <ember/core/Error.h>

namespace ember::nn {

using autograd::toText;

DropoutVariant::DropoutVariant(const char* type, Function function, int rank, double p)
    : type_(type), function_(function), rank_(rank), p_(p) {
  if (!(p >= 0 && p <= 1)) throw ValueError(type, "p is " + toText(p), {}, "use a probability from 0 to 1");
}

Tensor DropoutVariant::forward(const Tensor& x) {
  if (rank_ != 0 && x.defined() && x.rank() != rank_) {
    throw ShapeError(type_, "x is " + ember::toString(x.shape()) + ", expected [N, C] and " +
                                std::to_string(rank_ - 2) + " spatial axes");
  }
  return function_(x, p_, training());
}

std::string DropoutVariant::details() const { return toText(p_); }

#define EMBER_DROPOUT(Type, function, rank) \
  Type::Type(double p) : DropoutVariant(#Type, function, rank, p) {}
EMBER_DROPOUT(Dropout1D, featureDropout, 3)
EMBER_DROPOUT(Dropout2D, featureDropout, 4)
EMBER_DROPOUT(Dropout3D, featureDropout, 5)
EMBER_DROPOUT(AlphaDropout, alphaDropout, 0)
EMBER_DROPOUT(FeatureAlphaDropout, featureAlphaDropout, 0)
EMBER_DROPOUT(DropPath, dropPath, 0)
#undef EMBER_DROPOUT

namespace {

/// x with noise of its shape and type; shapes alone draw nothing.
template <class Draw>
Tensor noisy(const Tensor& x, bool training, const Draw& draw) {
  if (!training || !x.defined() || x.isShapeOnly()) return x;
  return add(x, draw());
}

}  // namespace

GaussianNoise::GaussianNoise(double std) : std_(std) {
  autograd::checkFinite("GaussianNoise", "std", std);
  if (std < 0) throw ValueError("GaussianNoise", "std is " + toText(std) + ", must be 0 or more");
}

Tensor GaussianNoise::forward(const Tensor& x) {
  return noisy(x, training() && std_ > 0, [&] { return Tensor::normal(x.shape(), 0, std_, x.dtype()); });
}

std::string GaussianNoise::details() const { return toText(std_); }

UniformNoise::UniformNoise(double low, double high) : low_(low), high_(high) {
  autograd::checkFinite("UniformNoise", "low", low);
  autograd::checkFinite("UniformNoise", "high", high);
  autograd::checkBounds("UniformNoise", "low", low, "high", high);
}

Tensor UniformNoise::forward(const Tensor& x) {
  return noisy(x, training(), [&] { return Tensor::uniform(x.shape(), low_, high_, x.dtype()); });
}

std::string UniformNoise::details() const { return toText(low_) + ", " + toText(high_); }

}  // namespace ember::nn
