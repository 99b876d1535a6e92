#include <ember/optim/Ema.h>

#include <algorithm>
#include <cstddef>

#include <ember/core/Error.h>
#include <ember/core/Simd.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/Elementwise.h>

namespace ember::optim {
namespace {

template <class T>
inline void blendArray(T* average, const T* value, i64 n, T keep) {
  for (i64 i = 0; i < n; ++i) average[i] = keep * average[i] + (T(1) - keep) * value[i];
}
EMBER_SIMD void blendF32(float* a, const float* v, i64 n, float keep) { blendArray(a, v, n, keep); }
EMBER_SIMD void blendF64(double* a, const double* v, i64 n, double keep) { blendArray(a, v, n, keep); }

void checkTypes(const nn::Parameters& values, const nn::Parameters& averages) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i].tensor.dtype() == averages[i].tensor.dtype() &&
        values[i].tensor.shape() == averages[i].tensor.shape())
      continue;
    throw StateError("Ema", "\"" + values[i].name + "\" changed its type or shape after the average was made", {},
                     "make the average after net.to(...)");
  }
}

}  // namespace

WeightAverage::WeightAverage(const nn::Module& net, bool buffers) {
  for (const nn::Parameter& p : net.namedParameters()) values_.push_back(p);
  if (buffers) {
    for (const nn::Parameter& b : net.namedBuffers()) values_.push_back(b);
  }
  std::erase_if(values_, [](const nn::Parameter& p) { return !p.settings.averaged || !isFloating(p.tensor.dtype()); });
  for (const nn::Parameter& p : values_)
    averages_.push_back({p.name, Tensor(p.tensor.array().contiguous().copy()), p.settings});
  spare_.resize(values_.size());
}

void WeightAverage::prepare() {
  checkTypes(values_, averages_);
  for (std::size_t i = 0; i < values_.size(); ++i) {
    const core::NDArray& value = values_[i].tensor.array();
    if (!value.isDense() && !spare_[i].defined()) spare_[i] = core::NDArray::empty(value.shape(), value.dtype());
  }
}

Ema::Ema(const nn::Module& net, double decay) : WeightAverage(net, true), decay_(decay) {
  if (!(decay > 0 && decay < 1))
    throw ValueError("Ema", "decay is " + std::to_string(decay) + ", expected between 0 and 1");
}

void Ema::update() {
  const double n = static_cast<double>(updates_ + 1);
  blend(std::min(decay_, (1 + n) / (10 + n)));
}

void WeightAverage::blend(double keep) {
  const NoGrad guard;
  prepare();
  ++updates_;
  for (std::size_t i = 0; i < values_.size(); ++i) {
    const core::NDArray& here = values_[i].tensor.array();
    if (spare_[i].defined()) core::copyInto(spare_[i], here, nullptr);
    const core::NDArray& value = spare_[i].defined() ? spare_[i] : here;
    core::NDArray& average = averages_[i].tensor.writable("Ema.update");
    core::parallelFor(value.numel(), 1 << 15, [&](i64 begin, i64 end) {
      if (value.dtype() == DType::F32) {
        blendF32(average.data<float>() + begin, value.data<float>() + begin, end - begin, static_cast<float>(keep));
      } else {
        blendF64(average.data<double>() + begin, value.data<double>() + begin, end - begin, keep);
      }
    });
  }
}

void WeightAverage::swap() {
  const NoGrad guard;
  prepare();
  for (std::size_t i = 0; i < values_.size(); ++i) {
    core::NDArray& value = values_[i].tensor.writable("Ema.swap");
    core::NDArray& average = averages_[i].tensor.writable("Ema.swap");
    if (spare_[i].defined()) {
      core::copyInto(spare_[i], value, nullptr);
      core::copyInto(value, average, nullptr);
      core::copyInto(average, spare_[i], nullptr);
    } else {
      auto* bytes = static_cast<std::byte*>(value.raw());
      std::swap_ranges(bytes, bytes + value.bytes(), static_cast<std::byte*>(average.raw()));
    }
  }
}

}  // namespace ember::optim
