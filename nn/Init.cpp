#include <ember/nn/Init.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

#include <ember/core/Error.h>
#include <ember/core/Random.h>
#include <ember/core/Threads.h>

namespace ember::nn::init {
namespace {

thread_local int skips = 0, shapes = 0;

template <class Draw>
void fill(Tensor& t, Draw&& draw) {
  const NoGrad guard;
  if (t.isShapeOnly()) return;
  if (skips > 0) return t.fill_(0);
  const random::Key key = random::nextInitKey();
  const auto write = [&](auto* out) {
    using T = std::remove_pointer_t<decltype(out)>;
    core::parallelFor(t.numel(), 1 << 12, [&](i64 begin, i64 end) {
      for (i64 i = begin; i < end; ++i) out[i] = static_cast<T>(draw(key, static_cast<u64>(i)));
    });
  };
  if (t.array().isDense()) {  // in place: some weights are large
    if (t.dtype() == DType::F32) return write(t.writable("initialiser").data<float>());
    if (t.dtype() == DType::F64) return write(t.writable("initialiser").data<double>());
  }
  core::NDArray values = core::NDArray::empty(t.shape(), DType::F64);
  double* out = values.data<double>();
  for (i64 i = 0; i < values.numel(); ++i) out[i] = draw(key, static_cast<u64>(i));
  t.copy_(Tensor(values), "initialiser");
}

void require(bool holds, const char* what) {
  if (!holds) throw ValueError("init", what);
}

double gainOf(double slope) { return std::sqrt(2.0 / (1.0 + slope * slope)); }

double fanOf(const Tensor& t, Fan fan) {
  const Fans fans = fansOf(t.shape());
  return static_cast<double>(std::max<i64>(1, fan == Fan::In ? fans.in : fans.out));
}

}  // namespace

Fans fansOf(const Shape& weight) {
  if (weight.rank() < 2) {
    throw ShapeError("init", "fan-in and fan-out need a weight of rank 2 or more, got " + toString(weight), {},
                     "use uniform_, normal_ or constant_");
  }
  i64 receptive = 1;
  for (int i = 2; i < weight.rank(); ++i) receptive = checkedMul(receptive, weight[i]);
  return {checkedMul(weight[1], receptive), checkedMul(weight[0], receptive)};
}

void constant_(Tensor& t, double value) {
  const NoGrad guard;
  if (!t.isShapeOnly()) t.fill_(value);
}

void uniform_(Tensor& t, double low, double high) {
  require(std::isfinite(low) && std::isfinite(high) && low <= high, "uniform_ needs finite bounds in growing order");
  fill(t, [=](const random::Key& key, u64 i) { return low + (high - low) * random::uniform(key, i); });
}

void normal_(Tensor& t, double mean, double std) {
  require(std::isfinite(mean) && std::isfinite(std) && std >= 0,
          "normal_ needs a finite mean and a standard deviation of 0 or more");
  fill(t, [=](const random::Key& key, u64 i) { return mean + std * random::normal(key, i); });
}

void uniformByInputs_(Tensor& weight, Tensor& bias, i64 inputs) {
  const double bound = 1 / std::sqrt(static_cast<double>(std::max<i64>(1, inputs)));
  uniform_(weight, -bound, bound);
  if (bias.defined()) uniform_(bias, -bound, bound);
}

void kaimingUniform_(Tensor& t, double slope, Fan fan) {
  const double bound = gainOf(slope) * std::sqrt(3.0 / fanOf(t, fan));
  uniform_(t, -bound, bound);
}

void kaimingNormal_(Tensor& t, double slope, Fan fan) { normal_(t, 0, gainOf(slope) / std::sqrt(fanOf(t, fan))); }

void xavierUniform_(Tensor& t, double gain) {
  const Fans fans = fansOf(t.shape());
  const double bound = gain * std::sqrt(6.0 / static_cast<double>(fans.in + fans.out));
  uniform_(t, -bound, bound);
}

void xavierNormal_(Tensor& t, double gain) {
  const Fans fans = fansOf(t.shape());
  normal_(t, 0, gain * std::sqrt(2.0 / static_cast<double>(fans.in + fans.out)));
}

Skip::Skip() noexcept { ++skips; }
Skip::~Skip() { --skips; }
bool Skip::active() noexcept { return skips > 0; }

ShapesOnly::ShapesOnly() noexcept { ++shapes; }
ShapesOnly::~ShapesOnly() { --shapes; }
bool ShapesOnly::active() noexcept { return shapes > 0; }

Tensor blank(const Shape& shape, DType dtype) {
  return ShapesOnly::active() ? Tensor::shapeOnly(shape, dtype) : Tensor::empty(shape, dtype);
}

Tensor filled(const Shape& shape, double value, DType dtype) {
  return ShapesOnly::active() ? Tensor::shapeOnly(shape, dtype) : Tensor::full(shape, value, dtype);
}

}  // namespace ember::nn::init
